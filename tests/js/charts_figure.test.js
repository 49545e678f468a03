// What a chart hands to plotly.js.

import assert from "node:assert/strict";
import test from "node:test";

import { assemble, coloured, merged, styled, titled, unpack } from "../../flowviz/widgets/charts/figure.js";
import { afterThePictures, bundleUrl } from "../../flowviz/widgets/charts/loader.js";

const packed = (dtype, shape, array) => ({ dtype, shape, data: new DataView(array.buffer) });

test("arrays come out as they went in, by rows if they have two dimensions", () => {
  const flat = unpack(packed("float32", [3], new Float32Array([1, 2.5, NaN])));
  assert.deepEqual([...flat], [1, 2.5, NaN]);
  const rows = unpack(packed("int32", [2, 3], new Int32Array([1, 2, 3, 4, 5, 6])));
  assert.deepEqual(rows.map((row) => [...row]), [[1, 2, 3], [4, 5, 6]]);
});

test("arrays may lie at any offset of a message", () => {
  const bytes = new Uint8Array(13);
  bytes.set(new Uint8Array(new Float32Array([7, 8]).buffer), 5);
  const flat = unpack({ dtype: "float32", shape: [2], data: new DataView(bytes.buffer, 5, 8) });
  assert.deepEqual([...flat], [7, 8]);
});

test("arrays are put where their paths say, and the traces given stay as they were", () => {
  const traces = [{ type: "scatter" }, { type: "bar", marker: { color: "red" } }];
  const x = packed("float32", [1], new Float32Array([1]));
  const made = assemble(traces, { "0.x": x, "1.marker.size": x, "1.error_y.array": x });
  assert.deepEqual([...made[0].x], [1]);
  assert.equal(made[1].marker.color, "red");
  assert.deepEqual([...made[1].marker.size], [1]);
  assert.deepEqual([...made[1].error_y.array], [1]);
  assert.deepEqual(traces, [{ type: "scatter" }, { type: "bar", marker: { color: "red" } }]);
});

test("tokens become colours at every depth, and nothing else is touched", () => {
  const token = (name) => ({ "--fv-ink": "#102030", "--fv-line": "#ffffff" })[name];
  const y = new Float32Array([1]);
  const made = coloured({ y, a: ["--fv-ink", [0, "--fv-line"]], b: "--fv-ink/0.5", c: 3 }, token);
  assert.deepEqual(made.a, ["#102030", [0, "#ffffff"]]);
  assert.equal(made.b, "rgba(16, 32, 48, 0.5)");
  assert.equal(made.y, y);
  assert.equal(made.c, 3);
});

test("a chart's own layout wins over the family look, at every depth", () => {
  assert.deepEqual(merged({ a: { b: 1, c: 2 } }, { a: { c: 3 }, d: [1] }), { a: { b: 1, c: 3 }, d: [1] });
  const layout = styled({ xaxis: { showgrid: false }, yaxis2: { side: "right" } }, "sans");
  assert.equal(layout.xaxis.showgrid, false);
  assert.equal(layout.xaxis.gridcolor, "--fv-line");
  assert.equal(layout.yaxis2.gridcolor, "--fv-line");
  assert.equal(layout.yaxis2.side, "right");
});

test("the bundle's address is taken from a page that names it, and from no other", () => {
  const page = "http://host:8/base/voila/x?y=1";
  const config = (value) => JSON.stringify(value);
  const named = config({ baseUrl: "/base/", flowvizPlotly: "flowviz/static/plotly-1.js" });
  assert.equal(bundleUrl(named, page), "http://host:8/base/flowviz/static/plotly-1.js");
  assert.equal(bundleUrl(config({ baseUrl: "/base/" }), page), null);
  assert.equal(bundleUrl(undefined, page), null);
});

/** A page whose frames and idle times come when the test says so. */
function page(stages) {
  const waiting = { frame: [], idle: [] };
  const window = {
    requestAnimationFrame: (run) => waiting.frame.push(run),
    requestIdleCallback: (run, { timeout }) => { waiting.idle.push(run); window.timeout = timeout; },
    setTimeout: (run) => waiting.idle.push(run),
    document: { querySelector: (what) => (what === ".fv-stage" ? stages : null) },
  };
  const pass = async (kind) => {
    for (const run of waiting[kind].splice(0)) run();
    await new Promise(setImmediate);
  };
  return { window, pass };
}

test("plotly.js waits until a page with a stage has drawn and is idle", async () => {
  const { window, pass } = page({});
  let ready = false;
  afterThePictures(window).then(() => { ready = true; });
  await pass("frame");
  await pass("frame");
  assert.equal(ready, false);
  await pass("idle");
  assert.equal(ready, true);
  assert.ok(window.timeout <= 2000);
});

test("plotly.js does not wait on a page without a stage", async () => {
  const { window, pass } = page(null);
  let ready = false;
  afterThePictures(window).then(() => { ready = true; });
  await pass("frame");
  await pass("frame");
  assert.equal(ready, true);
});

test("a browser without idle callbacks has its charts too", async () => {
  const { window, pass } = page({});
  delete window.requestIdleCallback;
  let ready = false;
  afterThePictures(window).then(() => { ready = true; });
  for (const kind of ["frame", "frame", "idle"]) await pass(kind);
  assert.equal(ready, true);
});

test("words in the place of a figure are broken where its width ends", () => {
  const widthOf = (text) => 10 * text.length;
  const said = { name: "words", text: "Press Train: both appear here" };
  const layout = { annotations: [said, { text: "not a word that is broken" }] };
  const made = titled(layout, 154, widthOf);
  assert.equal(made.annotations[0].text, "Press Train:<br>both appear<br>here");
  assert.equal(made.annotations[1].text, "not a word that is broken");
  assert.equal(titled(layout, 1000, widthOf).annotations[0].text, said.text);
});

// What the stage's modules compute without a page: ticks, marks, throttling, names, fitting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { label, ticks } from "../../flowviz/widgets/stage/axes.js";
import { fileName, plain } from "../../flowviz/widgets/stage/export.js";
import { ends } from "../../flowviz/widgets/stage/legend.js";
import { array, between, floats, unpack } from "../../flowviz/widgets/stage/marks.js";
import { fit, viewOf } from "../../flowviz/widgets/stage/picture.js";
import { Scene } from "../../flowviz/widgets/stage/scene.js";
import { page } from "../../flowviz/widgets/stage/shell.js";
import { chosenStates } from "../../flowviz/widgets/stage/strip.js";
import { throttle } from "../../flowviz/widgets/stage/throttle.js";
import { carried, symbol, whereabouts } from "../../flowviz/widgets/stage/transport.js";

const sent = (shape, numbers) => ({ shape, data: new DataView(Float32Array.from(numbers).buffer) });

test("ticks are round and inside", () => {
  assert.deepEqual(ticks(-4, 4, 8), [-4, -3, -2, -1, 0, 1, 2, 3, 4]);
  assert.deepEqual(ticks(0, 0.5, 5), [0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual(ticks(1, 1, 5), []);
});

test("labels have a true minus sign", () => {
  assert.equal(label(-0.5), "−0.5");
  assert.equal(label(1e-9), "1e−9");
  assert.equal(label(NaN), "–");
});

test("buffers are read in every form and at any offset", () => {
  const bytes = new Uint8Array(Float32Array.of(0, 1.5, -2).buffer);
  const shifted = new Uint8Array(13);
  shifted.set(bytes, 1);
  const base64 = Buffer.from(bytes).toString("base64");
  for (const data of [bytes.buffer, bytes, new DataView(bytes.buffer), base64,
    new DataView(shifted.buffer, 1, 12)]) {
    assert.deepEqual([...floats(data)], [0, 1.5, -2]);
  }
  assert.throws(() => floats(new Uint8Array(5)), /no float32/);
  assert.throws(() => array({ shape: [2, 2], data: bytes }), /2 × 2 came with 3/);
});

test("between two states", () => {
  assert.deepEqual(between(5, 2.25), { from: 2, to: 3, part: 0.25 });
  assert.deepEqual(between(5, 4), { from: 4, to: 4, part: 0 });
  assert.deepEqual(between(1, 3.5), { from: 0, to: 0, part: 0 });
});

test("a scene knows its states, and finds its particles where they are now", () => {
  const scene = new Scene();
  scene.set("particles", [{ states: sent([2, 2, 2], [0, 0, 5, 5, 2, 2, 5, 5]), palette: "ink" }]);
  assert.equal(scene.frames, 2);
  assert.deepEqual(scene.particleAt(0, 0.5), [1, 1]);
  assert.equal(scene.nearest(1.2, 1, 1, 0.5), 0);
  assert.equal(scene.nearest(-3, -3, 1, 0.5), -1);
  assert.equal(scene.particleAt(7, 0), null);
});

test("paths alone give the scene its steps", () => {
  const scene = new Scene();
  scene.set("paths", [{ states: sent([3, 1, 2], [0, 0, 1, 1, 2, 2]), palette: "accent" }]);
  assert.equal(scene.frames, 3);
});

test("images are scaled to their range; below it nothing, NaN stays", () => {
  const [image] = unpack("images", [
    { values: sent([1, 1, 4], [-1, 1, 3, NaN]), value_range: [1, 3], palette: "ink" },
  ]);
  assert.deepEqual([...image.values], [0, 0, 1, NaN]);
});

test("a legend says where values lie beyond its range", () => {
  const mark = { palette: "diverging", label: "log|det J|", value_range: [-1, 1] };
  const grid = (numbers) => unpack("grids", [
    { ...mark, states: sent([1, 2, 3, 2], new Array(12).fill(0)), values: sent([1, 1, 2], numbers) },
  ])[0];
  assert.deepEqual(ends(grid([-1, 1])), ["−1", "1"]);
  assert.deepEqual(ends(grid([-1.5, NaN])), ["≤ −1", "1"]);
  assert.deepEqual(ends(grid([0, 1.1])), ["−1", "≥ 1"]);
});

test("one scale on both axes, there and back", () => {
  const window = [-2, 6, 0, 4];
  const { plot, height } = fit(800, window, false);
  assert.equal(height, 400);
  const view = viewOf(window, plot, 2);
  assert.equal(view.x(2), 400);
  assert.equal(view.y(4), 0);
  assert.equal(view.px(2), 800);
  assert.equal(view.dataX(view.x(1.7)).toFixed(9), "1.700000000");
  assert.equal(view.dataY(view.y(0.3)).toFixed(9), "0.300000000");
});

test("names of states and positions", () => {
  assert.equal(symbol(0, 4), "z₀ = u");
  assert.equal(symbol(4, 4), "z₄ = x");
  assert.equal(symbol(12, 40), "z₁₂");
  assert.equal(whereabouts(2.5, 4, []), "layer 2.5 of 4");
  assert.equal(whereabouts(2, 4, ["u", "a", "b", "c", "x"]), "layer 2 of 4 · b");
  assert.equal(whereabouts(2.1, 4, ["u", "a", "b", "c", "x"]), "layer 2.1 of 4 · c");
  assert.equal(whereabouts(12, 16, [], 8), "layer 1.5 of 2");
  assert.equal(whereabouts(8, 16, [], 8), "layer 1 of 2");
  assert.deepEqual([0, 2, 8, 16].map((s) => symbol(s, 16, 8)), ["z₀ = u", "z(0.25)", "z₁", "z₂ = x"]);
  assert.equal(carried({ label: "Σ", values: [0, -2] }, 0.5), "Σ −1.00");
  assert.equal(carried({ label: "Σ", values: [0, -0.001] }, 1), "Σ 0.00");
  assert.equal(carried(null, 0.5), "");
});

test("few states have a thumbnail each, many are chosen evenly with both ends", () => {
  assert.deepEqual(chosenStates(3), [0, 1, 2, 3]);
  const many = chosenStates(64);
  assert.equal(many.length, 9);
  assert.equal(many[0], 0);
  assert.equal(many.at(-1), 64);
  assert.deepEqual(chosenStates(40, 8), [0, 8, 16, 24, 32, 40]);
  assert.deepEqual(chosenStates(8, 8), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("throttled calls: the first at once, then the newest", async () => {
  const seen = [];
  const call = throttle((value) => seen.push(value), 20);
  // Twice: however late a busy machine is, the timer that the first call's starts is over, too.
  const rest = async () => {
    for (let i = 0; i < 2; i++) await new Promise((done) => setTimeout(done, 50));
  };
  for (let i = 0; i < 5; i++) call(i);
  assert.deepEqual(seen, [0]);
  await rest();
  assert.deepEqual(seen, [0, 4]);
  call(5);
  call(6);
  call.now(7);
  await rest();
  assert.deepEqual(seen.slice(2), [5, 7]);
});

test("the stand-alone page cannot be broken out of", () => {
  const html = page({
    title: "<b>&</b>", css: "", esm: "const s = '</script><b>'; const t = '@@css@@ $&';",
    state: { title: "</script><script>alert(1)</script>" },
  });
  assert.equal(html.match(/<script/g).length, 2);
  assert.equal(html.match(/<\/script>/g).length, 2);
  assert.ok(html.includes("@@css@@ $&"));
  assert.ok(html.includes("&lt;b&gt;&amp;"));
});

test("buffers become text, and the rest stays", () => {
  const data = new DataView(Float32Array.of(1).buffer);
  assert.deepEqual(plain({ a: [{ data }], b: "x", c: null }), { a: [{ data: "AACAPw==" }], b: "x", c: null });
});

test("file names", () => {
  assert.equal(fileName("Forward: KL(p* ‖ p)", "png"), "forward-kl-p-p.png");
  assert.equal(fileName("", "html"), "flowviz.html");
});

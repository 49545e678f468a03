// What the stage's modules compute without a page: ticks, marks, throttling, names, fitting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { label, ticks, ticksAlong } from "../../flowviz/widgets/stage/axes.js";
import { fileName, plain, standalonePage } from "../../flowviz/widgets/stage/export.js";
import { Film } from "../../flowviz/widgets/stage/film.js";
import { halves } from "../../flowviz/widgets/stage/halves.js";
import { placedLabel, placedLabels } from "../../flowviz/widgets/stage/labels.js";
import { ROW, cornerFor, cornersOf, ends, keyOf } from "../../flowviz/widgets/stage/legend.js";
import { array, between, floats, unpack } from "../../flowviz/widgets/stage/marks.js";
import { layOut, viewOf } from "../../flowviz/widgets/stage/picture.js";
import { Surface } from "../../flowviz/widgets/stage/raster.js";
import { find, register } from "../../flowviz/widgets/stage/registry.js";
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
  assert.deepEqual(ticks(-4, 4, 8, (made) => made.length < 7), [-4, -2, 0, 2, 4], "no more than fit");
});

test("an axis has three ticks or more, and not fewer where it is longer", () => {
  for (const [low, high] of [[-6.4, 4.2], [-3.8, 3.8], [-2.4, 2.4], [-9, 9], [0, 0.31], [1.1, 1.9]]) {
    let before = 3;
    for (const length of [160, 300, 330, 460, 500, 760, 840]) {
      const { length: count } = ticksAlong(low, high, length);
      assert.ok(count >= before, `${count} on ${length} px from ${low} to ${high}`);
      assert.ok(length / count >= 24, "apart");
      before = count;
    }
  }
});

test("a name that would lie on another's, on a point or out of the plot is put on another side", () => {
  const plot = { left: 0, top: 0, width: 200, height: 200 };
  const named = (...places) =>
    placedLabels(places.map(([x, y]) => ({ x, y, ring: 6, width: 40, height: 14 })), plot)
      .map(({ side }) => side);
  assert.deepEqual(named([50, 50], [150, 150]), ["right", "right"]);
  assert.deepEqual(named([100, 100], [120, 100]), ["left", "right"]);
  assert.deepEqual(named([100, 100], [100, 100]), ["right", "left"]);
  assert.deepEqual(named([190, 100]), ["left"]);
  const four = named([100, 100], [100, 100], [100, 100], [100, 100]);
  assert.equal(new Set(four).size, 4);
  const moved = (before, ...others) =>
    placedLabel({ x: 100, y: 100, ring: 6, width: 40, height: 14 }, others, plot, before).side;
  assert.equal(moved("left"), "left", "it stays where it was until it would cover something");
  assert.equal(moved("left", [60, 90, 20, 20]), "right");
});

test("a key goes to the corner with the fewest named points", () => {
  const plot = { left: 10, top: 0, width: 200, height: 100 };
  const corners = cornersOf([50, 20], plot);
  const chosen = (scene, ...others) =>
    corners[cornerFor(scene, corners, [50, 20], others.map(([x, y]) => [x, y, 10, 10]))];
  const at = (...others) => chosen({ held: false, corner: 3 }, ...others);
  assert.deepEqual(at(), [154, 74]);
  assert.deepEqual(at([150, 80]), [16, 74]);
  assert.deepEqual(at([150, 80], [20, 80]), [154, 6]);
  assert.deepEqual(at([150, 80], [20, 80], [180, 10], [20, 10]), [154, 74]);
  assert.deepEqual(chosen({ held: true, corner: 0 }, [150, 80]), [154, 74], "still while one drags");
});

test("the name of the picked point stands on no mode's number", () => {
  const scene = new Scene();
  scene.pickedName = "same u";
  scene.marks.handles = [{ points: [[0.6, 0.5]], labels: ["1"] }];
  const drawn = [];
  const context = {
    measureText: (text) => ({ width: 6 * text.length }), strokeText() {},
    fillText: (_, x) => drawn.push(x),
  };
  const view = { ...viewOf([0, 1, 0, 1], { left: 0, top: 0, width: 200, height: 200 }, 1), type: 1 };
  for (const x of [0.5, 0.3]) scene.namePicked(context, view, [x, 0.5], { font: "sans", css: {} });
  assert.ok(drawn[0] + 36 <= 100, "left of its point, where right of it is a mode");
  assert.ok(drawn[1] + 36 <= 60, "and it stays there");
});

test("outlines have names in a key that has room for them", () => {
  const scene = new Scene();
  const outline = { states: sent([1, 1, 3, 2], [0, 0, 1, 0, 1, 1]), palette: "ink", fill: 0, closed: true };
  scene.set("shapes", [{ ...outline, label: "image" }, { ...outline, label: "" }]);
  const context = { measureText: (text) => ({ width: 6 * text.length }) };
  assert.equal(keyOf(context, scene, { font: "sans" }, 500).high, ROW);
  assert.equal(keyOf(context, scene, { font: "sans" }, 320), null);
});

test("what one looks at and drags grows with a large picture, to twice", () => {
  const grown = (width, height) => viewOf([0, 1, 0, 1], { left: 0, top: 0, width, height }, 1).grown;
  assert.deepEqual([grown(330, 330), grown(1400, 480), grown(834, 834), grown(2000, 2000)], [1, 1, 834 / 480, 2]);
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

test("half precision is read as every browser's own would", () => {
  const patterns = Uint16Array.of(
    0, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x3555, 0x7c00, 0xfc00, 0x7e00);
  assert.deepEqual([...halves(patterns)], [
    0, -0, 1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1365 * 2 ** -12, Infinity, -Infinity, NaN,
  ]);
  const shifted = new Uint8Array(5);
  shifted.set(new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer), 1);
  const sent = { shape: [2], half: true, data: new DataView(shifted.buffer, 1, 4) };
  assert.deepEqual([...array(sent).data], [1, -2]);
  assert.throws(() => floats(new Uint8Array(3), true), /no float16/);
});

test("a moment's marks stand in for those of their kinds, and are unpacked once", () => {
  const half = (shape, numbers) => ({ shape, half: true, data: Uint16Array.from(numbers) });
  const film = new Film([100, 200].map((step, i) => ({
    step,
    marks: { particles: [{ states: half([1, 1, 2], [0x3c00 + 0x400 * i, 0]), palette: "ink" }] },
  })));
  const scene = new Scene();
  scene.set("particles", [{ states: sent([2, 1, 2], [5, 5, 6, 6]), palette: "ink" }]);
  scene.set("paths", [{ states: sent([2, 1, 2], [0, 0, 1, 1]), palette: "ink" }]);
  scene.show(film.marks(0));
  assert.deepEqual(scene.particleAt(0, 0), [1, 0]);
  assert.equal(scene.marks.paths.length, 1);
  assert.equal(scene.frames, 2, "the states are the stage's own");
  assert.equal(film.marks(0), film.marks(0));
  // What arrives meanwhile waits behind the film.
  scene.set("particles", [{ states: sent([2, 1, 2], [7, 7, 8, 8]), palette: "ink" }]);
  assert.deepEqual(scene.particleAt(0, 0), [1, 0]);
  scene.show(film.marks(9));
  assert.deepEqual(scene.particleAt(0, 0), [2, 0]);
  assert.deepEqual([film.step(1), film.step(9), film.length], [200, 200, 2]);
  scene.show(film.marks(-1));
  assert.deepEqual(scene.particleAt(0, 0), [7, 7]);
  assert.equal(new Film([]).marks(3), null);
});

test("a film is unpacked while the page is idle, until that is ended", async () => {
  const half = { shape: [1, 1, 2], half: true, data: Uint16Array.from([0, 0]) };
  const moment = (states) => ({ step: 0, marks: { particles: [{ states, palette: "ink" }] } });
  const bad = { ...half, shape: [1, 2, 2] };
  const film = new Film([moment(half), moment(bad), moment(half)]);
  const ended = new Film([moment(half)]);
  film.prepare();
  ended.prepare()();
  assert.equal(film.unpacked.size, 0);
  const due = Date.now() + 5000;
  while (film.unpacked.size < 2 && Date.now() < due) await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual([...film.unpacked.keys()], [0, 2]);
  assert.throws(() => film.marks(1), /came with 2 numbers/);
  assert.equal(ended.unpacked.size, 0);
});

test("a stage's view is found by its key until it goes", () => {
  const [first, second] = [{}, {}];
  const end = register("a", first);
  assert.equal(find("a"), first);
  register("a", second);
  end();
  assert.equal(find("a"), second, "an older view that goes does not take the newer one along");
  assert.equal(find("b"), undefined);
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

test("a cell of a grid fades to the card as its weight falls", () => {
  const scene = new Scene();
  scene.set("grids", [{
    states: sent([1, 2, 4, 2], [0, 0, 1, 0, 2, 0, 3, 0, 0, 1, 1, 1, 2, 1, 3, 1]),
    values: sent([1, 1, 3], [1, 1, 1]), weights: sent([1, 3], [1, 0.5, 0]),
    value_range: [-1, 1], palette: "diverging", lines: false,
  }]);
  const surface = new Surface(30, 10);
  const view = viewOf([0, 3, 0, 1], { left: 0, top: 0, width: 30, height: 10 }, 1);
  const tables = { diverging: new Uint32Array(256).fill(0xff000000) };
  scene.paintMoving(surface, view, 0, { card: [200, 200, 200], ink: [0, 0, 0] }, tables);
  const grey = (x) => surface.pixels[5 * 30 + x] & 255;
  assert.deepEqual([grey(5), grey(15), grey(25)], [0, 100, 200]);
});

test("a scale about zero has room for its zero", () => {
  const scene = new Scene();
  scene.marks.particles = [{ label: "ratio", palette: "sequential", value_range: [-2, 2], values: [0] }];
  const context = { measureText: (text) => ({ width: 8 * text.length }) };
  const { column } = keyOf(context, scene, { font: "sans" }, 500);
  assert.ok(column / 2 - context.measureText("≤ −2").width > 12);
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
  const { plot, height } = layOut({ width: 800, window, axes: false });
  assert.equal(height, 400);
  const view = viewOf(window, plot, 2);
  assert.equal(view.x(2), 400);
  assert.equal(view.y(4), 0);
  assert.equal(view.px(2), 800);
  assert.equal(view.dataX(view.x(1.7)).toFixed(9), "1.700000000");
  assert.equal(view.dataY(view.y(0.3)).toFixed(9), "0.300000000");
});

test("in a box: the largest picture that it holds, or all of it", () => {
  const window = [-2, 6, 0, 4];
  const wide = layOut({ width: 800, height: 300, window, axes: false });
  assert.deepEqual([wide.width, wide.height], [600, 300]);
  const high = layOut({ width: 800, height: 900, window, axes: false });
  assert.deepEqual([high.width, high.height], [800, 400]);
  const axes = layOut({ width: 800, height: 300, window, axes: true, titles: ["x", "p(x)"] });
  const { plot } = axes;
  assert.ok(Math.abs(plot.width / plot.height - 2) < 1e-9);
  assert.ok(axes.height === 300 && axes.width < 700 && plot.left > 40);
  const free = layOut({ width: 800, height: 300, window, axes: false, aspect: "free" });
  assert.deepEqual([free.plot.width, free.plot.height], [800, 300]);
});

test("a key that would cover a small plot stands above it, a wide bar under its name", () => {
  const box = { width: 172, height: 190, window: [-4, 4, -4, 4], axes: false };
  const small = layOut({ ...box, key: { column: 150, high: 62, row: [72, 280] } });
  assert.equal(small.key.place, "above");
  assert.deepEqual(small.key.rows, [0, 1], "and the bar is in the third row");
  assert.equal(small.plot.top, 54);
  assert.equal(small.plot.width, 190 - 54);
});

test("the key stands where it costs the plot nothing, above it or beside it, else over its corner", () => {
  const window = [-4, 4, -4, 4];
  const key = { column: 96, high: 62, row: [80, 160] };
  const laid = (box) => {
    const bare = layOut({ ...box, window, axes: false });
    const keyed = layOut({ ...box, window, axes: false, key });
    assert.equal(keyed.plot.width, bare.plot.width, JSON.stringify(box));
    return keyed;
  };
  const beside = laid({ width: 800, height: 300 });
  assert.equal(beside.key.place, "beside");
  assert.ok(beside.width >= 300 + 96 && beside.width <= 800);
  // A box that is higher than wide, of any height, or for axes with scales of their own.
  for (const box of [{ width: 300, height: 330 }, { width: 300 }, { width: 800, height: 300, aspect: "free" }]) {
    const above = laid(box);
    assert.equal(above.key.place, "above", JSON.stringify(box));
    assert.ok(above.plot.top === 18 && above.height <= (box.height ?? 318));
  }
  // Room at neither side, too little of it, or a plot that is lower than the column.
  for (const box of [{ width: 300, height: 300 }, { width: 390, height: 300 }, { width: 800, height: 50 }]) {
    const over = laid(box);
    assert.equal(over.key.place, "over", JSON.stringify(box));
    assert.equal(over.height, box.height);
  }
  // Entries that do not fit a row stand in two, of a plot that is the lower for them.
  const narrow = laid({ width: 240, height: 300 });
  assert.deepEqual(narrow.key.rows, [0, 1]);
  assert.equal(narrow.plot.top, 36);
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
  assert.equal(carried({ label: "Σ", values: [0, -2, 3] }, 0.5), "Σ −2.00");
  assert.equal(carried({ label: "Σ", values: [0, -0.001] }, 1), "Σ −0.00100");
  assert.equal(carried({ label: "Σ", values: [-1.5, 0.001] }, 1), "Σ 0");
  assert.equal(carried({ label: "n", values: [0, 12345] }, 1), "n 12345");
  const bracket = { name: "bracket", range: [0, 1] };
  assert.equal(whereabouts(6, 24, [], 1, bracket), "bracket 6 of 24");
  assert.equal(symbol(6, 24, 1, bracket), "6");
  const time = { name: "t =", range: [0, 2] };
  assert.equal(whereabouts(20, 100, ["dt"], 1, time), "t = 0.40");
  assert.equal(symbol(0, 100, 1, time), "t = 0");
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

test("a page of several stages holds each once, and the code once", () => {
  const model = (title, more = {}) => ({
    get: (name) => ({ title, _css: ".fv{}", _esm: "const $main = 1;", film: [], ...more })[name],
  });
  const html = standalonePage([model("own"), model("", { film: [{ step: 3 }] })], {
    title: "Both", titles: ["A", "B"], voices: ["forward", "reverse"],
  });
  const { title, stages } = JSON.parse(/application\/json">(.*?)<\/script>/s.exec(html)[1]);
  assert.equal(title, "Both");
  assert.deepEqual(stages.map((s) => [s.title, s.voice, s.film.length]), [
    ["A", "forward", 0], ["B", "reverse", 1],
  ]);
  assert.ok(html.includes("<title>Both</title>"));
  assert.equal(html.split("const $main").length, 2);
  const one = standalonePage([model("own")]);
  assert.ok(one.includes("<title>own</title>") && one.includes('"title":"own","voice":""'));
});

test("buffers become text, and the rest stays", () => {
  const data = new DataView(Float32Array.of(1).buffer);
  assert.deepEqual(plain({ a: [{ data }], b: "x", c: null }), { a: [{ data: "AACAPw==" }], b: "x", c: null });
});

test("file names", () => {
  assert.equal(fileName("Forward: KL(p* ‖ p)"), "forward-kl-p-p");
  assert.equal(fileName(""), "flowviz");
});

test("larger type takes more room around the plot, and the plot is the smaller for it", () => {
  const window = [-4, 4, -4, 4];
  const usual = layOut({ width: 800, height: 500, window, axes: true });
  const large = layOut({ width: 800, height: 500, window, axes: true, type: 2 });
  assert.equal(large.plot.left, 2 * usual.plot.left);
  assert.equal(large.height, 500);
  assert.ok(large.plot.height < usual.plot.height);
});

// Charts at the size at which they are drawn: ticks, names, titles, waterfalls, numbers.

import assert from "node:assert/strict";
import test from "node:test";

import { fittedCells } from "../../flowviz/widgets/charts/cells.js";
import { titled } from "../../flowviz/widgets/charts/figure.js";
import { fitted } from "../../flowviz/widgets/charts/line_layout.js";
import { formatAlike, formatNumber } from "../../flowviz/widgets/charts/numbers.js";
import { apart, evenTicks, logTicks, tickFormat } from "../../flowviz/widgets/charts/ticks.js";
import { barAt, limits, waterfall } from "../../flowviz/widgets/charts/waterfall.js";

const widthOf = (text, px) => 0.6 * px * text.length;
const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test("names at the ends keep their distance and stay inside", () => {
  assert.deepEqual(apart([50, 51, 90], 17, 100), [50, 67, 90]);
  assert.deepEqual(apart([51, 50], 17, 100), [67, 50]);
  assert.deepEqual(apart([99, 100, 98], 17, 100), [83, 100, 66]);
  assert.deepEqual(apart([-5], 17, 100), [0]);
});

test("logarithmic ticks are as many as there is room for", () => {
  assert.deepEqual(logTicks([-1, 1], 6), [0.1, 0.3, 1, 3, 10]);
  assert.deepEqual(logTicks([0, 1], 6), [1, 2, 5, 10]);
  assert.deepEqual(logTicks([0.3, 0.7], 6), [2, 3, 4, 5]);
  assert.deepEqual(logTicks([-6, 6], 5), [1e-6, 1e-3, 1, 1e3, 1e6]);
  assert.deepEqual(logTicks([Math.log10(0.713), Math.log10(0.781)], 4), [0.72, 0.74, 0.76, 0.78]);
});

test("numbers of steps stay apart, and one at least is there", () => {
  assert.deepEqual(evenTicks([0, 500], 600, 60), [0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500]);
  assert.deepEqual(evenTicks([-1, 1], 100, 40), [-1, 0, 1]);
  assert.deepEqual(evenTicks([1201, 1218], 60, 50), [1210]);
  assert.deepEqual(evenTicks([1202.5, 1204.5], 20, 50), [1204]);
  for (const [low, high] of [[0, 17], [1200, 1216], [1199, 2400], [3, 19_999], [0, 0.3]]) {
    for (const width of [110, 150, 260, 700]) {
      const { xaxis, margin } = fitted({ xaxis: { range: [low, high] } }, { width, height: 150 }, widthOf);
      const { tickvals } = xaxis;
      const inside = Math.max(width - margin.r - 48, 20);
      assert.ok(tickvals.length >= 1 && tickvals.every((at) => low <= at && at <= high), `${tickvals}`);
      tickvals.slice(1).forEach((at, i) => {
        const apart = ((at - tickvals[i]) / (high - low)) * inside;
        assert.ok(apart >= widthOf(at.toLocaleString("en", { maximumSignificantDigits: 5 }), 12) + 8, `${tickvals} on ${inside} px`);
      });
    }
  }
});

test("an axis says more than one number where two have room", () => {
  const { xaxis } = fitted({ xaxis: { range: [-4, 4] } }, { width: 250, height: 150 }, widthOf);
  assert.deepEqual(xaxis.tickvals, [-4, -2, 0, 2, 4]);
});

test("ticks of a narrow range are told apart, and huge ones are short", () => {
  assert.equal(tickFormat([0, 500]), ",.3~r");
  assert.equal(tickFormat([1.37, 1.3705]), ",.6~r");
  assert.equal(tickFormat([0, 3e8]), ".3~g");
});

test("a line chart leaves room for its widest name and places each", () => {
  const end = (text, y) => ({ name: "end", text, x: 1, y, font: { size: 13 } });
  const layout = {
    xaxis: { range: [0, 500] },
    yaxis: { range: [0, 1] },
    annotations: [end("KL(p*‖p)", 0.5), end("KL", 0.5), { text: "other", x: 0 }],
  };
  const made = fitted(layout, { width: 260, height: 150 }, widthOf);
  assert.ok(made.margin.r > widthOf("KL(p*‖p)", 13));
  const [other, first, second] = made.annotations;
  assert.equal(other.text, "other");
  assert.equal(Math.abs(first.yshift - second.yshift), 17);
  assert.ok(made.yaxis.nticks <= 5);
});

test("titles break into lines, and the plot begins below them", () => {
  const layout = titled({ title: { text: "one two three four" } }, 84, widthOf);
  assert.equal(layout.title.text, "one two<br>three four");
  assert.equal(layout.margin.t, 12 + 2 * 18);
});

test("a bar is at hand while the stage passes its layer", () => {
  assert.deepEqual([0, 0.1, 1, 1.5, 4].map((at) => barAt(at, 1, 4)), [-1, 0, 0, 1, 3]);
  assert.deepEqual([0, 2, 8, 9, 32].map((at) => barAt(at, 8, 4)), [-1, 0, 0, 1, 3]);
  assert.equal(barAt(9, 1, 4), 3);
});

const shown = (options) => waterfall({
  names: ["a", "b", "c"], rows: [[0.4, -1.2, 0.3], [0, 0, 9]], row: 0, lit: null, layout: {},
  size: { width: 420, height: 200 }, widthOf, ...options,
});

test("each bar starts where the last one ended, and the sum is that of the bars passed", () => {
  const [all] = shown({}).traces;
  [0, 0.4, -0.8, 0].forEach((base, i) => near(all.base[i], base));
  [0.4, -1.2, 0.3, -0.5].forEach((y, i) => near(all.y[i], y));
  assert.deepEqual(all.text, ["0.40", "−1.20", "0.30", "−0.50"]);
  assert.deepEqual(all.marker.color, ["--fv-expand", "--fv-contract", "--fv-expand", "--fv-muted"]);
  assert.deepEqual(all.marker.line.width, [0, 0, 0, 0]);
  const [some] = shown({ lit: 1 }).traces;
  near(some.y[3], -0.8);
  assert.deepEqual(some.marker.line.width, [0, 2, 0, 0]);
  assert.deepEqual(some.marker.color.map((c) => c.includes("/")), [false, false, true, false]);
  const [none] = shown({ lit: -1 }).traces;
  assert.equal(none.text[3], "0");
});

test("the axis of a waterfall stays while the film goes on", () => {
  const range = (options) => shown(options).layout.yaxis.range;
  assert.deepEqual(range({ row: 1 }), range({ row: 0, lit: 0 }));
  assert.ok(range({})[1] > 9);
  assert.deepEqual(limits([[0, 0]], 100, 18), [-1, 1]);
});

test("bars without room for their numbers have those at hand above them", () => {
  const values = Array.from({ length: 32 }, (_, i) => (i - 16) / 10);
  const long = { names: values.map(String), rows: [values], size: { width: 260, height: 200 } };
  const { traces: [bars], layout } = shown({ ...long, lit: 4 });
  assert.equal(bars.textposition, "none");
  assert.equal(layout.annotations[0].text, "5: −1.20  Σ −7.00");
  const { tickvals, ticktext } = layout.xaxis;
  assert.equal(ticktext.at(-1), "Σ");
  const slot = (260 - 52) / 33;
  tickvals.slice(1).forEach((at, i) => assert.ok((at - tickvals[i]) * slot > 14));
});

test("what is not finite is drawn as nothing and said", () => {
  const { traces: [bars] } = shown({ rows: [[1, NaN, 2]] });
  assert.deepEqual(bars.y, [1, 0, 2, 3]);
  assert.equal(bars.text[1], "undefined");
  assert.equal(bars.text[3], "undefined");
});

test("numbers are written as the read-outs write them", () => {
  const texts = [0, 0.99999, 123456, 1e6, 2e-9, -0.04162, NaN, -Infinity].map((v) => formatNumber(v));
  assert.deepEqual(texts, [
    "0", "1.00", "123,456", "1.00·10⁶", "2.00·10⁻⁹", "−0.0416", "undefined", "−∞",
  ]);
  assert.deepEqual(formatAlike([0.8412, -0.0131, Infinity]), ["0.841", "−0.013", "∞"]);
  assert.deepEqual(formatAlike([0.59, -0.0004, 0], 2), ["0.59", "−0.0004", "0"]);
  assert.deepEqual(formatAlike([1e9, 1]), ["1.00·10⁹", "1.00"]);
  assert.deepEqual(formatAlike([0]), ["0"]);
});

test("a matrix has as many digits as its cells hold, and names that do not collide", () => {
  const count = 4;
  const names = { tickvals: [0, 1, 2, 3], ticktext: ["x₁", "x₂", "x₃", "x₄"] };
  const cells = { z: Array(count).fill(new Float32Array(count)) };
  const numbers = { mode: "text", customdata: new Float32Array(16).fill(-0.123) };
  const hatching = { mode: "markers", marker: { symbol: "line-ne-open" } };
  const at = (width, more = []) => fittedCells(
    [cells, numbers, ...more], { xaxis: names, yaxis: names }, { width, height: width }, widthOf, "#aaa",
  );
  const written = (width) => {
    const [, { text, textfont }] = at(width).traces;
    return [text[0], textfont.size];
  };
  assert.deepEqual(written(400), ["−0.123", 13]);
  assert.deepEqual(written(240), ["−0.123", 11], "smaller rather than with fewer digits");
  assert.deepEqual(written(200), ["−0.12", 11], "and never with one");
  assert.equal(at(100).traces.length, 1);
  assert.ok(at(100).layout.xaxis.tickvals.length < count);
  assert.equal(at(400).layout.xaxis.tickvals.length, count);
  const strokes = [100, 400].map((width) => at(width, [hatching]).traces[1].marker.size);
  assert.ok(strokes[0] < 20 && strokes[1] > 50, "as large as their cells");
});

test("a low and wide matrix has wide cells rather than no numbers", () => {
  const names = { tickvals: [0, 1], ticktext: ["x₁", "x₂"], scaleanchor: "x" };
  const cells = { z: [new Float32Array(2), new Float32Array(2)] };
  const numbers = { mode: "text", customdata: new Float32Array(4).fill(-0.0123) };
  const at = (size) => fittedCells([cells, numbers], { xaxis: names, yaxis: names }, size, widthOf, "#aaa");
  const low = at({ width: 330, height: 130 });
  assert.equal(low.traces[1].text[0], "−0.0123");
  assert.equal(low.layout.yaxis.scaleanchor, undefined);
  const square = at({ width: 330, height: 330 });
  assert.equal(square.traces[1].text[0], "−0.0123");
  assert.equal(square.layout.yaxis.scaleanchor, "x");
});

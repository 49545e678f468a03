// The engine's instructions, each against PyTorch in double precision, in WebAssembly and without.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ARGUMENTS } from "../../flowviz/widgets/engine/schema.js";
import { engines, played } from "./programs.js";

const SPECIAL = { nan: NaN, inf: Infinity, "-inf": -Infinity };
const numbers = (list) => list.map((x) => SPECIAL[x] ?? x);
const fixture = JSON.parse(readFileSync(new URL("fixtures/instructions.json", import.meta.url), "utf8"));
const given = [fixture.a, fixture.b, fixture.c].map(numbers);

/** How far two float32 numbers may lie apart: so many units in the last place. */
const ulps = (x, count) => count * Math.max(2 ** (Math.floor(Math.log2(Math.abs(x))) - 23), 2 ** -149);

/** Below the normal numbers e⁻ˣ is left out beside 1 by some. */
const FLOOR = { sigmoid: 2 ** -126, silu: 2 ** -118, silu_backward: 2 ** -118, softplus_backward: 2 ** -126 };

/** What is rounded on the way may end as ∞ or NaN where double does not: those are not compared. */
const ROUGH = new Set(["fma", "lerp", "silu_backward", "sigmoid_backward", "tanh_backward", "softplus_backward"]);

/** What is summed of three is as exact as its largest part. */
function largest(a, b, c = 0) {
  return Math.max(Math.abs(a) * Math.max(1, Math.abs(b), b * b), Math.abs(b), Math.abs(c * b), Math.abs(c * a));
}

for (const engine of engines) {
  for (const [name, count] of ARGUMENTS) {
    test(`${name} (${engine.kind})`, () => {
      const size = given[0].length;
      const operand = (buffer) => [buffer, 0, [1]];
      const kernel = {
        op: "map", shape: [size], in: [0, 1, 2].slice(0, count).map(operand), numbers: [],
        do: [[name, ...[0, 1, 2].slice(0, count)]], out: [[operand(3), count]],
      };
      const [result] = played(engine, [kernel], [...given, new Array(size).fill(0)], [3]);
      const expected = numbers(fixture.expected[name]);
      let compared = 0;
      result.forEach((x, i) => {
        const args = given.slice(0, count).map((values) => values[i]);
        if (ROUGH.has(name) && !args.every((value) => Math.abs(value) < 1e4)) return;
        compared += 1;
        if (Object.is(x, expected[i]) || x === expected[i]) return;
        const scale = ROUGH.has(name) ? largest(...args) : expected[i];
        const allowed = ulps(scale, 4) + (FLOOR[name] ?? 0);
        assert.ok(
          Math.abs(x - expected[i]) <= allowed,
          `${name}(${args}) is ${expected[i]}, got ${x}`,
        );
      });
      assert.ok(compared > 15);
    });
  }
}

const fast = engines.filter(({ kind }) => kind === "wasm");

test("functions in WebAssembly are within two units in the last place", () => {
  const functions = {
    exp: [Math.exp, -103, 88.7],
    log: [(x) => Math.log(x), 1e-38, 10],
    tanh: [Math.tanh, -10, 10],
    sigmoid: [(x) => 1 / (1 + Math.exp(-x)), -80, 80],
    silu: [(x) => x / (1 + Math.exp(-x)), -80, 80],
    softplus: [(x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), -80, 80],
  };
  const size = 20000;
  for (const [name, [f, low, high]] of Object.entries(functions)) {
    const x = Float32Array.from({ length: size }, (_, i) => low + ((high - low) * i) / (size - 1));
    const kernel = {
      op: "map", shape: [size], in: [[0, 0, [1]]], numbers: [], do: [[name, 0]], out: [[[1, 0, [1]], 1]],
    };
    for (const engine of fast) {
      const [result] = played(engine, [kernel], [x, new Float32Array(size)], [1]);
      let worst = 0;
      result.forEach((y, i) => (worst = Math.max(worst, Math.abs(y - f(x[i])) / ulps(f(x[i]), 1))));
      assert.ok(worst <= 2, `${name} is off by ${worst}`);
    }
  }
});

test("this machine tests all kinds", () => {
  const relaxed = Number(process.versions.node.split(".")[0]) >= 20;
  assert.deepEqual(engines.map(({ kind }) => kind), relaxed ? ["wasm", "wasm", "plain"] : ["wasm", "plain"]);
});

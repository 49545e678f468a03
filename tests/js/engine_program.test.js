// Programs: read, refused, laid out, made ready, played.

import assert from "node:assert/strict";
import { test } from "node:test";
import { livesOf, place, resolve } from "../../flowviz/widgets/engine/layout.js";
import { Parameters } from "../../flowviz/widgets/engine/parameters.js";
import { engines, written } from "./programs.js";

const [fast] = engines;

/** y = w x + b of n points, y² beside it; "once" doubles w. */
const line = () => ({
  buffers: [[0, 1], 1, 1, [0, 1], 1, [0, 1]],
  inputs: { z: [0, 0, [[0, 1]], [1]] },
  parameters: [
    { name: "w", shape: [], buffer: 1, at: 0 },
    { name: "b", shape: [1], buffer: 2, at: 1 },
  ],
  constants: [],
  once: [{ op: "map", shape: [1], in: [[1, 0, [0]]], numbers: [2], do: [["mul", 0, 1]], out: [[[4, 0, [1]], 2]] }],
  each: [
    {
      op: "map", shape: [[0, 1]], in: [[0, 0, [1]], [4, 0, [0]], [2, 0, [0]]], numbers: [],
      do: [["fma", 2, 0, 1]], out: [[[3, 0, [1]], 3]],
    },
    {
      op: "map", shape: [[0, 1]], in: [[3, 0, [1]]], numbers: [], do: [["square", 0]], out: [[[5, 0, [1]], 1]],
    },
  ],
  outputs: { y: [3, 0, [[0, 1]], [1]], list: [[5, 0, [[0, 1]], [1]], [3, [-1, 1], [[0, 1]], [-1]]] },
});

/** The program with something changed. */
const changed = (change) => {
  const program = line();
  change(program);
  return program;
};

test("a program is played for any number of points, with parameters that may change", () => {
  for (const engine of engines) {
    const program = engine.read(written(line(), [3, 1]));
    assert.equal(program.dim, 2);
    for (const n of [1, 2, 5]) {
      const pass = program.prepare({ n });
      const z = Float32Array.from({ length: n }, (_, i) => i);
      pass.inputs.z.set(z);
      pass.run();
      const y = Array.from(z, (x) => 6 * x + 1);
      assert.deepEqual(Array.from(pass.output("y")), y);
      assert.deepEqual(Array.from(pass.output("list", 0)), y.map((x) => x * x));
      assert.deepEqual(Array.from(pass.output("list", 1)), y.slice().reverse());
      assert.deepEqual(pass.shapeOf("y"), [n]);
      pass.parameters.set([[1], [0]]);
      pass.run();
      assert.deepEqual(Array.from(pass.output("y")), Array.from(z, (x) => 2 * x));
    }
  }
});

test("programs of one flow share their parameters", () => {
  const program = fast.read(written(line(), [3, 1]));
  const parameters = program.parameters();
  const [one, other] = [1, 3].map((n) => program.prepare({ n, parameters }));
  for (const pass of [one, other]) pass.inputs.z.fill(1);
  parameters.set(Float32Array.of(1, 5));
  for (const pass of [one, other]) {
    pass.run();
    assert.equal(pass.output("y")[0], 7);
  }
  assert.throws(() => parameters.set([1]), /2 numbers, got 1/);
  const foreign = new Parameters([{ name: "w", shape: [2], value: [1, 2] }]);
  assert.throws(() => program.prepare({ n: 1, parameters: foreign }), /needs the parameter "w" of shape \[\], this one is \[2\]/);
});

test("parameters that the file does not hold must be set", () => {
  const pass = fast.read(written(changed((p) => (p.parameters[1].at = null)), [3, 1])).prepare({ n: 1 });
  assert.throws(() => pass.run(), /no values yet: b/);
  pass.parameters.set([3, 1]);
  pass.run();
});

test("what kernels leave in a parameter is its new value, for all programs", () => {
  const count = {
    op: "map", shape: [1], in: [[2, 0, [1]]], numbers: [1], do: [["add", 0, 1]], out: [[[2, 0, [1]], 2]],
  };
  const program = fast.read(written(changed((p) => {
    p.parameters[1].trainable = false;
    p.each.push(count);
  }), [3, 1]));
  const parameters = program.parameters();
  const [one, other] = [program.prepare({ n: 2, parameters }), program.prepare({ n: 1, parameters })];
  one.run();
  one.run();
  assert.deepEqual(Array.from(parameters.view("b")), [3]);
  other.run();
  assert.equal(other.output("y")[0], 3);
});

test("half precision is widened, as is what follows from the number of points", () => {
  const halves = [0x3c00, 0xc000, 0x7c00, 0xfc01, 0x0001, 0x8000];
  const program = {
    dtype: "float16", buffers: [6, [0, 1], 1], constants: [{ buffer: 0, at: 0, size: 6 }],
    each: [{ op: "map", shape: [[0, 1]], in: [], numbers: [[1, 2], { over_n: 6 }], do: [["add", 0, 1]], out: [[[1, 0, [1]], 2]] }],
    outputs: { c: [0, 0, [6], [1]], five: [1, 0, [[0, 1]], [1]] },
  };
  const pass = fast.read(written(program, halves)).prepare({ n: 2 });
  pass.run();
  assert.deepEqual(Array.from(pass.output("c")), [1, -2, Infinity, NaN, 2 ** -24, -0]);
  assert.deepEqual(Array.from(pass.output("five")), [8, 8]);
});

test("noise is drawn anew before each run, by the seed, unless it is given", () => {
  const noisy = { buffers: [[0, 2]], noise: [[0, 0, [[0, 1], 2], [1, [0, 1]]]], outputs: { e: [0, 0, [[0, 2]], [1]] } };
  const program = fast.read(written(noisy));
  const draw = (seed, runs) => {
    const pass = program.prepare({ n: 500, seed });
    for (let i = 0; i < runs; i++) pass.run();
    return Array.from(pass.output("e"));
  };
  assert.deepEqual(draw(1, 2), draw(1, 2));
  assert.notDeepEqual(draw(1, 2), draw(1, 1));
  assert.notDeepEqual(draw(1, 1), draw(2, 1));
  const all = draw(1, 1);
  const mean = all.reduce((a, b) => a + b) / all.length;
  const variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length;
  assert.ok(Math.abs(mean) < 0.15 && Math.abs(variance - 1) < 0.2, `${mean} ${variance}`);
  const pass = program.prepare({ n: 2 });
  pass.setNoise(0, [1, 2, 3, 4]);
  pass.run();
  assert.deepEqual(Array.from(pass.output("e")), [1, 3, 2, 4]);
  pass.run();
  assert.notDeepEqual(Array.from(pass.output("e")), [1, 3, 2, 4]);
});

test("a run allocates no arrays, and its memory stays where it is", () => {
  const pass = fast.read(written(line(), [3, 1])).prepare({ n: 100 });
  pass.run();
  const { buffer } = pass.memory;
  const kept = pass.output("list", 1);
  const made = Float32Array.prototype.subarray;
  const calls = [];
  Float32Array.prototype.subarray = function spied(...given) {
    calls.push("subarray");
    return made.apply(this, given);
  };
  try {
    for (let i = 0; i < 5; i++) pass.run();
  } finally {
    Float32Array.prototype.subarray = made;
  }
  assert.deepEqual(calls, []);
  assert.equal(pass.memory.buffer, buffer);
  assert.equal(pass.output("list", 1), kept);
});

test("buffers that live at the same time lie apart, others share", () => {
  // A chain of maps, each reading the two before it.
  const length = 40;
  const each = [];
  for (let i = 2; i < length; i++) {
    each.push({
      op: "map", shape: [[0, 1]], in: [[i - 1, 0, [1]], [i - 2, 0, [1]]], numbers: [], do: [["sub", 0, 1]],
      out: [[[i, 0, [1]], 2]],
    });
  }
  const header = {
    buffers: Array.from({ length }, (_, i) => [i % 7, 1]), inputs: { z: [0, 0, [[0, 1]], [1]], y: [1, 0, [[0, 1]], [1]] },
    parameters: [], constants: [], once: [], each, outputs: { x: [length - 1, 0, [[0, 1]], [1]] },
  };
  const program = resolve(header, 100);
  const { places, size } = place(header, program);
  const lives = livesOf(header, program);
  for (let a = 0; a < length; a++) {
    for (let b = 0; b < a; b++) {
      const [x, y] = [lives.get(a), lives.get(b)];
      if (x.first > y.last || y.first > x.last) continue;
      const apart = places[a] + program.buffers[a] + 3 <= places[b] || places[b] + program.buffers[b] + 3 <= places[a];
      assert.ok(apart, `${a} and ${b} overlap`);
    }
  }
  assert.ok(size < 7 * 128, `${size} numbers`);
  for (const engine of engines) {
    const pass = engine.read(written(header)).prepare({ n: 3 });
    pass.inputs.z.fill(1);
    pass.inputs.y.fill(3);
    pass.run();
    let [a, b] = [1, 3];
    for (let i = 2; i < length; i++) [a, b] = [b, b - a];
    assert.deepEqual(Array.from(pass.output("x")), [b, b, b]);
  }
});

test("what a body touches lives as long as its repeat, and what once leaves stays", () => {
  const copy = (from, to) => ({ op: "map", shape: [1], in: [[from, 0, [1]]], numbers: [], do: [], out: [[[to, 0, [1]], 0]] });
  const header = {
    buffers: [1, 1, 1, 1], inputs: { z: [0, 0, [1], [1]] }, parameters: [], constants: [],
    once: [{ ...copy(0, 3), in: [], numbers: [1] }],
    each: [copy(0, 1), { op: "repeat", most: 2, body: [copy(1, 2)], shape: [1], going: [2, 0, [1]] }, copy(3, 0)],
    outputs: {},
  };
  const lives = livesOf(header, resolve(header, 1));
  assert.deepEqual(lives.get(2), { first: 2, last: 2 });
  assert.equal(lives.get(1).last, 2);
  assert.equal(lives.get(3).last, Infinity);
});

const hostile = {
  "no program": [new Uint8Array(3), /at least 8 bytes, this has 3/],
  "a length beyond the file": [Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 1), /should take 18446744073709552000 bytes/],
  "no JSON": [Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 123, 123), /no JSON/],
  "another format": [written(changed((p) => (p.format = "onnx"))), /its format is "onnx", not "flowviz.program"/],
  "another version": [written(changed((p) => (p.version = 2))), /version 2, this page plays version 1/],
  "another dtype": [written(changed((p) => (p.dtype = "int8"))), /dtype is "int8"/],
  "a torn block": [written(line(), [3, 1]).subarray(0, -1), /no whole float32 numbers/],
  "a short block": [written(line(), [3]), /the parameter "b" takes 1 numbers from 1, the block has 1/],
  "a constant beyond": [written(changed((p) => p.constants.push({ buffer: 4, at: 2, size: 1 })), [3, 1]), /constants\[0\] takes 1 numbers from 2/],
};
const wrong = {
  "an unknown kernel": [(p) => (p.each[0].op = "eval"), /each\[0\]: "eval" is no kernel/],
  "a kernel of an object's own": [(p) => (p.each[0].op = "constructor"), /"constructor" is no kernel/],
  "an unknown instruction": [(p) => (p.each[0].do = [["toString", 0]]), /"toString" is no instruction that this page knows: neg, abs/],
  "a value that is not there yet": [(p) => (p.each[0].do = [["add", 0, 3]]), /add is of value 3, there are 3 before it/],
  "a fraction of a value": [(p) => (p.each[0].do = [["add", 0, 0.5]]), /value 0.5/],
  "too many arguments": [(p) => (p.each[0].do = [["neg", 0, 1]]), /neg takes 1 arguments, got 2/],
  "an out of no value": [(p) => (p.each[0].out[0][1] = 9), /an out is of value 9/],
  "no such buffer": [(p) => (p.each[0].in[0][0] = 17), /there is no buffer 17, there are 6/],
  "a negative buffer": [(p) => (p.each[0].in[0][0] = -1), /there is no buffer -1/],
  "an operand of another form": [(p) => (p.each[0].in[0] = { buffer: 0 }), /must be an operand/],
  "strides of another rank": [(p) => (p.each[0].in[0][2] = [1, 1]), /shape of 1 dimensions has 2 strides/],
  "an infinite offset": [(p) => (p.each[0].in[0][1] = 1e300), /must be an operand/],
  "a literal that is none": [(p) => (p.each[0].numbers = ["1"]), /must be a number, \[a, b\]/],
  "a shape that is none": [(p) => (p.each[0].shape = [-1]), /must be a list of sizes/],
  "reading what is not written": [(p) => p.once.pop(), /each\[0\] \(map\) reads buffer 4 before/],
  "an output of nothing": [(p) => (p.outputs.y[0] = 4) && p.once.pop() && (p.each[0].in[1][0] = 2), /the output "y" reads buffer 4/],
  "two parameters of one name": [(p) => (p.parameters[1].name = "w"), /names are texts, each once/],
  "no list of kernels": [(p) => (p.each = {}), /each must be a list/],
  "no dim": [(p) => (p.dim = 0), /dim must be/],
  "inputs as a list": [(p) => (p.inputs = []), /inputs must be views by name/],
};
const misfits = {
  "reading beyond a buffer": [(p) => (p.each[0].in[0][1] = 1), 4, /each\[0\] \(map\) reaches from 1 to 4 in buffer 0, which has 4/],
  "reading before a buffer": [(p) => (p.each[0].in[0][2] = [-1]), 4, /reaches from -3 to 0/],
  "a stride that overflows": [(p) => (p.each[0].in[0][2] = [2 ** 52]), 4, /reaches from 0 to/],
  "writing in one place": [(p) => (p.each[0].out[0][0][2] = [0]), 4, /writes elements of buffer 3 several times/],
  "an input beyond its buffer": [(p) => (p.buffers[0] = 3), 4, /the input "z" reaches from 0 to 3/],
  "an output beyond its buffer": [(p) => (p.outputs.y[1] = 2), 4, /the output "y" reaches/],
  "a parameter beyond its buffer": [(p) => (p.buffers[2] = 0), 4, /the parameter "b" reaches/],
  "a size below 0": [(p) => (p.each[1].shape = [[3, -1]]), 4, /a size below 0/],
  "endless memory": [(p) => (p.buffers[0] = 2 ** 40), 4, /at most 268435456/],
  "no points": [() => {}, 0, /a whole number ≥ 1, got 0/],
  "half a point": [() => {}, 1.5, /got 1.5/],
  "an index of nothing": [(p) => p.each.push({
    op: "gather", shape: [1], in: [0, 0, [0]], size: 0, stride: 1, index: [0, 0, [1]], out: [3, 0, [1]],
  }), 4, /nothing to index/],
  "an index into another buffer": [(p) => p.each.push({
    op: "scatter", shape: [1], in: [0, 0, [1]], size: 9, stride: 1, index: [0, 0, [1]], out: [3, 0, [0]], add: true,
  }), 4, /reaches from 0 to 8 in buffer 3/],
  "knots beyond a buffer": [(p) => p.each.push({
    op: "search", shape: [1], size: 3, in: [2, 0, [0]], stride: 1, value: [0, 0, [1]], right: true, out: [3, 0, [1]],
  }), 4, /reaches from 0 to 2 in buffer 2/],
};

test("damaged, foreign and hostile programs are refused in words", () => {
  for (const [bytes, words] of Object.values(hostile)) assert.throws(() => fast.read(bytes), words);
  for (const [change, words] of Object.values(wrong)) {
    assert.throws(() => fast.read(written(changed(change), [3, 1])), words);
  }
  for (const [change, n, words] of Object.values(misfits)) {
    const program = fast.read(written(changed(change), [3, 1]));
    assert.throws(() => program.prepare({ n }), words);
  }
});

test("names of an object's own are names like others", () => {
  const named = JSON.stringify(line()).replace('"z":', '"__proto__":').replace('"y":', '"toString":');
  const pass = fast.read(written(JSON.parse(named), [3, 1])).prepare({ n: 1 });
  assert.deepEqual(Object.keys(pass.inputs), ["__proto__"]);
  pass.run();
  assert.equal(pass.output("toString")[0], 1);
  assert.throws(() => pass.output("hasOwnProperty"), /no output "hasOwnProperty", there are: toString, list/);
  assert.throws(() => pass.output("list", 2), /has 2 views/);
});

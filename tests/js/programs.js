// Helpers for the tests of the page's engine: programs written by hand, engines of both kinds.

import "./relaxed.js";
import { inflateRawSync } from "node:zlib";
import { Engine } from "../../flowviz/widgets/engine/engine.js";
import { DEFLATED, SECOND } from "../../flowviz/widgets/engine/wasm.js";

const bytes = inflateRawSync(Buffer.from(DEFLATED, "base64"));
const modules = [bytes.subarray(0, SECOND), bytes.subarray(SECOND)].filter((one) => WebAssembly.validate(one));

/** The engines to test: with each of the WebAssembly modules that this Node knows, and without. */
export const engines = [
  ...(await Promise.all(modules.map((one) => WebAssembly.compile(one)))).map((one) => new Engine(one)),
  await Engine.start({ plain: true }),
];

/** The bytes of a program; what is not given is empty. `block`: its numbers. */
export function written(given, block = []) {
  const header = {
    format: "flowviz.program", version: 1, kind: "forward", title: "by hand", dim: 2,
    dtype: "float32", buffers: [], inputs: {}, parameters: [], constants: [], once: [], each: [],
    outputs: {}, ...given,
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = 8 * Math.ceil(json.length / 8);
  const numbers = header.dtype === "float16" ? Uint16Array.from(block) : Float32Array.from(block);
  const file = new Uint8Array(8 + length + numbers.byteLength).fill(32);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(json, 8);
  file.set(new Uint8Array(numbers.buffer), 8 + length);
  return file;
}

/** What a program of some kernels makes of its buffers: the contents of `outs`, whole. */
export function played(engine, kernels, contents, outs, n = 1) {
  const inputs = {};
  const whole = (buffer) => [buffer, 0, [contents[buffer].length], [1]];
  contents.forEach((_, buffer) => (inputs[`b${buffer}`] = whole(buffer)));
  const outputs = Object.fromEntries(outs.map((buffer) => [`o${buffer}`, whole(buffer)]));
  const buffers = contents.map((values) => values.length);
  const pass = engine.read(written({ buffers, inputs, each: kernels, outputs })).prepare({ n });
  contents.forEach((values, buffer) => pass.inputs[`b${buffer}`].set(values));
  pass.run();
  return outs.map((buffer) => Array.from(pass.output(`o${buffer}`)));
}

/** All indices of a shape, last dimension fastest. */
export function* indices(shape) {
  if (!shape.length) {
    yield [];
    return;
  }
  for (let i = 0; i < shape[0]; i++) for (const rest of indices(shape.slice(1))) yield [i, ...rest];
}

/** Where an index is in an operand's buffer. */
export const addressOf = ([, offset, strides], index) =>
  index.reduce((at, i, d) => at + i * strides[d], offset);

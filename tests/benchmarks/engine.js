// How quickly the page's engine plays programs.
//
// node tests/benchmarks/engine.js [n=256] [seconds=1] [plain|wasm] program.bin …
//   for each program: milliseconds a run (the median, and the least) and runs a second, in
//   WebAssembly and in plain JavaScript. Without programs it plays one of its own: six layers of a
//   perceptron 1 → 64 → 64 → 2 and their affine couplings, as in the forward pass of a Real NVP.
// node --cpu-prof … tells where the time goes.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Engine } from "../../flowviz/widgets/engine/engine.js";

const words = process.argv.slice(2);
const setting = (name, value) => Number(words.find((w) => w.startsWith(`${name}=`))?.slice(name.length + 1) ?? value);
const files = words.filter((w) => w.endsWith(".bin"));
const n = setting("n", 256);
const seconds = setting("seconds", 1);
const kinds = ["wasm", "plain"].filter((kind) => words.includes(kind) || !words.some((w) => w === "wasm" || w === "plain"));

/** A program of six affine couplings; its weights are drawn. */
function representative() {
  const buffers = [[0, 2]];
  const parameters = [];
  const each = [];
  const buffer = (size) => buffers.push(size) - 1;
  let at = 0;
  const parameter = (name, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    parameters.push({ name, shape, buffer: buffer(size), at });
    at += size;
    return parameters.at(-1).buffer;
  };
  const dense = (name, x, from, to) => {
    const w = parameter(`${name}.weight`, [to, from]);
    const b = parameter(`${name}.bias`, [to]);
    const out = buffer([0, to]);
    each.push({
      op: "matmul", batch: [], m: [0, 1], k: from, n: to,
      a: [...x, [from === 1 ? 2 : from, 1]], b: [w, 0, [1, from]], add: [b, 0, [0, 1]], out: [out, 0, [to, 1]],
    });
    return out;
  };
  const silu = (x, size) => {
    const out = buffer([0, size]);
    each.push({
      op: "map", shape: [[0, 1], size], in: [[x, 0, [size, 1]]], numbers: [], do: [["silu", 0]],
      out: [[[out, 0, [size, 1]], 1]],
    });
    return out;
  };
  let z = 0;
  for (let layer = 0; layer < 6; layer++) {
    const [kept, moved] = layer % 2 ? [1, 0] : [0, 1];
    const first = silu(dense(`${layer}.0`, [z, kept], 1, 64), 64);
    const second = silu(dense(`${layer}.1`, [first, 0], 64, 64), 64);
    const out = dense(`${layer}.2`, [second, 0], 64, 2);
    const next = buffer([0, 2]);
    each.push({
      op: "map", shape: [[0, 1]],
      in: [[z, kept, [2]], [z, moved, [2]], [out, 0, [2]], [out, 1, [2]]], numbers: [],
      do: [["tanh", 2], ["exp", 4], ["mul", 1, 5], ["add", 6, 3]],
      out: [[[next, kept, [2]], 0], [[next, moved, [2]], 7]],
    });
    z = next;
  }
  const header = {
    format: "flowviz.program", version: 1, kind: "forward", title: "six couplings", dim: 2,
    dtype: "float32", buffers, inputs: { z: [0, 0, [[0, 1], 2], [2, 1]] }, parameters,
    constants: [], once: [], each, outputs: { states: [[z, 0, [[0, 1], 2], [2, 1]]] },
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = 8 * Math.ceil(json.length / 8);
  const file = new Uint8Array(8 + length + 4 * at).fill(32);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(json, 8);
  file.set(new Uint8Array(Float32Array.from({ length: at }, (_, i) => Math.sin(i) / 8).buffer), 8 + length);
  return file;
}

function measure(pass) {
  const { inputs, generator } = pass;
  for (const values of Object.values(inputs)) generator.fillNormal(values);
  // Programs that work on parameters do so in each step of a training run.
  const step = () => {
    pass.parameters.changed();
    pass.run();
  };
  for (let i = 0; i < 20; i++) step();
  const times = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;) {
    const start = performance.now();
    step();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1], least: times[0] };
}

for (const kind of kinds) {
  const engine = await Engine.start({ plain: kind === "plain" });
  const programs = files.length ? files.map((file) => [basename(file), readFileSync(file)]) : [["six couplings", representative()]];
  for (const [name, bytes] of programs) {
    const { median, least } = measure(engine.read(bytes).prepare({ n }));
    console.log(
      `${engine.kind.padEnd(5)} ${name.padEnd(36)} n=${n}  ${median.toFixed(3)} ms (least ${least.toFixed(3)})  `
      + `${(1000 / median).toFixed(0)}/s`,
    );
  }
}

// Plays programs from files with the page's engine, to compare them with PyTorch.
//
// node tests/js/play.js [--plain] program.bin n=100 z=z.f32 [noise.0=e.f32] [parameters=p.f32] out=FOLDER
//   plays one program: inputs are files of raw float32 (little endian, C order), named as in the
//   program; the outputs are left in FOLDER as NAME.K.f32 (K: which of the list; 0 for a single
//   one), and one line of JSON is written to stdout:
//   {"kind": "wasm"|"plain", "outputs": {NAME: [shape, …]}, "repeats": [{rounds, left}, …]}
//   "parameters" is all of them one after the other; without it they are as saved.
//   "{"error": words}" where the program is refused.
//
// node tests/js/play.js [--plain] --manifest jobs.json
//   plays many: jobs.json is a list of {"program": path, "n": 100, "inputs": {"z": path},
//   "noise": {"0": path}, "parameters": path, "out": folder}; noise and parameters may be missing.
//   Any path of numbers may instead be a list of numbers. With "out" missing the outputs stand in
//   the answer as "values": {NAME: [[numbers], …]} (null for what is not finite). Answers on stdout: a
//   JSON list, one for each job. With "runs": k it is played k times.

import "./relaxed.js";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Engine } from "../../flowviz/widgets/engine/engine.js";

function numbers(given) {
  if (Array.isArray(given)) return Float32Array.from(given, (x) => x ?? NaN);
  const bytes = readFileSync(given);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function play(engine, job) {
  const program = engine.read(readFileSync(job.program));
  const pass = program.prepare({ n: job.n });
  if (job.parameters) pass.parameters.set(numbers(job.parameters));
  for (let run = 0; run < (job.runs ?? 1); run++) {
    for (const [name, given] of Object.entries(job.inputs ?? {})) pass.inputs[name].set(numbers(given));
    for (const [k, given] of Object.entries(job.noise ?? {})) pass.setNoise(Number(k), numbers(given));
    pass.run();
  }
  const answer = { kind: engine.kind, outputs: {}, repeats: pass.repeats };
  if (job.out) mkdirSync(job.out, { recursive: true });
  else answer.values = {};
  for (const name of Object.keys(pass.outs)) {
    const all = Array.from({ length: pass.count(name) }, (_, k) => pass.output(name, k));
    answer.outputs[name] = all.map((_, k) => pass.shapeOf(name, k));
    if (job.out) all.forEach((values, k) => writeFileSync(join(job.out, `${name}.${k}.f32`), values));
    else answer.values[name] = all.map((values) => Array.from(values));
  }
  return answer;
}

function attempt(engine, job) {
  try {
    return play(engine, job);
  } catch (error) {
    return { error: error.message };
  }
}

function jobOf([program, ...settings]) {
  const job = { program, inputs: {}, noise: {} };
  for (const setting of settings) {
    const [name, value] = setting.split(/=(.*)/s);
    if (name === "n") job.n = Number(value);
    else if (name === "out" || name === "parameters") job[name] = value;
    else if (name.startsWith("noise.")) job.noise[name.slice(6)] = value;
    else job.inputs[name] = value;
  }
  return job;
}

const given = process.argv.slice(2);
const plain = given.includes("--plain");
const rest = given.filter((word) => word !== "--plain");
const engine = await Engine.start({ plain });
const answer = rest[0] === "--manifest"
  ? JSON.parse(readFileSync(rest[1], "utf8")).map((job) => attempt(engine, job))
  : attempt(engine, jobOf(rest));
writeFileSync(1, `${JSON.stringify(answer)}\n`);

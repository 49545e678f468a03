// Training in the page: Adam and the average against PyTorch, the trainer, runs in slices and workers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Adam } from "../../flowviz/widgets/engine/adam.js";
import { include } from "../../flowviz/widgets/engine/average.js";
import { Parameters } from "../../flowviz/widgets/engine/parameters.js";
import { Generator } from "../../flowviz/widgets/engine/random.js";
import { Normal, Table } from "../../flowviz/widgets/engine/sources.js";
import { Trainer } from "../../flowviz/widgets/engine/trainer.js";
import { serve, train } from "../../flowviz/widgets/engine/worker.js";
import { engines, written } from "./programs.js";

const [fast] = engines;

/** The mean of (w − z)² over n points, and its gradient 2 (w − mean z); `log w` beside it if asked. */
function descent({ logarithm = false } = {}) {
  const scalar = (buffer) => [buffer, 0, []];
  const loss = logarithm
    ? [["sub", 0, 1], ["square", 2], ["log", 0], ["mul", 4, 4], ["add", 3, 5]]
    : [["sub", 0, 1], ["square", 2]];
  return written({
    kind: "descent", dim: 1, buffers: [[0, 1], 1, [0, 1], [0, 1], 1, 1, 2],
    inputs: { z: [0, 0, [[0, 1], 1], [1, 1]] },
    parameters: [
      { name: "fixed", shape: [2], buffer: 6, at: 0, trainable: false },
      { name: "w", shape: [], buffer: 1, at: 2 },
    ],
    each: [
      {
        op: "map", shape: [[0, 1]], in: [[1, 0, [0]], [0, 0, [1]]], numbers: [], do: loss,
        out: [[[2, 0, [1]], 2], [[3, 0, [1]], 1 + loss.length]],
      },
      { op: "sum", shape: [], over: [[0, 1]], in: [2, 0, [1]], out: scalar(4) },
      {
        op: "map", shape: [], in: [scalar(4)], numbers: [{ over_n: 2 }], do: [["mul", 0, 1]], out: [[scalar(5), 2]],
      },
    ],
    outputs: { losses: [3, 0, [[0, 1]], [1]], gradients: [[5, 0, [], []]] },
  }, [7, 8, 3]);
}

function trainer(settings = {}, table = [1, 2, 3, 6], program = descent()) {
  const source = new Table(Float32Array.from(table), 1, 4, new Generator(0));
  return new Trainer(fast.read(program).prepare({ n: source.count }), source, settings);
}

const close = (values, wanted, tolerance) => values.forEach((x, i) =>
  assert.ok(Math.abs(x - wanted[i]) <= tolerance * (1 + Math.abs(wanted[i])), `${x} is not ${wanted[i]}`));

test("Adam and the average are those of Python", () => {
  const fixture = JSON.parse(readFileSync(new URL("fixtures/adam.json", import.meta.url), "utf8"));
  const size = fixture.start.length;
  for (const engine of engines) {
    const parameters = new Parameters([{ name: "w", shape: [size], value: fixture.start }]);
    const average = parameters.copy();
    const makeMemory = (numbers) => engine.makeMemory(numbers);
    const adam = new Adam(size, makeMemory, { learningRate: fixture.learning_rate });
    fixture.gradients.forEach((gradient, t) => {
      include(average, parameters, t, fixture.span);
      close(average.vector, fixture.averages[t], 1e-6);
      adam.gradient.set(gradient);
      adam.step(parameters.vector);
      close(parameters.vector, fixture.after[t], 1e-6);
    });
  }
});

test("the loss, its error and the gradient are those before the update", () => {
  const run = trainer({ learningRate: 0.1, average: 50 });
  run.step();
  assert.equal(run.loss, (4 + 1 + 0 + 9) / 4);
  assert.equal(run.standardError, Math.sqrt(49.0 / 12));
  assert.equal(run.gradientNorm, 0);
});

test("what is trained goes to its best, and its average with it", () => {
  const run = trainer({ learningRate: 0.1, average: 50, steps: 10 }, [1, 2, 2, 5]);
  for (let i = 0; i < 300; i++) {
    assert.ok(run.step());
    if (i === 20) assert.notEqual(run.averaged.vector[2], run.parameters.vector[2]);
  }
  assert.equal(run.steps, 310);
  const [first, second, w] = run.parameters.vector;
  assert.deepEqual([first, second], [7, 8]);
  assert.ok(Math.abs(w - 2.5) < 1e-2, `${w}`);
  assert.ok(Math.abs(run.averaged.vector[2] - 2.5) < 1e-2);
  assert.deepEqual(Array.from(run.averaged.vector.subarray(0, 2)), [7, 8]);
});

test("long gradients are shortened", () => {
  const run = trainer({ maxGradientNorm: 0.5 }, [100, 100, 100, 100]);
  run.step();
  assert.equal(run.gradientNorm, 194);
  assert.equal(run.gradient[2], -0.5);
});

test("a loss or a gradient that is not finite ends the run with the last good weights", () => {
  const run = trainer({ learningRate: 2 }, [-9, -9, -9, -9], descent({ logarithm: true }));
  assert.ok(run.step());
  const [, , after] = run.parameters.vector;
  assert.ok(run.step());
  assert.ok(!run.step());
  // At −1, where the loss is not finite; what led there was good.
  assert.equal(run.parameters.vector[2], after);
  assert.match(run.failure, /^Training stopped at step 3: the loss is not finite\. The weights of the last good step are kept\./);
  assert.ok(!run.step());
  assert.equal(run.steps, 2);

  const lost = trainer({}, [NaN, 1, 1, 1]);
  assert.ok(!lost.step());
  assert.match(lost.failure, /step 1: the loss is not finite\. No step was made/);
  assert.deepEqual(Array.from(lost.parameters.vector), [7, 8, 3]);

  const still = trainer({}, [3, 3, 3, 3]);
  assert.ok(!still.step());
  assert.match(still.failure, /the gradient is exactly 0/);
});

test("a program without gradients is refused", () => {
  const header = { buffers: [[0, 1]], inputs: { z: [0, 0, [[0, 1], 1], [1, 1]] }, outputs: { losses: [0, 0, [[0, 1]], [1]], gradients: [] } };
  const pass = fast.read(written(header)).prepare({ n: 2 });
  assert.throws(() => new Trainer(pass, null), /0 gradients for 0 parameters/);
});

test("rows of a table are drawn by a seed, the base by the normal law", () => {
  const table = Float32Array.from({ length: 2000 }, (_, i) => Math.floor(i / 2) + (i % 2) / 2);
  const draw = (seed) => {
    const points = new Float32Array(600);
    new Table(table, 2, 300, new Generator(seed)).fill(points);
    return points;
  };
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  const points = draw(1);
  for (let i = 0; i < 600; i += 2) assert.equal(points[i] + 0.5, points[i + 1]);
  assert.ok(new Set(points).size > 400);
  const few = new Table(Float32Array.of(1, 2, 3, 4), 2, 300, new Generator(0));
  assert.equal(few.count, 2);
  const all = new Float32Array(4);
  few.fill(all);
  assert.deepEqual(Array.from(all), [1, 2, 3, 4]);

  const normal = new Float32Array(20000);
  new Normal(20000, new Generator(5)).fill(normal);
  const mean = normal.reduce((a, b) => a + b) / 20000;
  const fourth = normal.reduce((a, b) => a + b ** 4, 0) / 20000;
  assert.ok(Math.abs(mean) < 0.03 && Math.abs(fourth - 3) < 0.3, `${mean} ${fourth}`);
});

const setup = (more = {}) => ({
  program: descent(), parameters: null, table: Float32Array.of(1, 2, 2, 5), batch: 4, learningRate: 0.1, ...more,
});

/** The reports of a run, and a promise that is kept when one passes. */
function listener() {
  const reports = [];
  const waiting = [];
  const onReport = (report) => {
    reports.push(report);
    for (const one of waiting.splice(0)) {
      if (one.test(report)) one.resolve(report);
      else waiting.push(one);
    }
  };
  const until = (passes) => new Promise((resolve) => {
    const found = reports.find(passes);
    if (found) resolve(found);
    else waiting.push({ test: passes, resolve });
  });
  return { reports, onReport, until };
}

test("training in the page goes on in slices, and can be stopped", async () => {
  const { reports, onReport, until } = listener();
  const run = await train(setup(), onReport);
  assert.equal(run.kind, "page");
  assert.equal(reports[0].steps, 0);
  run.run(3);
  const third = await until(({ steps, runs }) => steps === 3 && !runs);
  assert.equal(third.losses.length, 3);
  run.run(Infinity);
  await until(({ steps }) => steps > 50);
  run.stop();
  const { steps, losses, parameters } = reports.at(-1);
  assert.ok(!reports.at(-1).runs);
  assert.equal(reports.reduce((sum, report) => sum + report.losses.length, 0), steps);
  assert.ok(Math.abs(parameters[2] - 2.5) < 1 && losses instanceof Float32Array);
  run.end();
});

test("the worker reports once it was seen, stops when asked, and says why it refuses", async () => {
  const scope = { sent: [], waiting: [] };
  scope.postMessage = (message) => {
    scope.sent.push(message);
    for (const resolve of scope.waiting.splice(0)) resolve();
  };
  const next = async (passes) => {
    for (;;) {
      const found = scope.sent.find(passes);
      if (found) return found;
      await new Promise((resolve) => scope.waiting.push(resolve));
    }
  };
  serve(scope);
  const ask = (what, value) => scope.onmessage({ data: { ask: what, value } });
  await ask("setUp", setup({ program: new Uint8Array(9) }));
  assert.match(scope.sent[0].refused, /no program|header|JSON/);
  scope.sent.length = 0;
  await ask("setUp", setup({ learningRate: 0.01 }));
  assert.equal(scope.sent[0].report.steps, 0);
  ask("run", Infinity);
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(scope.sent.length, 1, "the first report was not seen yet");
  ask("seen");
  await next(({ report }) => report.steps > 0);
  ask("stop");
  const last = scope.sent.at(-1).report;
  assert.equal(last.runs, false);
  assert.equal(scope.sent.reduce((sum, { report }) => sum + report.losses.length, 0), last.steps);
});

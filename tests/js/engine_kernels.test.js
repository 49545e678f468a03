// The engine's kernels against loops over all indices: ranks 0 to 5, strides of every kind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Generator } from "../../flowviz/widgets/engine/random.js";
import { addressOf, engines, indices, played } from "./programs.js";

const random = new Generator(7);
const pick = (list) => list[random.below(list.length)];
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const draws = (size) => Float32Array.from({ length: size }, () => random.normal());

/** An operand of a shape whose elements lie apart: its dimensions in any order, some from the end, with gaps. */
function scattered(buffer, shape) {
  const strides = new Array(shape.length);
  const order = shape.map((_, d) => d);
  if (random.below(2)) order.sort(() => random.uniform() - 0.5);
  let step = pick([1, 1, 1, 2]);
  let offset = random.below(3);
  for (const d of order.reverse()) {
    const back = random.below(5) === 0;
    strides[d] = back ? -step : step;
    if (back) offset += (shape[d] - 1) * step;
    step *= shape[d] + pick([0, 0, 0, 1]);
  }
  return [buffer, offset, strides];
}

/** An operand to be read: some of its dimensions may stand still. */
function read(buffer, shape) {
  const [, offset, strides] = scattered(buffer, shape);
  return [buffer, offset, strides.map((stride) => (stride > 0 && random.below(5) === 0 ? 0 : stride))];
}

/** How many numbers a buffer needs to hold an operand. */
function reach([, offset, strides], shape) {
  return 1 + shape.reduce((at, size, d) => at + Math.max(0, (size - 1) * strides[d]), offset);
}

const shapeOf = (rank, most = 6) => Array.from({ length: rank }, () => 1 + random.below(most));

/** Play a kernel in both ways and compare its output buffers with those of `naive(memory)`. */
function compare(kernel, contents, outs, naive, tolerance = 2e-6) {
  const memory = contents.map((values) => Float64Array.from(values));
  naive(memory);
  for (const engine of engines) {
    const results = played(engine, [kernel], contents, outs);
    results.forEach((result, o) => result.forEach((x, i) => {
      const wanted = memory[outs[o]][i];
      assert.ok(
        Object.is(x, wanted) || Math.abs(x - wanted) <= tolerance * (1 + Math.abs(wanted)),
        `${engine.kind} ${JSON.stringify(kernel)}: [${i}] is ${wanted}, got ${x}`,
      );
    }));
  }
}

test("maps of any strides", () => {
  for (let trial = 0; trial < 120; trial++) {
    const shape = trial < 12 ? [pick([1, 3, 511, 512, 513, 1030])] : shapeOf(trial % 6, trial % 3 ? 5 : 9);
    const operands = [read(0, shape), read(1, shape), scattered(2, shape), scattered(3, shape)];
    const [a, b, out, other] = operands;
    const kernel = {
      op: "map", shape, in: [a, b], numbers: [2.5],
      do: [["mul", 0, 2], ["add", 3, 1], ["sub", 4, 0]], out: [[out, 5], [other, 3]],
    };
    compare(kernel, operands.map((o) => draws(reach(o, shape) + random.below(4))), [2, 3], (m) => {
      for (const i of indices(shape)) {
        const x = m[0][addressOf(a, i)];
        m[2][addressOf(out, i)] = x * 2.5 + m[1][addressOf(b, i)] - x;
        m[3][addressOf(other, i)] = x * 2.5;
      }
    });
  }
});

test("maps in place, into parts of a buffer, copies, fills and exchanges", () => {
  for (const size of [1, 5, 512, 513, 1030]) {
    const line = (buffer, offset = 0, stride = 1) => [buffer, offset, [stride]];
    const map = { op: "map", shape: [size], numbers: [], do: [] };
    const two = [draws(2 * size), draws(2 * size)];
    const each = (visit) => (m) => { for (let i = 0; i < size; i++) visit(m, i); };
    compare(
      { ...map, in: [line(0)], numbers: [3], do: [["mul", 0, 1]], out: [[line(0), 2]] },
      two, [0], each((m, i) => (m[0][i] *= 3)),
    );
    compare(
      { ...map, in: [line(0), line(0, size)], out: [[line(0), 1], [line(0, size), 0]] },
      two, [0], each((m, i) => ([m[0][i], m[0][size + i]] = [m[0][size + i], m[0][i]])),
    );
    compare(
      { ...map, in: [line(0, 1, 2)], numbers: [7], do: [["neg", 0]], out: [[line(1, 0, 2), 2], [line(1, 1, 2), 1]] },
      two, [1], each((m, i) => { m[1][2 * i] = -m[0][2 * i + 1]; m[1][2 * i + 1] = 7; }),
    );
    compare(
      { ...map, in: [], numbers: ["nan", "-inf"], out: [[line(1), 0], [line(1, size), 1]] },
      two, [1], each((m, i) => { m[1][i] = NaN; m[1][size + i] = -Infinity; }),
    );
  }
});

test("a map of sixty instructions and thirty inputs", () => {
  const shape = [700];
  const ins = Array.from({ length: 30 }, (_, i) => [i, 0, [i % 3 ? 1 : 2]]);
  const instructions = [["add", 0, 1]];
  for (let i = 2; i < 30; i++) instructions.push([i % 2 ? "add" : "sub", 28 + i, i]);
  for (let i = 0; i < 31; i++) instructions.push(["mul", 30 + i, 30 + i + 1 < 59 ? 31 + i : 30]);
  const sums = [];
  const values = instructions.length + 30;
  const contents = [...ins.map(() => draws(1400)), new Float32Array(700), new Float32Array(700)];
  const kernel = {
    op: "map", shape, in: ins, numbers: [], do: instructions,
    out: [[[30, 0, [1]], 58], [[31, 0, [1]], values - 1]],
  };
  compare(kernel, contents, [30, 31], (m) => {
    for (let i = 0; i < 700; i++) {
      const v = ins.map(([buffer, , [stride]]) => m[buffer][i * stride]);
      for (const [name, a, b] of instructions) {
        v.push(Math.fround(name === "add" ? v[a] + v[b] : name === "sub" ? v[a] - v[b] : v[a] * v[b]));
      }
      m[30][i] = v[58];
      m[31][i] = v.at(-1);
    }
    sums.push(m[30][0]);
  }, 1e-5);
});

test("sums, maxima, minima and products over any dimensions", () => {
  const fold = {
    sum: [0, (a, x) => a + x],
    product: [1, (a, x) => a * x],
    max: [-Infinity, Math.max],
    min: [Infinity, Math.min],
  };
  for (let trial = 0; trial < 200; trial++) {
    const op = pick(Object.keys(fold));
    const shape = shapeOf(random.below(4), trial % 4 ? 5 : 9);
    const over = shapeOf(random.below(3), trial % 5 ? 5 : 40);
    const given = read(0, [...shape, ...over]);
    const out = scattered(1, shape);
    const contents = [draws(reach(given, [...shape, ...over])), draws(reach(out, shape))];
    if (trial % 10 === 0) contents[0][random.below(contents[0].length)] = NaN;
    compare({ op, shape, over, in: given, out }, contents, [1], (m) => {
      for (const i of indices(shape)) {
        let [total] = fold[op];
        for (const k of indices(over)) total = fold[op][1](total, m[0][addressOf(given, [...i, ...k])]);
        m[1][addressOf(out, i)] = total;
      }
    }, 1e-5);
  }
});

test("reductions over nothing", () => {
  for (const [op, empty] of Object.entries({ sum: 0, product: 1, max: -Infinity, min: Infinity })) {
    const kernel = { op, shape: [3], over: [0], in: [0, 0, [1, 1]], out: [1, 0, [1]] };
    compare(kernel, [draws(3), draws(3)], [1], (m) => m[1].fill(empty));
  }
});

test("reductions and running sums of whole lines", () => {
  for (const width of [4, 7, 64, 600]) {
    const shape = [2, width];
    for (const op of ["max", "min", "product", "sum"]) {
      const kernel = { op, shape, over: [5], in: [0, 0, [5 * width, 1, width]], out: [1, 0, [width, 1]] };
      compare(kernel, [draws(10 * width), draws(2 * width)], [1], (m) => {
        for (const [i, j] of indices(shape)) {
          const all = [0, 1, 2, 3, 4].map((k) => m[0][5 * width * i + j + width * k]);
          m[1][width * i + j] = op === "sum" ? all.reduce((a, b) => a + b)
            : op === "product" ? all.reduce((a, b) => a * b) : Math[op](...all);
        }
      });
    }
    const kernel = { op: "cumsum", shape: [width, 5], in: [0, 0, [1, width]], out: [1, 0, [1, width]] };
    compare(kernel, [draws(5 * width), draws(5 * width)], [1], (m) => {
      for (let i = 0; i < width; i++) {
        for (let k = 0, total = 0; k < 5; k++) m[1][i + k * width] = total += m[0][i + k * width];
      }
    });
  }
});

test("products of matrices of any size and strides", () => {
  const cases = [[1, 1, 1], [4, 8, 8], [5, 7, 9], [3, 300, 17], [33, 1, 8], [2, 64, 64], [9, 5, 1], [7, 0, 3], [8, 600, 8]];
  for (let trial = 0; trial < 90; trial++) {
    const [m, k, n] = cases[trial % cases.length];
    const batch = trial < 45 ? [] : shapeOf(random.below(3), 3);
    const shapes = [[...batch, m, k], [...batch, k, n], [...batch, m, n], [...batch, m, n]];
    const [a, b, add] = [read(0, shapes[0]), read(1, shapes[1]), read(2, shapes[2])];
    const out = scattered(3, shapes[3]);
    const operands = [a, b, add, out];
    const adds = random.below(2) === 0;
    const scale = pick([undefined, -0.5]);
    const kernel = { op: "matmul", batch, m, k, n, a, b, out, scale, ...(adds ? { add } : {}) };
    const contents = operands.map((o, i) => draws(Math.max(1, reach(o, shapes[i]))));
    compare(kernel, contents, [3], (memory) => {
      for (const i of indices(batch)) {
        for (const [row, column] of indices([m, n])) {
          let total = 0;
          for (let t = 0; t < k; t++) {
            total += memory[0][addressOf(a, [...i, row, t])] * memory[1][addressOf(b, [...i, t, column])];
          }
          const more = adds ? memory[2][addressOf(add, [...i, row, column])] : 0;
          memory[3][addressOf(out, [...i, row, column])] = more + (scale ?? 1) * total;
        }
      }
    }, 2e-5);
  }
});

test("gather and scatter, with indices that are clamped", () => {
  for (let trial = 0; trial < 80; trial++) {
    const shape = shapeOf(1 + random.below(3), 5);
    const along = random.below(shape.length);
    const size = 1 + random.below(6);
    const table = shape.map((s, d) => (d === along ? size : s));
    const [buffer, offset, strides] = scattered(0, table);
    const still = strides.map((stride, d) => (d === along ? 0 : stride));
    const [index, line] = [read(1, shape), scattered(2, shape)];
    const contents = [
      draws(reach([buffer, offset, strides], table)),
      Float32Array.from({ length: reach(index, shape) }, () => pick([0, 1, 2, 5, -3, 99, NaN, Infinity])),
      draws(reach(line, shape)),
    ];
    const clamped = (x) => (x > 0 ? Math.min(x, size - 1) : 0);
    const at = (m, i) => addressOf([0, offset, still], i) + strides[along] * clamped(m[1][addressOf(index, i)]);
    const common = { shape, size, stride: strides[along], index };
    const moved = [buffer, offset, still];
    compare({ op: "gather", ...common, in: moved, out: line }, contents, [2], (m) => {
      for (const i of indices(shape)) m[2][addressOf(line, i)] = m[0][at(m, i)];
    });
    const add = random.below(2) === 0;
    compare({ op: "scatter", ...common, in: line, out: moved, add }, contents, [0], (m) => {
      for (const i of indices(shape)) {
        m[0][at(m, i)] = m[2][addressOf(line, i)] + (add ? m[0][at(m, i)] : 0);
      }
    });
  }
});

test("running sums and searches", () => {
  for (let trial = 0; trial < 60; trial++) {
    const shape = shapeOf(1 + random.below(3), 6);
    const [given, out] = [read(0, shape), scattered(1, shape)];
    compare({ op: "cumsum", shape, in: given, out }, [given, out].map((o) => draws(reach(o, shape))), [1], (m) => {
      for (const i of indices(shape.slice(0, -1))) {
        for (let k = 0, total = 0; k < shape.at(-1); k++) {
          m[1][addressOf(out, [...i, k])] = total += m[0][addressOf(given, [...i, k])];
        }
      }
    }, 1e-5);
    const size = random.below(7);
    const stride = pick([1, 2]);
    const knots = Float32Array.from({ length: 1 + stride * size }, (_, i) => Math.floor(i / stride) - 2);
    const values = Float32Array.from({ length: reach(given, shape) }, () => pick([-9, -2, -1.5, 0, 1, 7, Infinity]));
    const right = random.below(2) === 0;
    const kernel = {
      op: "search", shape, size, in: [2, 0, shape.map(() => 0)], stride, value: given, right, out,
    };
    compare(kernel, [values, draws(reach(out, shape)), knots], [1], (m) => {
      for (const i of indices(shape)) {
        const x = m[0][addressOf(given, i)];
        let count = 0;
        for (let k = 0; k < size; k++) count += right ? m[2][k * stride] <= x : m[2][k * stride] < x;
        m[1][addressOf(out, i)] = count;
      }
    });
  }
});

test("triangular systems and LU leave what they promise", () => {
  for (let trial = 0; trial < 40; trial++) {
    const m = 1 + random.below(6);
    const n = 1 + random.below(4);
    const batch = shapeOf(random.below(2), 3);
    const [square, wide] = [[...batch, m, m], [...batch, m, n]];
    const [a, b, x] = [scattered(0, square), read(1, wide), scattered(2, wide)];
    const [lu, pivots] = [scattered(3, square), scattered(4, [...batch, m])];
    const contents = [
      draws(reach(a, square)), draws(reach(b, wide)), draws(reach(x, wide)),
      draws(reach(lu, square)), draws(reach(pivots, [...batch, m])),
    ];
    for (const i of indices(batch)) {
      for (let d = 0; d < m; d++) contents[0][addressOf(a, [...i, d, d])] += 4;
    }
    const part = { lower: (r, c) => c <= r, upper: (r, c) => c >= r };
    const residual = (result, entry) => {
      for (const i of indices(batch)) {
        for (const [row, column] of indices([m, n])) {
          let total = 0;
          for (let k = 0; k < m; k++) total += entry(i, row, k) * result[addressOf(x, [...i, k, column])];
          const wanted = contents[1][addressOf(b, [...i, row, column])];
          assert.ok(Math.abs(total - wanted) < 2e-4 * (1 + Math.abs(wanted)), `${total} is not ${wanted}`);
        }
      }
    };
    for (const engine of engines) {
      const [form, unit] = [pick(["lower", "upper"]), random.below(2) === 0];
      const solve = { op: "solve", batch, m, n, a, b, out: x, form, unit };
      // Ones on the diagonal let small systems grow: the others are made small beside them.
      const small = contents.map((values, k) => (k === 0 && unit ? values.map((v) => v / 8) : values));
      residual(played(engine, [solve], small, [2])[0], (i, r, c) =>
        (r === c && unit ? 1 : part[form](r, c) ? small[0][addressOf(a, [...i, r, c])] : 0));
      for (const transposed of [false, true]) {
        const kernels = [
          { op: "lu", batch, m, a, out: lu, pivots },
          { op: "lu_solve", batch, m, n, lu, pivots, b, out: x, transposed },
        ];
        // Rows in turn, so that some have to be interchanged.
        const turned = contents[0].slice();
        for (const i of indices(batch)) {
          for (const [r, c] of indices([m, m])) {
            turned[addressOf(a, [...i, (r + 1) % m, c])] = contents[0][addressOf(a, [...i, r, c])];
          }
        }
        const [result] = played(engine, kernels, [turned, ...contents.slice(1)], [2]);
        residual(result, (i, r, c) => turned[addressOf(a, [...i, ...(transposed ? [c, r] : [r, c])])]);
      }
    }
  }
});

test("the pivots are LAPACK's", () => {
  const kernel = { op: "lu", batch: [], m: 2, a: [0, 0, [2, 1]], out: [1, 0, [2, 1]], pivots: [2, 0, [1]] };
  for (const engine of engines) {
    const results = played(engine, [kernel], [[1, 2, 4, 6], [0, 0, 0, 0], [0, 0]], [1, 2]);
    assert.deepEqual(results, [[4, 6, 0.25, 0.5], [2, 2]]);
  }
});

test("a shape with a 0 in it does nothing", () => {
  const none = { op: "map", shape: [0, 3], in: [[0, 0, [3, 1]]], numbers: [], do: [], out: [[[1, 0, [3, 1]], 0]] };
  compare(none, [draws(2), draws(2)], [1], () => {});
});

test("a repeat is played until nothing goes on, or as often as it may", () => {
  // Halve x until it is at most 1.
  const one = (buffer) => [buffer, 0, [1]];
  const body = [{
    op: "map", shape: [3], in: [one(0)], numbers: [1, 0.5],
    do: [["gt", 0, 1], ["mul", 0, 2], ["where", 3, 4, 0], ["gt", 5, 1]], out: [[one(0), 5], [one(1), 6]],
  }];
  const repeat = (most) => ({ op: "repeat", most, body, shape: [3], going: one(1) });
  for (const engine of engines) {
    assert.deepEqual(played(engine, [repeat(20)], [[8, 0.5, 100], [0, 0, 0]], [0])[0], [1, 0.5, 0.78125]);
    assert.deepEqual(played(engine, [repeat(2)], [[8, 0.5, 100], [0, 0, 0]], [0])[0], [2, 0.5, 25]);
  }
});

// Level lines against shapes whose level lines are known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { contour } from "../../flowviz/widgets/stage/contours.js";

const N = 80;
const EXTENT = [-2, 2, -2, 2];

function onGrid(f) {
  const values = new Float32Array(N * N);
  for (let r = 0; r < N; r++) {
    for (let c = 0; c < N; c++) {
      values[r * N + c] = f(-2 + ((c + 0.5) * 4) / N, -2 + ((r + 0.5) * 4) / N);
    }
  }
  return values;
}

function lengthOf(line) {
  let sum = 0;
  for (let i = 0; i < line.length; i += 4) {
    sum += Math.hypot(line[i + 2] - line[i], line[i + 3] - line[i + 1]);
  }
  return sum;
}

test("the contour of a cone is a circle", () => {
  const line = contour(onGrid((x, y) => Math.hypot(x, y)), N, N, EXTENT, 1.3);
  for (let i = 0; i < line.length; i += 2) {
    assert.ok(Math.abs(Math.hypot(line[i], line[i + 1]) - 1.3) < 2e-3);
  }
  assert.ok(Math.abs(lengthOf(line) - 2 * Math.PI * 1.3) < 0.01 * 2 * Math.PI * 1.3);
});

test("the contour of a plane is a straight line in its place, y upwards", () => {
  const line = contour(onGrid((x, y) => y), N, N, EXTENT, 0.7);
  for (let i = 1; i < line.length; i += 2) assert.ok(Math.abs(line[i] - 0.7) < 1e-6);
  assert.ok(Math.abs(lengthOf(line) - 4 * (1 - 1 / N)) < 1e-6);
});

test("closed lines are closed: every end is met by another", () => {
  const line = contour(onGrid((x, y) => Math.sin(3 * x) * Math.cos(3 * y) - 0.3 * (x * x + y * y)),
    N, N, EXTENT, 0.2);
  const ends = new Map();
  for (let i = 0; i < line.length; i += 2) {
    const key = `${line[i].toFixed(6)},${line[i + 1].toFixed(6)}`;
    ends.set(key, (ends.get(key) ?? 0) + 1);
  }
  assert.ok(ends.size > 50);
  assert.ok([...ends.values()].every((count) => count % 2 === 0));
});

test("a saddle is cut into two lines that do not cross", () => {
  const joined = contour([1, 0, 0, 1], 2, 2, [0, 2, 0, 2], 0.4);
  const parted = contour([1, 0, 0, 1], 2, 2, [0, 2, 0, 2], 0.6);
  assert.equal(joined.length, 8);
  assert.equal(parted.length, 8);
  assert.notDeepEqual([...joined], [...parted]);
});

test("no lines outside the values, nor where they are not finite", () => {
  assert.equal(contour(onGrid(() => 1), N, N, EXTENT, 5).length, 0);
  assert.equal(contour([NaN, 0, 1, 1], 2, 2, [0, 1, 0, 1], 0.5).length, 0);
});

// What saved pages say of what is seen: the sentences of the panels, and which modes samples are at.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compared, onTheWay, overTheGrid } from "../../flowviz/widgets/page/sentences.js";
import { sharesOf } from "../../flowviz/widgets/page/shares.js";

test("of a marked point on its way: the layer at hand, the whole flow, and back", () => {
  const changes = [Math.log(2), -Math.log(8), 0.001];
  assert.equal(onTheWay(changes, 0, false), "Here they are still the Gaussian of the base: press Play.");
  assert.equal(onTheWay(changes, 1, false), "At the marked point layer 1 stretches area ×2.00.");
  assert.match(onTheWay(changes, 3, false), /the whole flow squeezes area ×0.250/);
  assert.match(onTheWay(changes, 2, true), /layer 2 squeezes area ×0.125; undone, it stretches area ×8.00/);
  assert.match(onTheWay([0.001, 1], 1, false), /layer 1 keeps the area/);
  assert.match(onTheWay(changes, 0, true), /the more Gaussian the data at layer 0/);
  assert.match(onTheWay(changes, 3, true), /still data/);
  assert.match(onTheWay(changes, 1, false, 0.023), /×2.00. On the way up to 2.3 % of the samples leave the picture.$/);
});

test("of a grid: kept, scaled alike, or from the least to the most", () => {
  assert.match(overTheGrid(-1e-7, 1e-7), /preserves volume/);
  assert.match(overTheGrid(Math.log(4), Math.log(4)), /every area by 4.00, every density by 0.250/);
  assert.match(overTheGrid(-Math.log(2), Math.log(5)), /cells' areas by 0.50 to 5.0, densities there by 2.0 to 0.20/);
});

test("of two models: who is ahead, and what is left out", () => {
  const close = { there: 0.1, here: 0.2 };
  const far = { there: 5, here: 0.1 };
  assert.match(compared(close, far, 100, false), /covers p\* \(KL\(p\*‖p\) 0.10\), reverse less of it \(5.0\)/);
  assert.match(compared(close, { there: 0.2, here: 0.1 }, 100, false), /Each run is ahead/);
  assert.match(compared(close, { there: 0.05, here: 0.3 }, 100, false), /Neither/);
  assert.match(compared(close, { there: 0.05, here: 0.1 }, 100, false), /The reverse run is closer/);
  assert.match(compared(close, { there: 0.1002, here: 0.199 }, 100, false), /level by both/);
  assert.match(
    compared(close, { there: 0.1002, here: 0.1 }, 100, false),
    /^By KL\(p\*‖p\) the runs are level, by the other reverse is closer/,
  );
  assert.match(
    compared(close, { there: 0.2, here: 0.199 }, 100, false),
    /^By KL\(p‖p\*\) the runs are level, by the other forward is closer/,
  );
  assert.match(compared(close, far, 0, false), /^Forward KL pays/);
  assert.match(compared(close, far, 100, true), /mean and covariance/);
});

test("each sample counts for the mode that it is nearest to", () => {
  const points = Float32Array.from([0.1, 0, 0.9, 0.1, 1.2, 0, NaN, NaN]);
  assert.deepEqual(sharesOf(points, [[0, 0], [1, 0], [5, 5]]), [25, 50, 0]);
});

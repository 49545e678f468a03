// The losses of a training in the page, as its workers report them.

import assert from "node:assert/strict";
import test from "node:test";

import { Training } from "../../flowviz/widgets/page/training.js";

test("no losses are lost while the other flow has not reported, nor after a pause", () => {
  let running = true;
  const training = Object.assign(Object.create(Training.prototype), {
    reports: [null, null], losses: [[], []], run: { get: () => running },
  });
  training.take(0, { losses: [5, 4] });
  running = false;
  training.take(1, { losses: [7, 6] });
  assert.deepEqual(training.losses, [[5, 4], [7, 6]]);
});

// Which goals a page of its own takes for reached.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isWithin } from "../../flowviz/widgets/page/goals.js";

test("a goal is reached where all that it asks of lies within its bounds", () => {
  const known = { total: 5, step: 300, target: "Banana", position: NaN };
  assert.ok(isWithin(known, { total: [4.6, null], step: [300, null] }));
  assert.ok(isWithin(known, { total: [null, 5], target: ["Circles", "Banana"] }));
  for (const within of [
    { total: [5.1, null] },
    { total: [null, 4.9] },
    { total: [4, 6], target: ["Circles"] },
    { position: [0, 0] },
    { unknown: [null, null] },
  ]) assert.ok(!isWithin(known, within), JSON.stringify(within));
});

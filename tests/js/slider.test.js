// What is typed into a slider's box.

import assert from "node:assert/strict";
import test from "node:test";

import { refusal, typed } from "../../flowviz/widgets/stops.js";

test("what is typed is taken, brought into the range, or no number", () => {
  const cap = { min: 1, max: 1000, whole: false, most: "∞" };
  assert.deepEqual(["8", "−5", "1,000", "∞", "banana", " "].map((text) => typed(text, cap)),
    [8, 1, 1000, 1000, null, null]);
  assert.deepEqual(["8", "1,000", "∞"].map((text) => refusal(text, cap)), ["", "", ""]);
  assert.equal(refusal("-5", cap), "−5 is not a number from 1 to 1000");
  assert.equal(refusal("∞", { ...cap, most: "" }), "“∞” is not a number from 1 to 1000");
  assert.equal(refusal("2.5", { min: 0, max: 12, whole: true, most: "" }),
    "2.5 is not a whole number from 0 to 12");
});

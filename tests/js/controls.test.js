// The arithmetic of sliders, menus, thumbnails, tabs, scrubbers and ticks.

import assert from "node:assert/strict";
import test from "node:test";

import { inSight, moved } from "../../flowviz/widgets/gallery.js";
import { underHeadings } from "../../flowviz/widgets/menu.js";
import { together } from "../../flowviz/widgets/panel/goals_view.js";
import { grouped, momentAt } from "../../flowviz/widgets/stage/player_controls.js";
import { position, stopsOf, typed, valueAt, written } from "../../flowviz/widgets/stops.js";
import { alongTabs } from "../../flowviz/widgets/tabs.js";

const LOG = { min: 1e-4, max: 0.1, step: 0, log: true, whole: false };
const WHOLE = { min: 1, max: 12, step: 1, log: false, whole: true };
const REAL = { min: -1, max: 1, step: 0.1, log: false, whole: false };

test("the ends of the track are the ends of the range", () => {
  for (const range of [LOG, WHOLE, REAL]) {
    assert.equal(valueAt(0, range), range.min);
    assert.equal(valueAt(position(range.max, range), range), range.max);
  }
});

test("stops are round numbers", () => {
  assert.equal(valueAt(3, WHOLE), 4);
  assert.equal(valueAt(13, REAL), 0.3);
  for (let at = 0; at <= stopsOf(LOG); at += 1) {
    assert.ok(String(valueAt(at, LOG)).replace(/[-.e0]/g, "").length <= 3, valueAt(at, LOG));
  }
});

test("every stop of a whole-numbered track is reached once", () => {
  const values = Array.from({ length: 12 }, (_, at) => valueAt(at, WHOLE));
  assert.deepEqual(values, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test("each stop of a logarithmic track is above the one before", () => {
  for (const range of [LOG, { ...LOG, min: 0.5, max: 2 }, { ...LOG, min: 1e-6, max: 1e3 }]) {
    for (let at = 1; at <= stopsOf(range); at += 1) {
      assert.ok(valueAt(at, range) > valueAt(at - 1, range), `${at}`);
    }
  }
});

test("values are written for people and read back", () => {
  assert.equal(written(1234567, true), "1,234,567");
  assert.equal(written(-0.30000000000000004, false), "−0.3");
  assert.equal(typed("−0.25", REAL), -0.25);
  assert.equal(typed("1,0", WHOLE), 10);
  assert.equal(typed("99", WHOLE), 12);
  assert.equal(typed("3.6", WHOLE), 4);
  for (const text of ["", "  ", "many", "1e999", "NaN"]) assert.equal(typed(text, REAL), null);
});

test("a menu's entries stand under their headings, in their order", () => {
  const options = [["a", "A", "one"], ["b", "B", "one"], ["c", "C", "two"]];
  assert.deepEqual(underHeadings(options), [
    ["one", [["a", "A"], ["b", "B"]]],
    ["two", [["c", "C"]]],
  ]);
});

test("arrow keys walk the thumbnails, three in a row or as many as there are", () => {
  assert.equal(moved("ArrowRight", 5, 6), 0);
  assert.equal(moved("ArrowLeft", 0, 6), 5);
  assert.equal(moved("ArrowDown", 1, 6), 4);
  assert.equal(moved("ArrowDown", 4, 6), 4, "down from the last row stays");
  assert.equal(moved("ArrowUp", 4, 6), 1);
  assert.equal(moved("ArrowUp", 1, 6), 1);
  assert.equal(moved("ArrowDown", 1, 20, 6), 7);
  assert.equal(moved("Home", 4, 6), 0);
  assert.equal(moved("End", 0, 6), 5);
  assert.equal(moved("a", 0, 6), null);
});

test("the favourites are in sight, and what is chosen always is", () => {
  const five = ["a", "b", "c", "d", "e"];
  assert.deepEqual(inSight(five, "b"), five);
  assert.deepEqual(inSight(five, "z"), ["a", "b", "c", "d", "z"]);
  assert.deepEqual(inSight([], "z"), [], "without favourites all are");
  assert.deepEqual(five, ["a", "b", "c", "d", "e"]);
});

test("arrow keys go round the tabs, other keys do not move", () => {
  assert.equal(alongTabs("ArrowRight", 2, 3), 0);
  assert.equal(alongTabs("ArrowRight", 0, 3), 1);
  assert.equal(alongTabs("ArrowLeft", 0, 3), 2);
  assert.equal(alongTabs("Home", 2, 3), 0);
  assert.equal(alongTabs("End", 0, 3), 2);
  assert.equal(alongTabs("ArrowDown", 1, 3), null);
});

test("the training scrubber shows the last moment that is not after it, and never the present", () => {
  const moments = [0, 30, 60, 90];
  assert.deepEqual([0, 29, 30, 89.9, 90, 100].map((at) => momentAt(moments, at)), [0, 0, 1, 2, 3, 3]);
  // A film that begins after pretrained steps: further back there is nothing.
  assert.equal(momentAt([1200, 1260], 300), 0);
  assert.equal(momentAt([], 300), -1);
});

test("steps are written with their thousands apart", () => {
  assert.deepEqual([0, 999, 1200, 20000].map(grouped), ["0", "999", "1,200", "20,000"]);
});

test("ticks of earlier visits stay, whatever the storage holds", () => {
  assert.deepEqual(together({ kl: [2] }, "kl", [0]), [0, 2]);
  assert.deepEqual(together({ kl: [2] }, "kl", [2]), [2]);
  assert.deepEqual(together({ kl: [2] }, "trajectories", [1]), [1], "each panel has its own");
  assert.deepEqual(together({ kl: ["<b>", 1.5, 1] }, "kl", []), [1]);
  assert.deepEqual(together({ kl: "012" }, "kl", [0]), [0]);
});

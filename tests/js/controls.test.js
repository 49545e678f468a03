// The arithmetic of sliders, menus and thumbnails.

import assert from "node:assert/strict";
import test from "node:test";

import { moved } from "../../flowviz/widgets/gallery.js";
import { underHeadings } from "../../flowviz/widgets/menu.js";
import { position, stopsOf, typed, valueAt, written } from "../../flowviz/widgets/slider.js";

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

test("arrow keys walk the thumbnails", () => {
  assert.equal(moved("ArrowRight", 11, 12), 0);
  assert.equal(moved("ArrowLeft", 0, 12), 11);
  assert.equal(moved("ArrowDown", 1, 12), 5);
  assert.equal(moved("ArrowDown", 9, 12), 9);
  assert.equal(moved("ArrowUp", 5, 12), 1);
  assert.equal(moved("End", 0, 12), 11);
  assert.equal(moved("a", 0, 12), null);
});

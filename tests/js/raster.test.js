// The rasteriser, pixel by pixel.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Surface, blend, dotStamp } from "../../flowviz/widgets/stage/raster.js";

const WHITE = 0xffffffff;
const BLACK = 0xff000000;
const RED = 0xff0000ff;

function picture(surface, marks) {
  const rows = [];
  for (let y = 0; y < surface.height; y++) {
    let row = "";
    for (let x = 0; x < surface.width; x++) row += marks[surface.pixels[y * surface.width + x]] ?? "?";
    rows.push(row);
  }
  return rows;
}

/** A surface inside a larger buffer, whose surroundings must stay as they are. */
function guarded(width, height) {
  const memory = new Uint32Array(width * height + 2000).fill(7);
  const surface = new Surface(width, height, memory.subarray(1000, 1000 + width * height));
  surface.fill(WHITE);
  return {
    surface,
    untouched: () => memory.subarray(0, 1000).every((p) => p === 7)
      && memory.subarray(1000 + width * height).every((p) => p === 7),
  };
}

test("a triangle fills the pixels whose centres are inside", () => {
  const surface = new Surface(6, 5);
  surface.fill(WHITE);
  surface.triangle(0, 0, 5, 0, 0, 5, RED);
  assert.deepEqual(picture(surface, { [WHITE]: ".", [RED]: "#" }), [
    "####..", "###...", "##....", "#.....", "......",
  ]);
});

test("the corners' order does not matter", () => {
  const corners = [[1.2, 0.3], [7.7, 4.1], [2.5, 8.8]];
  const drawn = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]].map((order) => {
    const surface = new Surface(9, 9);
    surface.triangle(...order.flatMap((i) => corners[i]), RED);
    return surface.pixels.join();
  });
  assert.equal(new Set(drawn).size, 1);
});

test("two triangles of a cell cover it once: no gap, no pixel twice", () => {
  const [a, b, c, d] = [[1.3, 1.1], [10.6, 2.4], [11.9, 9.7], [0.4, 8.2]];
  const count = new Surface(14, 12);
  for (const corners of [[a, b, d], [b, c, d]]) {
    const one = new Surface(14, 12);
    one.triangle(...corners.flat(), 1);
    one.pixels.forEach((p, i) => { count.pixels[i] += p; });
  }
  assert.ok(count.pixels.every((p) => p <= 1), "a pixel was drawn twice");
  // Every centre inside the quadrilateral is covered.
  const inside = (x, y) => [[a, b], [b, c], [c, d], [d, a]].every(([p, q]) =>
    (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) > 1e-9);
  for (let y = 0; y < 12; y++) {
    for (let x = 0; x < 14; x++) {
      if (inside(x + 0.5, y + 0.5)) assert.equal(count.pixels[y * 14 + x], 1, `${x}, ${y}`);
    }
  }
});

test("a triangle's area is its number of pixels, nearly", () => {
  const surface = new Surface(200, 200);
  surface.triangle(10.5, 12.25, 180.1, 40.7, 66.6, 190.2, 1);
  const area = Math.abs((180.1 - 10.5) * (190.2 - 12.25) - (66.6 - 10.5) * (40.7 - 12.25)) / 2;
  const filled = surface.pixels.reduce((sum, p) => sum + p, 0);
  assert.ok(Math.abs(filled - area) < 0.01 * area, `${filled} against ${area}`);
});

test("nothing is written outside, nor for what is not finite", () => {
  const { surface, untouched } = guarded(20, 10);
  const far = [-1e9, -50, -1, 0, 3.5, 9.9, 10, 25, 1e9];
  const stamp = dotStamp(3, 1, 20);
  for (const x of far) {
    for (const y of far) {
      surface.triangle(x, y, y, x, 30, 5, RED);
      surface.line(x, y, y, x, RED, 256);
      surface.dot(x, y, RED, stamp);
    }
  }
  assert.ok(untouched());
  surface.fill(WHITE);
  for (const bad of [NaN, Infinity, -Infinity]) {
    surface.triangle(bad, 1, 5, 5, 1, 8, RED);
    surface.triangle(1, bad, 5, 5, 1, 8, RED);
    surface.line(bad, 1, 5, 5, RED, 256);
    surface.dot(bad, 5, RED, stamp);
    surface.dot(5, bad, RED, stamp);
  }
  assert.ok(untouched());
  assert.ok(surface.pixels.every((p) => p === WHITE));
});

test("blending: none, half, all", () => {
  assert.equal(blend(WHITE, BLACK, 0), WHITE);
  assert.equal(blend(WHITE, BLACK, 256), BLACK);
  assert.equal(blend(WHITE, RED, 128), 0xff7f7fff);
  assert.equal(blend(0xff102030, 0xff102030, 77), 0xff102030);
});

test("a dot in the middle of a pixel covers it and, less, its neighbours", () => {
  const surface = new Surface(9, 9);
  surface.fill(WHITE);
  surface.dot(4.5, 4.5, BLACK, dotStamp(2, 1, 9));
  const grey = (x, y) => surface.pixels[y * 9 + x] & 255;
  assert.equal(grey(4, 4), 0);
  assert.ok(grey(3, 4) > 60 && grey(3, 4) < 200, `beside: ${grey(3, 4)}`);
  assert.equal(grey(2, 4), 255);
  assert.equal(grey(4, 7), 255);
});

test("a dot's darkness does not depend on where in a pixel it is, and its middle is where it is", () => {
  const stamp = dotStamp(3, 1, 21);
  for (const [x, y] of [[10.5, 10.5], [10.1, 10.8], [9.9, 10.0], [10.99, 10.51]]) {
    const surface = new Surface(21, 21);
    surface.fill(WHITE);
    surface.dot(x, y, BLACK, stamp);
    let dark = 0, mx = 0, my = 0;
    surface.pixels.forEach((p, i) => {
      const d = 255 - (p & 255);
      dark += d;
      mx += d * ((i % 21) + 0.5);
      my += d * (Math.floor(i / 21) + 0.5);
    });
    assert.ok(Math.abs(dark / 255 - Math.PI * 1.5 ** 2) < 0.5, `area ${dark / 255}`);
    assert.ok(Math.abs(mx / dark - x) < 0.2 && Math.abs(my / dark - y) < 0.2, `${mx / dark}, ${my / dark}`);
  }
});

test("an opacity of a half is a half", () => {
  const surface = new Surface(9, 9);
  surface.fill(WHITE);
  surface.dot(4.5, 4.5, BLACK, dotStamp(4, 0.5, 9));
  assert.equal(surface.pixels[4 * 9 + 4] & 255, 127);
});

test("a line is as dark as it is long, whichever way it runs", () => {
  for (const [bx, by] of [[40, 10], [10, 40], [40, 40], [2, 30]]) {
    const surface = new Surface(60, 60);
    surface.fill(WHITE);
    surface.line(5.5, 5.5, 5.5 + bx, 5.5 + by, BLACK, 256);
    const dark = surface.pixels.reduce((sum, p) => sum + 255 - (p & 255), 0) / 255;
    const steps = Math.max(bx, by);
    assert.ok(Math.abs(dark - steps) < 1.5, `${dark} against ${steps}`);
  }
});

test("an image: its low row at the bottom, its values in the middle of the cells, smooth", () => {
  const table = Uint32Array.from({ length: 256 }, (_, i) => i);
  const surface = new Surface(40, 40);
  surface.image([0, 1, 0, 1], 2, 2, 0, 0, 40, 40, { table });
  const at = (x, y) => surface.pixels[y * 40 + x];
  assert.equal(at(3, 20), 0);
  assert.equal(at(36, 20), 255);
  assert.ok(Math.abs(at(20, 20) - 131) < 5);
  const upright = new Surface(40, 40);
  upright.image([0, 0, 1, 1], 2, 2, 0, 0, 40, 40, { table });
  assert.equal(upright.pixels[2 * 40 + 20], 255, "the last row is at the top");
  assert.equal(upright.pixels[37 * 40 + 20], 0);
});

test("an image with a hue: 0 shows what is under it, 1 hides it, NaN is left out", () => {
  const surface = new Surface(4, 1);
  surface.fill(WHITE);
  surface.image([0, 1], 1, 2, 0, 0, 2, 1, { hue: RED });
  surface.image([NaN, NaN], 1, 2, 2, 0, 4, 1, { hue: RED });
  assert.deepEqual([...surface.pixels], [WHITE, RED, WHITE, WHITE]);
});

test("an image beyond the surface is clipped", () => {
  const { surface, untouched } = guarded(10, 10);
  surface.image([1, 1, 1, 1], 2, 2, -30, -30, 60, 60, { hue: RED });
  assert.ok(untouched());
  assert.ok(surface.pixels.every((p) => p === RED));
});

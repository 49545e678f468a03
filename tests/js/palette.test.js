// Colours: parsing, tables, indices.

import assert from "node:assert/strict";
import { test } from "node:test";
import { css, imageHue, indices, pack, palettes, parseColour } from "../../flowviz/widgets/stage/palette.js";

const THEME = {
  card: [255, 255, 255], ink: [28, 36, 48], forward: [0, 114, 178], reverse: [213, 94, 0],
  contract: [118, 42, 131], neutral: [236, 239, 243], expand: [27, 120, 55],
  sequential: [0, 116, 122],
  "group-1": [168, 143, 0], "group-2": [176, 42, 107], "group-3": [31, 156, 156], "group-4": [68, 78, 93],
};

test("colours are read as CSS writes them", () => {
  assert.deepEqual(parseColour("#0072b2"), [0, 114, 178]);
  assert.deepEqual(parseColour(" #fff "), [255, 255, 255]);
  assert.deepEqual(parseColour("rgb(1, 2, 3)"), [1, 2, 3]);
  assert.deepEqual(parseColour("rgba(1 2 3 / 0.5)"), [1, 2, 3]);
  assert.throws(() => parseColour("blue-ish"), /is no colour/);
});

test("pixels are packed as ImageData stores them", () => {
  const pixel = Uint32Array.of(pack([1, 2, 3]));
  assert.deepEqual([...new Uint8Array(pixel.buffer)], [1, 2, 3, 255]);
  assert.equal(css(pixel[0]), "rgba(1, 2, 3, 1)");
});

test("diverging: squeezes purple, stretches green, neutral in the middle", () => {
  const { diverging } = palettes(THEME);
  assert.equal(diverging[0], pack(THEME.contract));
  assert.equal(diverging[255], pack(THEME.expand));
  const [r, g, b] = parseColour(css(diverging[128]));
  assert.ok(Math.hypot(r - 236, g - 239, b - 243) < 3);
  const at = indices([0], [-2, 2], "diverging");
  assert.ok(at[0] === 127 || at[0] === 128);
});

test("one hue: never as pale as the card, full at the end", () => {
  const { sequential, solid } = palettes(THEME);
  assert.notEqual(sequential[0], pack(THEME.card));
  assert.equal(sequential[255], pack(THEME.sequential));
  assert.equal(solid.reverse[0], pack(THEME.reverse));
});

test("on a dark card the faintest of a scale is still seen", () => {
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const card = [24, 30, 38]; // as in tokens.css
  const { sequential } = palettes({ ...THEME, card, sequential: [122, 240, 228] });
  const faintest = luminance(parseColour(css(sequential[0])));
  assert.ok((faintest + 0.05) / (luminance(card) + 0.05) >= 3);
});

test("cyclic ends where it begins", () => {
  for (const card of [[255, 255, 255], [24, 30, 38]]) {
    const { cyclic } = palettes({ ...THEME, card });
    assert.equal(cyclic[0], cyclic[255]);
    const channels = Array.from(cyclic, (pixel) => [0, 8, 16].map((bits) => (pixel >>> bits) & 255));
    channels.slice(1).forEach((c, i) => {
      const far = Math.hypot(...c.map((value, k) => value - channels[i][k]));
      assert.ok(far < 9, `a jump of ${far} at ${i}`);
    });
    // Even to the eye: no hue is much lighter than another.
    const light = channels.map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
    assert.ok(Math.max(...light) - Math.min(...light) < 45);
  }
});

test("values are clamped to the range, and what is no number is harmless", () => {
  const at = indices([-9, 0, 0.5, 1, 9, NaN, Infinity, -Infinity], [0, 1], "sequential");
  assert.deepEqual([...at], [0, 0, 128, 255, 255, 0, 255, 0]);
});

test("groups: each its own colour, then round again", () => {
  const { groups } = palettes(THEME);
  const at = indices([0, 1, 2, 3, 4, -1], [0, 1], "groups");
  assert.deepEqual([...at], [0, 1, 2, 3, 0, 3]);
  assert.equal(new Set(groups).size, 4);
  assert.equal(groups[0], pack(THEME["group-1"]));
});

test("images of one hue lie over what is there, the others are opaque", () => {
  assert.deepEqual(imageHue("sequential", THEME), THEME.sequential);
  assert.deepEqual(imageHue("reverse", THEME), THEME.reverse);
  assert.equal(imageHue("diverging", THEME), null);
});

// Colours: parsing, tables, indices.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unpack } from "../../flowviz/widgets/stage/marks.js";
import {
  css, imageHue, indices, pack, palettes, parseColour, tableOf,
} from "../../flowviz/widgets/stage/palette.js";
import { blend } from "../../flowviz/widgets/stage/raster.js";

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

const DARK = { // as in tokens.css
  ...THEME, card: [24, 30, 38], ink: [232, 237, 243], sequential: [122, 240, 228],
  contract: [175, 141, 195], neutral: [36, 44, 54], expand: [127, 191, 123],
};

/** The contrast of a packed pixel with a colour, from 1 on. */
function contrast(pixel, colour) {
  const luminance = (of) => {
    const [r, g, b] = of.map((c) => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const [a, b] = [parseColour(css(pixel)), colour].map(luminance);
  return Math.max(a, b) / Math.min(a, b);
}

test("on a dark card the faintest of a scale is still seen", () => {
  assert.ok(contrast(palettes(DARK).sequential[0], DARK.card) >= 3);
});

test("on a dark card half of a squeeze, and of a stretch, is a colour and no grey", () => {
  const { diverging } = palettes(DARK);
  for (const half of [64, 191]) {
    const channels = parseColour(css(diverging[half]));
    assert.ok(1 - Math.min(...channels) / Math.max(...channels) > 0.4, channels.join());
  }
  assert.deepEqual([diverging[0], diverging[255]], [pack(DARK.contract), pack(DARK.expand)]);
});

test("a point that is neither squeezed nor stretched is seen on its card, as faint as points are", () => {
  const [mark] = unpack("particles", [{
    states: { shape: [1, 2], data: new Float32Array(2) }, values: { shape: [1, 1], data: new Float32Array(1) },
    value_range: [-1, 1], palette: "diverging",
  }]);
  for (const theme of [THEME, DARK]) {
    const table = tableOf(mark, palettes(theme));
    assert.deepEqual([table[0], table[255]], [pack(theme.contract), pack(theme.expand)]);
    const shown = blend(pack(theme.card), table[mark.colour.index[0]], 0.8 * 256);
    assert.ok(contrast(shown, theme.card) >= 3);
  }
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

test("bands: ten shades, of which neighbours differ in hue and no two are alike", () => {
  const rgb = (pixel) => [0, 8, 16].map((bits) => (pixel >>> bits) & 255);
  const apart = (a, b) => Math.hypot(...rgb(a).map((value, k) => value - rgb(b)[k]));
  for (const card of [THEME.card, [24, 30, 38]]) {
    const { bands } = palettes({ ...THEME, card });
    assert.equal(new Set(bands).size, 10);
    assert.deepEqual([...indices([0, 9, 10, 23], [0, 9], "bands")], [0, 9, 0, 3]);
    for (let i = 0; i < 9; i++) assert.ok(apart(bands[i], bands[i + 1]) > 90, `${i}`);
    for (let i = 0; i < 8; i++) assert.ok(apart(bands[i], bands[i + 2]) > 20, `${i}`);
    for (const name of ["forward", "reverse", "contract", "expand"]) {
      for (let i = 0; i < 10; i++) assert.ok(apart(bands[i], pack(THEME[name])) > 35, `${name} ${i}`);
    }
  }
});

test("images of one hue lie over what is there, the others are opaque", () => {
  assert.deepEqual(imageHue("sequential", THEME), THEME.sequential);
  assert.deepEqual(imageHue("reverse", THEME), THEME.reverse);
  assert.equal(imageHue("diverging", THEME), null);
});

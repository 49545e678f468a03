// Colours: from the theme's tokens to tables of 256 packed pixels.

/** Okabe–Ito, in an order whose neighbours differ under every common colour blindness. */
export const GROUPS = [
  "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7d00", "#7a7a7a",
];

/** [r, g, b], 0–255, of "#rgb", "#rrggbb", "rgb(…)" or "rgba(…)". */
export function parseColour(text) {
  const colour = String(text).trim();
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour)?.[1];
  if (hex) {
    const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
    return [0, 2, 4].map((at) => Number.parseInt(full.slice(at, at + 2), 16));
  }
  const numbers = /^rgba?\(([^)]+)\)$/i.exec(colour)?.[1].split(/[\s,/]+/).map(Number);
  if (numbers && numbers.length >= 3 && numbers.slice(0, 3).every(Number.isFinite)) {
    return numbers.slice(0, 3);
  }
  throw new Error(`“${text}” is no colour: write #rrggbb or rgb(r, g, b)`);
}

/** One opaque pixel as ImageData stores it on a little-endian machine. */
export function pack([r, g, b]) {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

/** t of the way from one colour to another. */
export function mix(from, to, t) {
  return from.map((channel, i) => channel + (to[i] - channel) * t);
}

function ramp(stops) {
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const left = Math.min(Math.floor(at), stops.length - 2);
    table[i] = pack(mix(stops[left], stops[left + 1], at - left));
  }
  return table;
}

/** Tables of 256 pixels by the palette's name, for one theme's colours. */
export function palettes(theme) {
  const hue = { ink: theme.ink, forward: theme.forward, reverse: theme.reverse };
  const solid = (colour) => new Uint32Array(256).fill(pack(colour));
  const oneHue = (colour) => ramp([mix(theme.card, colour, 0.28), colour]);
  const groups = new Uint32Array(256);
  for (let i = 0; i < 256; i++) groups[i] = pack(parseColour(GROUPS[i % GROUPS.length]));
  const [blue, orange, green, purple] = GROUPS.map(parseColour);
  return {
    solid: Object.fromEntries(Object.entries(hue).map(([name, c]) => [name, solid(c)])),
    ink: oneHue(hue.ink),
    forward: oneHue(hue.forward),
    reverse: oneHue(hue.reverse),
    sequential: oneHue(hue.forward),
    diverging: ramp([theme.contract, theme.neutral, theme.expand]),
    cyclic: ramp([blue, green, orange, purple, blue]),
    groups,
  };
}

/** The hue that an image of that palette lays over the card; null where the table is opaque. */
export function imageHue(palette, theme) {
  return palette === "diverging" || palette === "cyclic"
    ? null
    : theme[palette === "sequential" ? "forward" : palette];
}

/** Indices 0…255 into a palette's table, for values in range [low, high]; NaN gives 0. */
export function indices(values, [low, high], palette, out = new Uint8Array(values.length)) {
  if (palette === "groups") {
    for (let i = 0; i < values.length; i++) out[i] = Math.round(values[i]) & 7;
    return out;
  }
  const scale = 255 / (high - low || 1);
  for (let i = 0; i < values.length; i++) {
    const at = (values[i] - low) * scale + 0.5;
    out[i] = at > 0 ? (at < 255 ? at : 255) : 0;
  }
  return out;
}

/** The css colour of a packed pixel. */
export function css(pixel, alpha = 1) {
  return `rgba(${pixel & 255}, ${(pixel >>> 8) & 255}, ${(pixel >>> 16) & 255}, ${alpha})`;
}

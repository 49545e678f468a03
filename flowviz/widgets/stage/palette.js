// Colours: from the theme's tokens to tables of 256 packed pixels.

/** The tokens of groups: they differ under every common colour blindness. */
const GROUPS = ["group-1", "group-2", "group-3", "group-4"];
/** Lightness of the cyclic hues on a light and on a dark card, and their chroma (OkLCh). */
const CYCLIC = { onLight: 0.62, onDark: 0.76, chroma: 0.105 };
/** Of ten bands: lightness of the first and the last, and the hues of every other one in turns. */
const BANDS = { onLight: [0.76, 0.46], onDark: [0.54, 0.84], hues: [0.25, 0.54] };

/** Where a scale of one hue begins, between the card and the hue. */
const PALEST = { onLight: 0.28, onDark: 0.4 };

/** On a dark card the diverging scale is grey half-way to its pale ends, unless it leads by these. */
const DEEP = { contract: [118, 42, 131], expand: [27, 120, 55], part: 0.6 };

/** The middle of the diverging scale for points, between the card and ink: each is seen by itself. */
const POINTS_MIDDLE = { onLight: 0.62, onDark: 0.48 };

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

/** [r, g, b], 0–255, of a colour in OkLCh (hue in turns); Björn Ottosson, 2020. */
export function oklch(lightness, chroma, turns) {
  const a = chroma * Math.cos(2 * Math.PI * turns);
  const b = chroma * Math.sin(2 * Math.PI * turns);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((c) => {
    const inside = Math.min(Math.max(c, 0), 1);
    return 255 * (inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055);
  });
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
  const dark = theme.card[0] + theme.card[1] + theme.card[2] < 3 * 128;
  const palest = dark ? PALEST.onDark : PALEST.onLight;
  const middle = dark ? POINTS_MIDDLE.onDark : POINTS_MIDDLE.onLight;
  const deep = (token) => mix(theme[token], DEEP[token], DEEP.part);
  const oneHue = (colour) => ramp([mix(theme.card, colour, palest), colour]);
  const groups = new Uint32Array(256);
  for (let i = 0; i < 256; i++) groups[i] = pack(theme[GROUPS[i % GROUPS.length]]);
  const [first, last] = dark ? BANDS.onDark : BANDS.onLight;
  const band = (k) => oklch(first + ((last - first) * k) / 9, CYCLIC.chroma, BANDS.hues[k % 2]);
  const hueAt = (turns) => oklch(dark ? CYCLIC.onDark : CYCLIC.onLight, CYCLIC.chroma, turns);
  return {
    solid: Object.fromEntries(Object.entries(hue).map(([name, c]) => [name, solid(c)])),
    ink: oneHue(hue.ink),
    forward: oneHue(hue.forward),
    reverse: oneHue(hue.reverse),
    sequential: oneHue(theme.sequential),
    diverging: ramp(dark
      ? [theme.contract, deep("contract"), theme.neutral, deep("expand"), theme.expand]
      : [theme.contract, theme.neutral, theme.expand]),
    "diverging-points": ramp([theme.contract, mix(theme.card, theme.ink, middle), theme.expand]),
    cyclic: Uint32Array.from({ length: 256 }, (_, i) => pack(hueAt((i % 255) / 255))),
    groups,
    bands: Uint32Array.from({ length: 256 }, (_, i) => pack(band(i % 10))),
  };
}

/** The table of a mark's colours, of those of a theme. */
export function tableOf({ table, palette }, tables) {
  return tables[table ?? palette];
}

/** The hue that an image of that palette lays over the card; null where the table is opaque. */
export function imageHue(palette, theme) {
  return palette === "diverging" || palette === "cyclic"
    ? null
    : theme[palette];
}

/** Indices 0…255 into a palette's table, for values in range [low, high]; NaN gives 0. */
export function indices(values, [low, high], palette, out = new Uint8Array(values.length)) {
  if (palette === "groups") {
    for (let i = 0; i < values.length; i++) out[i] = Math.round(values[i]) & 3;
    return out;
  }
  if (palette === "bands") {
    for (let i = 0; i < values.length; i++) out[i] = Math.round(values[i]) % 10;
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

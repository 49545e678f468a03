// Ticks and names that fit the size at which an axis is drawn.

/** Pixels: the size of a tick's number, and what is left between two of them. */
const TICK = 12;
const GAP = 12;

/** How many ticks an axis of so many pixels has room for. */
export function room(length, each, most) {
  return Math.max(3, Math.min(most, Math.floor(length / each)));
}

/** Ticks between two powers of ten: at 1, 2, 5 or 1, 3 of each decade, or at every k-th power. */
export function logTicks([low, high], most) {
  const inside = (value) => value >= low - 1e-9 && value <= high + 1e-9;
  const decades = [];
  for (let d = Math.floor(low); d <= Math.ceil(high); d++) decades.push(d);
  for (const digits of [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]]) {
    const values = decades.flatMap((d) => digits.map((digit) => Number(`${digit}e${d}`)));
    const shown = values.filter((value) => inside(Math.log10(value)));
    // Less than from one of them to the next: round numbers all the same.
    if (shown.length === 0) return evenTicks([10 ** low, 10 ** high], most, 1);
    if (shown.length <= most) return shown;
  }
  const powers = decades.filter(inside);
  const stride = Math.ceil(powers.length / most);
  return powers.filter((d) => d % stride === 0).map((d) => Number(`1e${d}`));
}

/**
 * Round values of a linear axis of `length` pixels, `each` or more of them apart: one at least, be
 * the axis ever so short.
 */
export function evenTicks([low, high], length, each) {
  const inside = (stride) => {
    const first = Math.ceil(low / stride - 1e-9);
    const count = Math.max(Math.floor(high / stride + 1e-9) - first + 1, 0);
    return Array.from({ length: count }, (_, i) => Number(((first + i) * stride).toPrecision(12)));
  };
  // 1, 2, 5, 10, 20, …
  const round = (k) => [1, 2, 5][((k % 3) + 3) % 3] * 10 ** Math.floor(k / 3);
  const least = ((high - low) * each) / length;
  let k = 3 * Math.floor(Math.log10(least));
  while (round(k) < least) k += 1;
  const values = inside(round(k));
  if (values.length > 0) return values;
  // None of them is here: the roundest number that is.
  while (inside(round(k)).length === 0) k -= 1;
  return inside(round(k)).slice(0, 1);
}

/** The d3 format in which neighbouring ticks of a linear axis differ. */
export function tickFormat([low, high]) {
  const size = Math.max(Math.abs(low), Math.abs(high));
  const digits = Math.max(3, Math.ceil(Math.log10(size / (high - low || 1))) + 2);
  return size >= 1e6 || size < 1e-3 ? `.${digits}~g` : `,.${digits}~r`;
}

/** The x axis with ticks `each` pixels apart, and so far that their numbers are; ticks of its own stay. */
export function withTicksAcross(axis, length, each, widthOf) {
  const { range } = axis;
  if (!range || axis.tickvals || axis.type === "log") return withTicks(axis, length, each, 8);
  const tickformat = tickFormat(range);
  const digits = Number(/\d+/.exec(tickformat)[0]);
  const widths = range.map((end) =>
    widthOf(end.toLocaleString("en", { maximumSignificantDigits: digits }), TICK));
  const least = Math.max(...widths) + GAP;
  let tickvals = evenTicks(range, length, Math.max(each, least));
  // One number alone says nothing of a scale.
  if (tickvals.length < 2) tickvals = evenTicks(range, length, least);
  return { tickmode: "array", tickvals, tickformat, ...axis };
}

/** An axis with the ticks that its length has room for; ticks of its own stay. */
export function withTicks(axis, length, each, most) {
  const { range } = axis;
  if (!range || axis.tickvals) return axis;
  const count = room(length, each, most);
  if (axis.type === "log") {
    const tickvals = logTicks(range, count);
    const ticktext = tickvals.map((value) => value.toLocaleString("en", { maximumSignificantDigits: 2 }));
    return { tickmode: "array", tickvals, ticktext, ...axis };
  }
  return { nticks: count, tickformat: tickFormat(range), ...axis };
}

/** Heights in the order given, moved as little as keeps them `gap` apart and between 0 and `top`. */
export function apart(heights, gap, top) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const moved = heights.map((height) => Math.min(Math.max(height, 0), top));
  for (let i = 1; i < order.length; i++) {
    moved[order[i]] = Math.max(moved[order[i]], moved[order[i - 1]] + gap);
  }
  let limit = top;
  for (const i of order.reverse()) {
    moved[i] = Math.min(moved[i], limit);
    limit = moved[i] - gap;
  }
  return moved;
}

// Axes: round numbers, hairlines, labels.

/** Round ticks inside [low, high]: the fewest that are `wanted` or more; fewer if they do not fit. */
export function ticks(low, high, wanted, fits = () => true) {
  const range = high - low;
  if (!(range > 0) || !Number.isFinite(range)) return [];
  let found = [];
  for (let power = 10 ** Math.floor(Math.log10(range)); ; power /= 10) {
    for (const step of [5 * power, 2 * power, power]) {
      const finer = multiples(low, high, step);
      if (!fits(finer)) return found;
      if (finer.length >= wanted) return finer;
      found = finer;
    }
  }
}

/** An axis has a tick for each so many pixels, and no fewer than three if there is room. */
const EACH = 110;
const LEAST = 3;
/** What a number takes, with the gap to the next: its height, or its characters and the gap. */
const ROOM = { height: 22, character: 6.5, gap: 12 };

/** The ticks of an axis so many pixels long; `upright`: its numbers stand one over another. */
export function ticksAlong(low, high, length, upright = false) {
  const room = (value) => (upright ? ROOM.height : ROOM.character * label(value).length + ROOM.gap);
  const fits = (made) => made.length * Math.max(0, ...made.map(room)) <= length;
  return ticks(low, high, Math.max(Math.floor(length / EACH), LEAST), fits);
}

function multiples(low, high, step) {
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    out.push(i === 0 ? 0 : Number((i * step).toPrecision(12)));
  }
  return out;
}

/** A number as a label, with a true minus sign. */
export function label(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const plain = String(Number(value.toPrecision(digits)));
  return plain.replace(/^-/, "−").replace("e-", "e−");
}

/** Room that the axes take around the plot, in css pixels. */
const MARGIN = { left: 30, right: 8, top: 8, bottom: 22 };
/** And a title beside each. */
const TITLE = 16;

/** The margins around a plot with axes, or without; titles [x, y] may be empty. */
export function margins(axes, [x, y]) {
  if (!axes) return { left: 0, right: 0, top: 0, bottom: 0 };
  const { left, bottom, ...rest } = MARGIN;
  return { ...rest, left: left + (y ? TITLE : 0), bottom: bottom + (x ? TITLE : 0) };
}

/** Hairlines at the ticks, their numbers and the axes' titles, around and over the plot rectangle. */
export function drawAxes(context, view, theme, titles) {
  const { left, top, width, height } = view.plot;
  const [xmin, xmax, ymin, ymax] = view.window;
  context.save();
  context.lineWidth = 1;
  context.font = `11px ${theme.font}`;
  context.fillStyle = theme.css.muted;
  context.strokeStyle = theme.css.line;
  const crisp = (value) => Math.round(value) + 0.5;
  context.textAlign = "center";
  context.textBaseline = "top";
  context.beginPath();
  for (const x of ticksAlong(xmin, xmax, width)) {
    const at = view.x(x);
    context.moveTo(crisp(at), top + height);
    context.lineTo(crisp(at), top + height + 4);
    context.fillText(label(x), at, top + height + 7);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const y of ticksAlong(ymin, ymax, height, true)) {
    const at = view.y(y);
    context.moveTo(left, crisp(at));
    context.lineTo(left - 4, crisp(at));
    context.fillText(label(y), left - 7, at);
  }
  context.rect(crisp(left) - 1, crisp(top) - 1, Math.round(width) + 1, Math.round(height) + 1);
  context.stroke();
  drawTitles(context, view.plot, titles, theme);
  context.restore();
}

function drawTitles(context, { left, top, width, height }, [x, y], theme) {
  context.fillStyle = theme.css.ink;
  context.textAlign = "center";
  context.textBaseline = "bottom";
  context.fillText(x, left + width / 2, top + height + MARGIN.bottom + TITLE - 1);
  context.translate(left - MARGIN.left, top + height / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(y, 0, 0);
}

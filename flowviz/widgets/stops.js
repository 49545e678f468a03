// The values of a slider: where its track stops, and how they are written and typed.

const STOPS = 100; // of a linear track without a step
const STOPS_A_DECADE = 20; // each a factor of 1.12, so two digits tell them apart

/** How many stops a track has after its first. */
export function stopsOf({ min, max, step, log }) {
  if (!log) return Math.round((max - min) / (step || (max - min) / STOPS));
  return Math.max(STOPS_A_DECADE, Math.round(STOPS_A_DECADE * Math.log10(max / min)));
}

/** The track's position of a value, from 0 to `stopsOf(range)`. */
export function position(value, range) {
  const { min, max, step, log } = range;
  if (log) return (Math.log(value / min) / Math.log(max / min)) * stopsOf(range);
  return (value - min) / (step || (max - min) / STOPS);
}

/** The value at a position: round numbers, never outside the range. */
export function valueAt(at, range) {
  const { min, max, step, log, whole } = range;
  const digits = max / min < 10 ? 3 : 2;
  let value = log
    ? Number((min * (max / min) ** (at / stopsOf(range))).toPrecision(digits))
    : Number((min + at * (step || (max - min) / STOPS)).toPrecision(10));
  if (whole) value = Math.round(value);
  return Math.min(max, Math.max(min, value));
}

/** A value as a person reads it; `most`: what is written in the place of the largest. */
export function written(value, whole, most = "", max = Infinity) {
  if (most && value >= max) return most;
  if (whole) return value.toLocaleString("en-US").replaceAll("-", "−");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** The number that a person typed, NaN where it is none; the largest may have a name, `most`. */
function numberIn(text, { max, most }) {
  const given = text.trim();
  if (given === "") return NaN;
  return given === most ? max : Number(given.replaceAll(",", "").replace("−", "-"));
}

/** What a person typed as a value of the range, or null if it is no number. */
export function typed(text, range) {
  const { min, max, whole } = range;
  const value = numberIn(text, range);
  if (!Number.isFinite(value)) return null;
  return Math.min(max, Math.max(min, whole ? Math.round(value) : value));
}

/** Why what a person typed is not taken as it stands, or nothing. */
export function refusal(text, range) {
  const { min, max, whole } = range;
  const value = numberIn(text, range);
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return "";
  const given = text.trim().slice(0, 12).replace("-", "−");
  const allowed = `${whole ? "a whole number" : "a number"} from ${written(min, whole)} to ${written(max, whole)}`;
  return `${Number.isFinite(value) ? given : `“${given}”`} is not ${allowed}`;
}

// A slider: name left, value right, the track below. The value can also be typed.

import { followClasses } from "./classes.js";
import { tell } from "./signals.js";

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

let counter = 0;

export default {
  render({ model, el }) {
    el.classList.add("fv-slider");
    const leave = followClasses(model, el);
    const id = `fv-slider-${(counter += 1)}-${Math.random().toString(36).slice(2, 8)}`;
    const label = document.createElement("label");
    label.htmlFor = id;
    const box = document.createElement("input");
    box.className = "fv-slider-value";
    box.inputMode = "decimal";
    box.autocomplete = "off";
    const track = document.createElement("input");
    track.className = "fv-slider-track";
    track.type = "range";
    track.min = 0;
    track.hidden = model.get("boxed");
    if (track.hidden) box.id = id;
    else track.id = id;
    const said = document.createElement("p");
    said.className = "fv-slider-said";
    said.setAttribute("role", "status");
    el.classList.toggle("fv-boxed", track.hidden);
    el.append(label, box, track, said);

    const range = () =>
      Object.fromEntries(["min", "max", "step", "log", "whole", "most"].map((n) => [n, model.get(n)]));

    let own = false;

    function set(value) {
      if (value === model.get("value")) return draw();
      own = true;
      model.set("value", value);
      own = false;
      model.save_changes();
    }

    /** Let the page hear of it, whoever has turned it. */
    function changed() {
      if (model.get("key")) tell("turned", model.get("key"), model.get("value"), own);
    }

    function draw() {
      const now = range();
      const value = model.get("value");
      const stops = stopsOf(now);
      const at = position(value, now);
      track.max = stops;
      track.step = 1;
      // Between two stops the thumb stands where it belongs, and the next key takes it to a stop.
      if (!Number.isInteger(at)) track.step = "any";
      track.value = at;
      track.style.setProperty("--fv-at", String(stops ? at / stops : 0));
      box.value = written(value, now.whole, model.get("most"), now.max);
      track.setAttribute("aria-valuetext", box.value);
      box.size = Math.max(3, box.value.length);
    }

    function describe() {
      label.textContent = model.get("description");
      el.title = model.get("tooltip");
      // The label is that of the track, where there is one.
      if (!track.hidden) box.setAttribute("aria-label", `${model.get("description")}, as a number`);
      track.disabled = box.disabled = model.get("disabled");
    }

    track.addEventListener("input", () => {
      said.textContent = "";
      set(valueAt(Math.round(track.valueAsNumber), range()));
    });
    track.addEventListener("keydown", (event) => {
      const now = range();
      const stops = Number(track.max);
      const jump = Math.max(1, Math.round(stops / 10));
      const at = position(model.get("value"), now);
      const next = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
      const far = { PageUp: jump, PageDown: -jump, Home: -stops, End: stops }[event.key];
      if (next === undefined && far === undefined) return;
      event.preventDefault();
      const from = next > 0 ? Math.floor(at + 1e-9) : next < 0 ? Math.ceil(at - 1e-9) : at;
      const to = Math.min(stops, Math.max(0, Math.round(from + (next ?? far))));
      set(valueAt(to, now));
    });
    box.addEventListener("focus", () => {
      said.textContent = "";
      box.select();
    });
    box.addEventListener("change", () => {
      said.textContent = refusal(box.value, range());
      set(typed(box.value, range()) ?? model.get("value"));
    });

    const values = "change:value change:min change:max change:step change:log change:whole";
    const words = "change:description change:tooltip change:disabled";
    model.on("change:value", changed);
    model.on(values, draw);
    model.on(words, describe);
    draw();
    describe();
    return () => {
      model.off("change:value", changed);
      model.off(values, draw);
      model.off(words, describe);
      leave();
    };
  },
};

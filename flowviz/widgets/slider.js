// A slider: name left, value right, the track below. The value can also be typed.

import { followClasses } from "./classes.js";
import { tell } from "./signals.js";
import { position, refusal, stopsOf, typed, valueAt, written } from "./stops.js";

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

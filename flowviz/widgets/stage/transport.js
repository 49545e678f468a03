// The bar under the stage: play, step, scrub, where one is, and which way.

import { label } from "./axes.js";
import { icon, make } from "./dom.js";
import { between } from "./marks.js";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z";
const BACK = "M3 3h2v10H3zM13 3v10L6 8z";
const ON = "M11 3h2v10h-2zM3 3v10l7-5z";

/** z₀ = u, z₁, …, x = z_K: a state's symbol; z(1.5) half-way through a layer of many states. */
export function symbol(state, last, stretches = 1) {
  const layer = state / stretches;
  if (!Number.isInteger(layer)) return `z(${Number(layer.toFixed(2))})`;
  const digits = [...String(layer)].map((d) => "₀₁₂₃₄₅₆₇₈₉"[d]).join("");
  return state === 0 ? `z${digits} = u` : state === last ? `z${digits} = x` : `z${digits}`;
}

/** Where the animation is, as text: "layer 2.5 of 4 · coupling". */
export function whereabouts(position, last, names, stretches = 1) {
  const layer = position / stretches;
  const whole = Math.abs(layer - Math.round(layer)) < 1e-6;
  const name = names[Math.min(Math.ceil(position - 1e-6), last)];
  const at = `layer ${whole ? Math.round(layer) : layer.toFixed(1)} of ${last / stretches}`;
  return name ? `${at} · ${name}` : at;
}

/** The text of a value that is carried through the layers: "Σ log|det J| −1.84". */
export function carried(readout, position) {
  if (!readout?.values?.length) return "";
  const { values } = readout;
  const { from, to, part } = between(values.length, position);
  const value = values[from] + (values[to] - values[from]) * part;
  if (!Number.isFinite(value)) return `${readout.label} ${label(value)}`;
  const digits = Math.abs(value).toFixed(2);
  return `${readout.label} ${value < 0 && Number(digits) > 0 ? "−" : ""}${digits}`;
}

export class Transport {
  /** act(change): change the player; `onKey` handles keys as the stage does. */
  constructor({ act, onKey, turn }) {
    const button = (path, name, click) =>
      make("button", { type: "button", title: name, "aria-label": name, click }, icon(path));
    this.back = button(BACK, "Previous state (←)", () => act((p) => p.step(-1)));
    this.play = button(PLAY, "Play (Space)", () => act((p) => (p.playing ? p.pause() : p.play())));
    this.play.classList.add("fv-stage-play");
    this.on = button(ON, "Next state (→)", () => act((p) => p.step(1)));
    this.scrubber = make("input", {
      type: "range", min: 0, step: "any", "aria-label": "Position between base and data",
      input: () => act((p) => { p.pause(); p.seek(Number(this.scrubber.value)); }, false),
      change: () => act((p) => p.seek(Number(this.scrubber.value))),
      keydown: onKey,
    });
    this.ticks = make("div", { class: "fv-stage-ticks", "aria-hidden": "true" });
    this.readout = make("output", { class: "fv-stage-readout" });
    this.way = make("button", {
      type: "button", class: "fv-stage-way", title: "Direction of playing", click: turn,
    });
    this.element = make(
      "div", { class: "fv-stage-transport", role: "group", "aria-label": "Playing" },
      this.back, this.play, this.on,
      make("div", { class: "fv-stage-track" }, this.ticks, this.scrubber), this.readout, this.way,
    );
    this.shown = {};
  }

  /** Bring everything in line with the player. */
  update(player, names, readout) {
    const { position, last, playing, direction, stretches } = player;
    const layers = last / stretches;
    if (this.shown.last !== last || this.shown.layers !== layers) {
      this.scrubber.max = last;
      this.ticks.replaceChildren(
        ...Array.from({ length: layers <= 32 ? layers + 1 : 2 }, () => make("i")),
      );
    }
    if (this.shown.playing !== playing) {
      this.play.replaceChildren(icon(playing ? PAUSE : PLAY));
      const name = playing ? "Pause (Space)" : "Play (Space)";
      this.play.title = name;
      this.play.setAttribute("aria-label", name);
    }
    if (this.shown.direction !== direction) {
      const inverse = direction === "inverse";
      this.way.textContent = inverse ? "data → base" : "base → data";
      this.way.setAttribute("aria-label", `Direction: ${inverse ? "data to base" : "base to data"}`);
    }
    this.scrubber.value = position;
    this.scrubber.style.setProperty("--fv-done", `${last > 0 ? (100 * position) / last : 0}%`);
    const text = [whereabouts(position, last, names, stretches), carried(readout, position)]
      .filter(Boolean).join(" · ");
    this.reserve(player, names, readout);
    if (this.shown.text !== text) {
      this.readout.textContent = text;
      this.scrubber.setAttribute("aria-valuetext", text);
    }
    this.shown = { last, layers, playing, direction, text };
  }

  /** Keep room for the longest text, so that nothing moves while it plays. */
  reserve({ last, stretches }, names, readout) {
    const key = JSON.stringify([last, stretches, names, readout]);
    if (key === this.reserved) return;
    this.reserved = key;
    const longest = (texts) => Math.max(0, ...texts.map((text) => text.length));
    const states = Array.from({ length: last + 1 }, (_, state) => state);
    const where = longest(states.map((s) => whereabouts(s - 0.5, last, names, stretches)));
    const value = longest(states.map((s) => carried(readout, s)));
    const characters = where + (value ? value + 3 : 0);
    this.readout.style.minWidth = `${Math.round(characters * 0.8)}ch`;
    this.element.classList.toggle("fv-stage-long", characters > 26);
  }
}

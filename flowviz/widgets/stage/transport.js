// The bar under the stage: play, step, scrub, where one is, and which way.

import { label } from "./axes.js";
import { icon, make } from "./dom.js";
import { between } from "./marks.js";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z";
const BACK = "M3 3h2v10H3zM13 3v10L6 8z";
const ON = "M11 3h2v10h-2zM3 3v10l7-5z";

/** What one step of an animation is, where nothing else is said. */
export const LAYER = { name: "layer", range: [0, 1] };

/**
 * z₀ = u, z₁, …, x = z_K: a state's symbol; z(1.5) half-way through a layer of many states. Where
 * the states are not layers, their number or time.
 */
export function symbol(state, last, stretches = 1, unit = LAYER) {
  const layer = state / stretches;
  if (unit.name.endsWith("=")) return whereabouts(state, last, [], stretches, unit);
  if (unit.name !== LAYER.name) return String(Number(layer.toFixed(2)));
  if (!Number.isInteger(layer)) return `z(${Number(layer.toFixed(2))})`;
  const digits = [...String(layer)].map((d) => "₀₁₂₃₄₅₆₇₈₉"[d]).join("");
  return state === 0 ? `z${digits} = u` : state === last ? `z${digits} = x` : `z${digits}`;
}

/**
 * Where the animation is, as text: "layer 2.5 of 4 · coupling".
 *
 * unit {name, range}: another name than "layer"; one that ends in "=", such as "t =", is of a
 * quantity that runs over the range [first, last].
 */
export function whereabouts(position, last, names, stretches = 1, unit = LAYER) {
  const name = names[Math.min(Math.ceil(position - 1e-6), last)];
  const at = unit.name.endsWith("=")
    ? `${unit.name} ${amount(position, last, unit.range)}`
    : `${unit.name} ${count(position / stretches)} of ${last / stretches}`;
  return name ? `${at} · ${name}` : at;
}

function count(layer) {
  return Math.abs(layer - Math.round(layer)) < 1e-6 ? Math.round(layer) : layer.toFixed(1);
}

function amount(position, last, [low, high]) {
  const value = low + ((high - low) * position) / Math.max(last, 1);
  return fixed(value, Math.max(Math.abs(low), Math.abs(high)));
}

/** A number with as many decimals as give the largest of its kind three digits; 0 is 0. */
function fixed(value, largest) {
  // Less than single precision knows is nothing.
  if (largest < 1e-6) return "0";
  const decimals = largest > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(largest)), 0), 12) : 0;
  const digits = Math.abs(value).toFixed(decimals);
  if (Number(digits) === 0) return "0";
  return value < 0 ? `−${digits}` : digits;
}

/** The text of a value that is carried through the layers: "Σ log|det J| −1.84". */
export function carried(readout, position) {
  if (!readout?.values?.length) return "";
  const { values } = readout;
  const { from, to, part } = between(values.length, position);
  const value = values[from] + (values[to] - values[from]) * part;
  if (!Number.isFinite(value)) return `${readout.label} ${label(value)}`;
  const largest = Math.max(...values.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
  return `${readout.label} ${fixed(value, largest)}`;
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

  /** Bring everything in line with the player; `unit` as in whereabouts, not `reversible`: one way. */
  update(player, names, readout, unit = LAYER, reversible = true) {
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
      this.way.setAttribute("aria-label", `Direction: ${this.way.textContent}`);
    }
    this.way.hidden = !reversible;
    this.scrubber.value = position;
    this.scrubber.style.setProperty("--fv-done", `${last > 0 ? (100 * position) / last : 0}%`);
    const text = [whereabouts(position, last, names, stretches, unit), carried(readout, position)]
      .filter(Boolean).join(" · ");
    this.reserve(player, names, readout, unit);
    if (this.shown.text !== text) {
      this.readout.textContent = text;
      this.scrubber.setAttribute("aria-valuetext", text);
    }
    this.shown = { last, layers, playing, direction, text };
  }

  /** Keep room for the longest text, so that nothing moves while it plays. */
  reserve({ last, stretches }, names, readout, unit) {
    const key = JSON.stringify([last, stretches, names, readout, unit]);
    if (key === this.reserved) return;
    this.reserved = key;
    const longest = (texts) => Math.max(0, ...texts.map((text) => text.length));
    const states = Array.from({ length: last + 1 }, (_, state) => state);
    const where = longest(states.map((s) => whereabouts(s - 0.5, last, names, stretches, unit)));
    const value = longest(states.map((s) => carried(readout, s)));
    const characters = where + (value ? value + 3 : 0);
    this.readout.style.minWidth = `${Math.round(characters * 0.8)}ch`;
    this.element.classList.toggle("fv-stage-long", characters > 26);
  }
}

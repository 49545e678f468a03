// The bar under the stage: play, step, scrub, where one is, and which way.

import { label } from "./axes.js";
import { make } from "./dom.js";
import { DirectionButton, LayerScrubber, PlayButton, stepButton } from "./player_controls.js";

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

/**
 * The text of a value that is carried through the layers: "Σ log|det J| −1.84". On the way through
 * a layer it is the value behind it: half a layer has none, and the charts count whole ones.
 */
export function carried(readout, position) {
  if (!readout?.values?.length) return "";
  const { values } = readout;
  const value = values[Math.min(Math.ceil(position - 1e-6), values.length - 1)];
  if (!Number.isFinite(value)) return `${readout.label} ${label(value)}`;
  const largest = Math.max(...values.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
  return `${readout.label} ${fixed(value, largest)}`;
}

export class Transport {
  /** act(change, settled): change the player; `onKey` handles keys as the stage does. */
  constructor({ act, onKey }) {
    this.play = new PlayButton(act, "fv-stage-play");
    this.scrubber = new LayerScrubber(act, onKey);
    this.readout = make("output", { class: "fv-stage-readout" });
    this.way = new DirectionButton(act, "fv-stage-way");
    this.element = make(
      "div", { class: "fv-stage-transport", role: "group", "aria-label": "Playing" },
      stepButton(act, -1), this.play.element, stepButton(act, 1),
      this.scrubber.element, this.readout, this.way.element,
    );
  }

  /** Bring everything in line with the player; `unit` as in whereabouts, not `reversible`: one way. */
  update(player, names, readout, unit = LAYER, reversible = true) {
    const { position, last, stretches } = player;
    for (const control of [this.play, this.scrubber, this.way]) control.update(player);
    this.way.element.hidden = !reversible;
    this.reserve(player, names, readout, unit);
    const text = [whereabouts(position, last, names, stretches, unit), carried(readout, position)]
      .filter(Boolean).join(" · ");
    if (text === this.text) return;
    this.text = text;
    this.readout.textContent = text;
    this.scrubber.say(text);
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

// The run bar: depth above, training below. It drives the stages' clock and sends presses alone.

import { followClasses } from "./classes.js";
import { tell } from "./signals.js";
import { clockFor } from "./stage/clock.js";
import { make } from "./stage/dom.js";
import {
  DirectionButton, LayerScrubber, PlayButton, TrainingScrubber, button, dress, grouped, playerKey,
  stepButton,
} from "./stage/player_controls.js";
import { carried, whereabouts } from "./stage/transport.js";

const STOP = "M3.5 3.5h9v9h-9z";
const TRAIN = "M4 2.5v11l9.5-5.5z";
const RESET = "M8 3a5 5 0 1 1-4.9 6h2A3 3 0 1 0 8 5v2.2L4 4.1 8 1z";

/** Draw a run bar into `el`; returns what takes it away again. */
export function render({ model, el }) {
  el.classList.add("fv-run-bar");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "Play and train");
  const leave = followClasses(model, el);
  const ends = [leave];
  let clock = null;
  const player = () => clock.player;
  const act = (change, settled = true) => clock.act(change, settled);

  // ---- depth -------------------------------------------------------------------------------

  // What plays is what there is now.
  const play = new PlayButton(
    (change) => act((p) => { p.seekMoment(-1); change(p); }), "fv-run-button fv-run-play");
  const depth = new LayerScrubber(act, (event) => keys(event));
  const way = new DirectionButton(act, "fv-run-button fv-run-way");
  const where = make("output", { class: "fv-run-words" });
  const unit = make("span", { class: "fv-run-label", "aria-hidden": "true" });
  const beside = "fv-run-button fv-run-extra";
  const depthRow = make("div", { class: "fv-run-row fv-run-depth" },
    make("div", { class: "fv-run-buttons" },
      stepButton(act, -1, beside), play.element, stepButton(act, 1, beside)),
    unit, depth.element, where, way.element);

  // ---- training ----------------------------------------------------------------------------

  const press = (kind) => {
    // What is trained is what is seen: now, and where the flow ends.
    const starts = kind !== "reset" && !model.get("running");
    if (starts && player().moment >= 0) status.textContent = goingOn();
    act((p) => {
      p.seekMoment(-1);
      if (!starts || p.playing) return;
      p.seek(p.direction === "inverse" ? 0 : p.last);
    });
    if (!tell(`press ${model.get("clock")}`, kind, model)) model.send({ kind });
  };
  const presses = (kind, shape, name, look) => {
    const element = button(`fv-run-button ${shape}`, () => press(kind));
    dress(element, name, look);
    return element;
  };
  const train = presses("train", "fv-run-train", "Train (T)", { path: TRAIN, words: "Train" });
  const step = presses("step", "fv-run-extra", "One training step", { words: "Step" });
  const reset = presses(
    "reset", "fv-run-reset", "Reset: back to the untrained flow (R)", { path: RESET, words: "Reset" });
  const past = new TrainingScrubber((moment) => {
    if (model.get("running")) press("train"); // it pauses, and then there is a film
    else act((p) => p.seekMoment(moment), false);
  });
  const progress = make("output", { class: "fv-run-words" });
  const status = make("output", { class: "fv-run-status" });
  const trainingRow = make("div", { class: "fv-run-row fv-run-training" },
    make("div", { class: "fv-run-buttons" }, train, step, reset),
    make("span", { class: "fv-run-label", "aria-hidden": "true" }, "training"),
    past.element, progress, status);
  el.append(depthRow, trainingRow);

  const goingOn = () => `going on from step ${grouped(model.get("step"))}`;

  function showTraining() {
    const [at, steps, running] = ["step", "steps", "running"].map((name) => model.get(name));
    const moments = model.get("moments");
    const { moment } = player();
    const shown = past.update(player(), moments, at, Math.max(steps, at));
    past.input.disabled = !running && moments.length < 2;
    past.input.title = past.input.disabled
      ? "After some training, this goes back through it" : "Back through the training";
    progress.replaceChildren(
      make("span", { class: "fv-run-long" }, "step "), grouped(shown),
      make("span", {}, ` of ${grouped(Math.max(steps, at))}`));
    past.say(progress.textContent);
    status.textContent = moment >= 0 ? "looking back" : model.get("status");
    status.title = moment >= 0 ? "The pictures are of that step, the numbers of the last" : status.textContent;
    // What is not played by this clock is of another moment than the pictures.
    el.closest(".fv-panel")?.classList.toggle("fv-looking-back", moment >= 0);
    const starts = moment >= 0 ? `Train: ${goingOn()} (T)` : "Train (T)";
    dress(train, running ? "Stop; Train goes on from there (T)" : starts,
      running ? { path: STOP, words: "Stop" } : { path: TRAIN, words: "Train" });
    el.classList.toggle("fv-running", running);
    const hidden = model.get("hidden");
    for (const [one, kind] of [[train, "train"], [step, "step"], [reset, "reset"]]) {
      one.hidden = hidden.includes(kind);
    }
    trainingRow.hidden = !model.get("training") || hidden.length === 3;
  }

  // ---- both --------------------------------------------------------------------------------

  let drawn = null;
  function showDepth() {
    const { position, last, stretches } = player();
    for (const control of [play, depth, way]) control.update(player());
    const of = { name: model.get("unit"), range: model.get("unit_range") };
    const long = whereabouts(position, last, model.get("state_names"), stretches, of);
    const number = carried(model.get("readout"), position);
    const short = of.name.endsWith("=") ? long
      : `${Number((position / stretches).toFixed(1))}/${last / stretches}`;
    if (drawn !== long + number) {
      drawn = long + number;
      where.replaceChildren(
        make("span", { class: "fv-run-long" }, long), make("span", { class: "fv-run-short" }, short),
        ...(number ? [make("span", { class: "fv-run-number" }, number)] : []));
      depth.say([long, number].filter(Boolean).join(" · "));
    }
    unit.textContent = model.get("unit");
    way.element.hidden = !model.get("reversible");
    depthRow.hidden = !model.get("depth");
  }

  let shownMoment = -1;
  const heard = ({ moment }) => {
    showDepth();
    if (moment === shownMoment) return;
    shownMoment = moment;
    showTraining();
  };

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!playerKey(event.key, act)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** In the dashboard and on a projector keys work wherever the focus is, save where one types. */
  function anywhere(event) {
    if (!el.closest(".fv-present, .fv-presenting, .fv-dash") || !el.checkVisibility()) return;
    if (event.target.closest?.("input:not([type=range]), textarea, select")) return;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
    if (plain && model.get("training") && !event.repeat) {
      if (event.key === "t" || event.key === "T") return train.hidden || press("train");
      if (event.key === "r" || event.key === "R") return reset.hidden || press("reset");
    }
    if (event.target.closest?.("input, [role=application], [role=tab], [role=radio]")) return;
    if (event.key === " " && event.target.closest?.("button, summary, a")) return;
    keys(event);
  }

  function join() {
    clock?.leave(heard);
    clock = clockFor(model.get("clock"));
    clock.join(heard, 1);
    showDepth();
    showTraining();
  }

  /** A first look: base → data, once, unless motion is unwelcome. */
  function greet() {
    if (!model.get("greets") || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const due = performance.now() + 4000;
    const wait = () => {
      if (!el.isConnected || performance.now() > due) return;
      if (!el.checkVisibility() || player().last === 0) return requestAnimationFrame(wait);
      act((p) => { p.seek(p.direction === "inverse" ? p.last : 0); p.play(); }, false);
      return undefined;
    };
    requestAnimationFrame(wait);
  }

  document.addEventListener("keydown", anywhere);
  ends.push(() => document.removeEventListener("keydown", anywhere));
  const on_ = (events, listener) => {
    model.on(events, listener);
    ends.push(() => model.off(events, listener));
  };
  on_("change:clock", join);
  on_("change:state_names change:stretches change:readout change:unit change:reversible change:depth", showDepth);
  on_("change:running change:step change:steps change:status change:moments change:training change:hidden", showTraining);
  join();
  greet();
  return () => {
    clock.leave(heard);
    for (const end of ends) end();
  };
}

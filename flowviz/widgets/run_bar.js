// The run bar: depth above, training below. It drives the stages' clock and sends presses alone.

import { followClasses } from "./classes.js";
import { clockFor } from "./stage/clock.js";
import { icon, make } from "./stage/dom.js";
import { carried, whereabouts } from "./stage/transport.js";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z";
const STOP = "M3.5 3.5h9v9h-9z";
const BACK = "M3 3h2v10H3zM13 3v10L6 8z";
const ON = "M11 3h2v10h-2zM3 3v10l7-5z";
const TURN = "M10.5 2 14 5l-3.5 3V6H2V4h8.5zM5.5 8v2H14v2H5.5v2L2 11z";
const RESET = "M8 3a5 5 0 1 1-4.9 6h2A3 3 0 1 0 8 5v2.2L4 4.1 8 1z";

/**
 * The film's moment for a step that the training scrubber shows: the last one not after it, or the
 * first; −1 where there is no film.
 */
export function momentAt(moments, step) {
  const after = moments.findIndex((moment) => moment > step);
  return after < 0 ? moments.length - 1 : Math.max(after - 1, 0);
}

/** "1,200" */
export const grouped = (number) => number.toLocaleString("en");

function track(label, listeners, ticks) {
  const input = make("input", { type: "range", min: 0, step: "any", "aria-label": label, ...listeners });
  return [input, make("div", { class: "fv-run-track" }, ...(ticks ? [ticks] : []), input)];
}

const filled = (input) => {
  const most = Number(input.max);
  input.style.setProperty("--fv-done", `${most > 0 ? (100 * Number(input.value)) / most : 0}%`);
};

export default {
  render({ model, el }) {
    el.classList.add("fv-run-bar");
    el.setAttribute("role", "group");
    el.setAttribute("aria-label", "Play and train");
    const leave = followClasses(model, el);
    const ends = [leave];
    let clock = null;
    const player = () => clock.player;
    const act = (change, settled = true) => clock.act(change, settled);
    const button = (name, text, path, click, shape = "") =>
      make("button", { type: "button", class: `fv-run-button ${shape}`, title: name, "aria-label": name, click },
        ...(path ? [icon(path)] : []), ...(text ? [make("span", {}, text)] : []));

    // ---- depth -------------------------------------------------------------------------------

    const back = button("Previous state (←)", "", BACK, () => act((p) => p.step(-1)), "fv-run-extra");
    const play = button("Play (Space)", "Play", PLAY,
      () => act((p) => { p.moment = -1; (p.playing ? p.pause() : p.play()); }), "fv-run-play");
    const on = button("Next state (→)", "", ON, () => act((p) => p.step(1)), "fv-run-extra");
    const ticks = make("div", { class: "fv-run-ticks", "aria-hidden": "true" });
    const [depth, depthTrack] = track("Position between base and data", {
      input: () => act((p) => { p.pause(); p.seek(Number(depth.value)); }, false),
      change: () => act((p) => p.seek(Number(depth.value))),
      keydown: (event) => keys(event),
    }, ticks);
    const where = make("output", { class: "fv-run-words" });
    const way = button("Direction of playing", "", "", () =>
      act((p) => { p.direction = p.direction === "inverse" ? "forward" : "inverse"; }), "fv-run-way");
    const unit = make("span", { class: "fv-run-label", "aria-hidden": "true" });
    const depthRow = make("div", { class: "fv-run-row fv-run-depth" },
      make("div", { class: "fv-run-buttons" }, back, play, on), unit, depthTrack, where, way);

    // ---- training ----------------------------------------------------------------------------

    const press = (kind) => {
      // What is trained is what is seen: now, and where the flow ends.
      const starts = kind !== "reset" && !model.get("running");
      if (starts && looksBack()) status.textContent = goingOn();
      act((p) => {
        p.moment = -1;
        if (!starts || p.playing) return;
        p.seek(p.direction === "inverse" ? 0 : p.last);
      });
      model.send({ kind });
    };
    const train = button("Train (T)", "Train", PLAY, () => press("train"), "fv-run-train");
    const step = button("One training step", "Step", "", () => press("step"), "fv-run-extra");
    const reset = button("Reset: back to the untrained flow (R)", "Reset", RESET, () => press("reset"), "fv-run-reset");
    const [past, pastTrack] = track("Training step", {
      input: () => rewind(),
      change: () => rewind(),
    });
    const progress = make("output", { class: "fv-run-words" });
    const status = make("output", { class: "fv-run-status" });
    const trainingRow = make("div", { class: "fv-run-row fv-run-training" },
      make("div", { class: "fv-run-buttons" }, train, step, reset),
      make("span", { class: "fv-run-label", "aria-hidden": "true" }, "training"),
      pastTrack, progress, status);
    el.append(depthRow, trainingRow);

    const looksBack = () => (player().moment ?? -1) >= 0;
    const goingOn = () => `going on from step ${grouped(model.get("step"))}`;

    function rewind() {
      if (model.get("running")) return press("train"); // it pauses, and then there is a film
      const moments = model.get("moments");
      const live = Number(past.value) >= model.get("step");
      act((p) => { p.moment = live ? -1 : momentAt(moments, Number(past.value)); }, false);
    }

    function showTraining() {
      const [at, steps, running] = ["step", "steps", "running"].map((name) => model.get(name));
      const moments = model.get("moments");
      const moment = player().moment ?? -1;
      const shown = moment >= 0 && moment < moments.length ? moments[moment] : at;
      past.max = running ? Math.max(steps, 1) : Math.max(at, 1);
      if (document.activeElement !== past || moment < 0) past.value = shown;
      past.disabled = !running && moments.length < 2;
      past.title = past.disabled ? "After some training, this goes back through it" : "Back through the training";
      filled(past);
      progress.replaceChildren(
        make("span", { class: "fv-run-long" }, "step "), grouped(shown),
        make("span", {}, ` of ${grouped(Math.max(steps, at))}`));
      past.setAttribute("aria-valuetext", progress.textContent);
      status.textContent = moment >= 0 ? "looking back" : model.get("status");
      status.title = status.textContent;
      const starts = moment >= 0 ? `Train: ${goingOn()} (T)` : "Train (T)";
      const name = running ? "Stop; Train goes on from there (T)" : starts;
      train.replaceChildren(icon(running ? STOP : PLAY), make("span", {}, running ? "Stop" : "Train"));
      train.setAttribute("aria-label", name);
      train.title = name;
      el.classList.toggle("fv-running", running);
      const hidden = model.get("hidden");
      for (const [one, kind] of [[train, "train"], [step, "step"], [reset, "reset"]]) {
        one.hidden = hidden.includes(kind);
      }
      trainingRow.hidden = !model.get("training") || hidden.length === 3;
    }

    // ---- both --------------------------------------------------------------------------------

    const drawn = {};
    function showDepth() {
      const { position, last, playing, direction, stretches } = player();
      const layers = last / stretches;
      if (drawn.last !== last || drawn.layers !== layers) {
        depth.max = last;
        ticks.replaceChildren(...Array.from({ length: layers <= 32 ? layers + 1 : 2 }, () => make("i")));
      }
      if (drawn.playing !== playing) {
        const name = playing ? "Pause (Space)" : "Play (Space)";
        play.replaceChildren(icon(playing ? PAUSE : PLAY), make("span", {}, playing ? "Pause" : "Play"));
        play.title = name;
        play.setAttribute("aria-label", name);
      }
      if (drawn.direction !== direction) {
        const inverse = direction === "inverse";
        const shown = inverse ? "data → base" : "base → data";
        way.replaceChildren(make("span", {}, shown), icon(TURN));
        const name = `Direction: ${shown}, for ${inverse ? "densities" : "samples"}`;
        way.title = name;
        way.setAttribute("aria-label", name);
      }
      depth.value = position;
      filled(depth);
      const of = { name: model.get("unit"), range: model.get("unit_range") };
      const long = whereabouts(position, last, model.get("state_names"), stretches, of);
      const number = carried(model.get("readout"), position);
      const short = `${Number((position / stretches).toFixed(1))}/${layers}`;
      if (drawn.long !== long + number) {
        where.replaceChildren(
          make("span", { class: "fv-run-long" }, long), make("span", { class: "fv-run-short" }, short),
          ...(number ? [make("span", { class: "fv-run-number" }, number)] : []));
        depth.setAttribute("aria-valuetext", [long, number].filter(Boolean).join(" · "));
      }
      Object.assign(drawn, { last, layers, playing, direction, long: long + number });
      unit.textContent = model.get("unit");
      way.hidden = !model.get("reversible");
      depthRow.hidden = !model.get("depth");
    }

    let shownMoment = -1;
    const heard = (now) => {
      showDepth();
      if ((now.moment ?? -1) !== shownMoment) {
        shownMoment = now.moment ?? -1;
        showTraining();
      }
    };

    function keys(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const moves = {
        " ": (p) => (p.playing ? p.pause() : p.play()),
        ArrowLeft: (p) => p.step(-1), ArrowRight: (p) => p.step(1),
        Home: (p) => { p.pause(); p.seek(0); }, End: (p) => { p.pause(); p.seek(p.last); },
      };
      if (!moves[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      act(moves[event.key]);
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
  },
};

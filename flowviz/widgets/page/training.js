// Training in the page: what the run bar's buttons do, how far it is, and the film of it.

import { floats } from "../stage/marks.js";
import { Trainer } from "../engine/trainer.js";
import { LearnedFilm } from "./film.js";

/** Milliseconds of a frame for steps, where the page itself makes them. */
const SLICE = 12;

export class Training {
  /** live: what is trained and shown; sent: {flows, samples, training}. */
  constructor(live, { flows, samples, training }) {
    this.live = live;
    this.run = live.page.run;
    this.settings = training;
    this.samples = floats(samples);
    this.objectives = flows.map(({ objective }) => objective);
    this.film = new LearnedFilm();
    this.begin(live.flows.map((flow) => flow.now), training.done);
  }

  /** Trainers that go on from what was learned by a step. */
  begin(learned, done) {
    const { batch, rate, average, seed } = this.settings;
    this.trainers = this.live.flows.map((flow, i) => new Trainer(flow.programs[this.objectives[i]], {
      parameters: learned[i], samples: this.samples, batch, rate, average, seed, steps: done,
    }));
    this.film.clear();
    this.film.keep(done, learned);
    this.showMoments();
  }

  get learned() {
    return this.trainers.map((trainer) => trainer.averaged);
  }

  get done() {
    return this.trainers[0].steps;
  }

  /** What was learned by a moment of the film; by now for −1. */
  learnedAt(moment) {
    return this.film.moments[moment]?.learned ?? this.learned;
  }

  // ---- the buttons ---------------------------------------------------------------------------

  press(kind) {
    const running = this.run.get("running");
    if (kind === "reset") this.reset();
    else if (running) this.stop("paused");
    else if (kind === "step") this.advance(1);
    else this.start();
  }

  reset() {
    this.stop("");
    this.begin(this.live.flows.map((flow) => flow.start), 0);
    this.show("not trained");
  }

  start() {
    const steps = this.run.get("steps");
    // What is trained is not thrown away: as many steps again.
    if (this.done >= steps) this.run.set("steps", this.done + this.settings.steps);
    this.run.set("running", true);
    this.hideMoments();
    this.began = { at: performance.now(), step: this.done };
    this.frame();
  }

  stop(status) {
    cancelAnimationFrame(this.request);
    if (!this.run.get("running")) return;
    this.run.set("running", false);
    this.film.end(this.done, this.learned);
    this.showMoments();
    this.show(status);
  }

  // ---- a run ---------------------------------------------------------------------------------

  frame() {
    const until = performance.now() + SLICE;
    while (performance.now() < until && this.done < this.run.get("steps")) {
      if (!this.advance(1, false)) return;
    }
    const seconds = (performance.now() - this.began.at) / 1000;
    this.show(`${Math.round((this.done - this.began.step) / Math.max(seconds, 1e-3))} steps/s`);
    if (this.done >= this.run.get("steps")) this.stop("");
    else this.request = requestAnimationFrame(() => this.frame());
  }

  /** Make steps with all trainers; false where one failed. */
  advance(steps, shown = true) {
    for (let i = 0; i < steps; i++) {
      for (const trainer of this.trainers) trainer.step();
      const failure = this.trainers.map((trainer) => trainer.failure).find(Boolean);
      if (failure) {
        this.stop(failure);
        return false;
      }
      this.film.keep(this.done, this.learned);
    }
    if (shown) this.show("");
    return true;
  }

  /** Show what was learned by now. */
  show(status) {
    this.run.set("step", this.done);
    this.run.set("status", status);
    const { learned } = this;
    this.live.flows.forEach((flow, i) => flow.parameters.set(learned[i]));
    this.live.page.saved = NaN;
    this.live.show();
  }

  // ---- the film ------------------------------------------------------------------------------

  showMoments() {
    this.tellOf(this.film.steps);
  }

  hideMoments() {
    this.tellOf([]);
  }

  tellOf(steps) {
    this.run.set("moments", steps);
    const { clock } = this.live.page;
    this.heard ??= () => {};
    clock.join(this.heard, 1, steps.length);
  }
}

// Training in the page: what the run bar's buttons do, how far it is, and the film of it.

import { train } from "../engine/worker.js";
import { floats } from "../stage/marks.js";
import { LearnedFilm } from "./film.js";

/** The loss that is said is the mean of so many steps. */
const RECENT = 50;

export class Training {
  /**
   * live: what is trained and shown; sent: {flows, samples, training}; code: the page's own module,
   * from which the worker that trains is made.
   */
  constructor(live, { flows, samples, training }, code) {
    this.code = code;
    this.live = live;
    this.run = live.page.run;
    this.settings = training;
    this.samples = floats(samples, true);
    this.objectives = flows.map(({ objective }) => objective);
    this.film = new LearnedFilm();
    this.heard = () => {};
    this.sessions = null;
    this.busy = false;
    this.begin(live.flows.map((flow) => flow.now), training.done);
  }

  /** Be at what was learned by a step; nothing is made ready before it is trained. */
  begin(learned, done) {
    for (const session of this.sessions ?? []) session.end();
    this.sessions = null;
    this.learned = learned;
    this.done = done;
    this.losses = [];
    this.film.clear();
    this.film.keep(done, learned);
    this.tellMoments();
  }

  /** What was learned by a moment of the film; by now for −1. */
  learnedAt(moment) {
    return this.film.moments[moment]?.learned ?? this.learned;
  }

  // ---- the buttons ---------------------------------------------------------------------------

  press(kind) {
    if (this.busy) return;
    if (kind === "reset") this.reset();
    else if (this.run.get("running")) this.stop();
    else this.start(kind === "step" ? 1 : null);
  }

  reset() {
    this.run.set("running", false);
    this.begin(this.live.flows.map((flow) => flow.start), 0);
    this.run.set("steps", this.settings.steps);
    this.show("not trained");
  }

  stop() {
    for (const session of this.sessions) session.stop();
  }

  async start(steps) {
    this.busy = true;
    this.run.set("status", "preparing");
    try {
      this.sessions ??= await this.makeSessions();
    } catch (error) {
      this.run.set("status", error.message);
      return;
    } finally {
      this.busy = false;
    }
    // What is trained is not thrown away: as many steps again.
    const more = steps === null && this.done >= this.run.get("steps");
    if (more) this.run.set("steps", this.done + this.settings.steps);
    this.run.set("running", true);
    this.film.hide();
    this.tellMoments();
    this.began = { at: performance.now(), step: this.done };
    for (const session of this.sessions) session.run(steps ?? this.run.get("steps") - this.done);
  }

  // ---- a run ---------------------------------------------------------------------------------

  makeSessions() {
    const { batch, rate, average, seed } = this.settings;
    this.reports = this.live.flows.map(() => null);
    return Promise.all(this.live.flows.map((flow, i) => train(
      {
        program: flow.files[this.objectives[i]],
        parameters: this.learned[i],
        table: this.objectives[i] === "descent" ? this.samples : null,
        batch, seed, average, learningRate: rate, steps: this.done,
      },
      (report) => this.take(i, report),
      this.code,
    )));
  }

  /** A report of the i-th flow's training. */
  take(i, report) {
    this.reports[i] = report;
    if (!this.run.get("running") || this.reports.some((one) => one === null)) return;
    const steps = this.reports.map((one) => one.steps);
    this.done = Math.min(...steps);
    this.learned = this.reports.map((one) => one.averaged);
    if (i === 0) this.losses = [...this.losses, ...report.losses].slice(-RECENT);
    const failure = this.reports.map((one) => one.failure).find(Boolean);
    const runs = this.reports.some((one) => one.runs);
    this.film.keep(this.done, this.learned);
    const seconds = Math.max((performance.now() - this.began.at) / 1000, 1e-3);
    if (failure && runs) this.stop();
    if (!runs) this.end(failure);
    else this.show(`${this.loss()} · ${Math.round((this.done - this.began.step) / seconds)} steps/s`);
  }

  end(failure) {
    this.run.set("running", false);
    this.film.end(this.done, this.learned);
    this.tellMoments();
    const paused = this.done < this.run.get("steps") ? " · paused" : "";
    this.show(failure ?? `${this.loss()}${paused}`);
  }

  /** The mean loss of the last steps, of the first flow. */
  loss() {
    const last = this.losses.slice(-RECENT);
    if (last.length === 0) return "";
    return `loss ${(last.reduce((a, b) => a + b, 0) / last.length).toFixed(3)}`;
  }

  /** Show what was learned by now. */
  show(status) {
    this.run.set("step", this.done);
    this.run.set("status", status);
    this.live.unsaid();
    this.live.learn(this.learned, this.run.get("running"));
  }

  /** Let the run bar and the clock know how many moments there are. */
  tellMoments() {
    const { steps } = this.film;
    this.run.set("moments", steps);
    this.live.page.clock.join(this.heard, 1, steps.length);
  }
}

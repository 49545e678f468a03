// Training in the page: what the run bar's buttons do, how far it is, and the film of it.

import { train } from "../engine/worker.js";
import { floats } from "../stage/marks.js";
import { LearnedFilm } from "./film.js";
import { PageTarget } from "./target.js";

/** The loss that is said is the mean of so many steps. */
const RECENT = 50;

const withFloats = ({ weights, first, second, count }) => (
  { weights: floats(weights), first: floats(first), second: floats(second), count });

export class Training {
  /**
   * live: what is trained and shown; sent: {target, training}; code: the page's own module, from
   * which the worker that trains is made.
   */
  constructor(live, { target, training }, code) {
    this.code = code;
    this.live = live;
    this.run = live.page.run;
    this.settings = training;
    this.aim(new PageTarget(live.engine, target));
    this.film = new LearnedFilm();
    this.heard = () => {};
    this.sessions = null;
    this.busy = false;
    this.begin(live.flows.map((flow) => flow.now), training.done);
    /** For each flow what its training goes on from: {weights, first, second, count}, or null. */
    this.moments = training.moments.map((sent) => sent && withFloats(sent));
  }

  aim(target) {
    this.target = target;
    for (const carrier of this.live.carriers) carrier.target = target;
  }

  /** Be at what was learned by a step; nothing is made ready before it is trained. */
  begin(learned, done) {
    this.endSessions();
    this.learned = learned;
    this.moments = [];
    this.done = done;
    /** The losses of each flow since step `first`. */
    this.first = done;
    this.losses = learned.map(() => []);
    this.reports = learned.map(() => null);
    /** {after, entropy}: the target's, where it was others after so many steps. */
    this.entropies = [];
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

  /** A number of the first flow is another by hand: training begins anew from there. */
  turn(place, value) {
    this.endSessions();
    this.moments = [];
    const [first, ...others] = this.learned;
    const turned = first.slice();
    turned[place] = value;
    this.learned = [turned, ...others];
  }

  /** The target's modes are elsewhere, and its entropy is not `before` any more: what is trained goes on. */
  follow(before) {
    const { entropies, target, done } = this;
    this.tellModes();
    if (!entropies.length) entropies.push({ after: -Infinity, entropy: before });
    if (entropies.at(-1).after === done) entropies.pop();
    entropies.push({ after: done, entropy: target.entropy });
  }

  /** Let those who train know where the modes are: they may have been moved while these got ready. */
  tellModes() {
    const { modes } = this.target.sent;
    if (modes) for (const session of this.sessions ?? []) session.follow(modes.slice());
  }

  /** The target's entropy when a step was made. */
  entropyAt(step) {
    return this.entropies.filter(({ after }) => after < step).at(-1)?.entropy ?? this.target.entropy;
  }

  reset() {
    this.run.set("running", false);
    this.begin(this.live.flows.map(() => this.live.programs.start), 0);
    this.run.set("steps", this.settings.steps);
    this.show("not trained");
  }

  endSessions() {
    for (const session of this.sessions ?? []) session.end();
    this.sessions = null;
  }

  /** Whether it trains, or makes itself ready to. */
  get runs() {
    return this.busy || (this.sessions !== null && Boolean(this.run.get("running")));
  }

  stop() {
    for (const session of this.sessions ?? []) session.stop();
  }

  async start(steps) {
    this.busy = true;
    this.run.set("status", "preparing");
    try {
      this.sessions ??= await this.makeSessions();
      this.tellModes();
    } catch (error) {
      return this.run.set("status", error.message);
    } finally {
      this.busy = false;
    }
    // What is trained is not thrown away: as many steps again.
    const { most } = this.settings;
    const more = steps === null && this.done >= this.run.get("steps");
    if (more) this.run.set("steps", Math.min(this.done + this.settings.steps, most));
    if (this.done >= most) return this.show(this.loss());
    this.run.set("running", true);
    this.film.hide();
    this.tellMoments();
    this.began = { at: performance.now(), step: this.done };
    // A flow that has not reported since then has not come to its end.
    this.reports = this.live.flows.map(() => null);
    for (const session of this.sessions) session.run(steps ?? this.run.get("steps") - this.done);
    return undefined;
  }

  // ---- a run ---------------------------------------------------------------------------------

  makeSessions() {
    const { batch, rate, average, seed } = this.settings;
    const { files } = this.live.programs;
    return Promise.all(this.live.flows.map(({ objective }, i) => train(
      {
        program: files[objective],
        carry: objective === "pulled_descent" ? files.forward : null,
        target: this.target.sent,
        parameters: this.moments[i]?.weights ?? this.learned[i],
        moments: this.moments[i],
        shown: this.learned[i],
        // What goes on is not to see the same draws again.
        seed: seed + this.done,
        batch, average, learningRate: rate, steps: this.done,
      },
      (report) => this.take(i, report),
      this.code,
    )));
  }

  /** A report of the i-th flow's training. */
  take(i, report) {
    this.reports[i] = report;
    // Each report has the losses since the one before, also where nothing is shown of it.
    for (const loss of report.losses) this.losses[i].push(loss);
    if (!this.run.get("running") || this.reports.some((one) => one === null)) return;
    const steps = this.reports.map((one) => one.steps);
    this.done = Math.min(...steps);
    this.learned = this.reports.map((one) => one.averaged);
    this.moments = this.reports.map((one) =>
      one.moments && { weights: one.parameters, ...one.moments });
    const failure = this.reports.map((one) => one.failure).find(Boolean);
    const runs = this.reports.some((one) => one.runs);
    this.film.keep(this.done, this.learned);
    this.live.reported(i, report);
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
    this.live.ended();
  }

  /** Leave the page: nothing is trained or told any more. */
  leave() {
    this.endSessions();
    this.run.set("running", false);
    this.live.page.clock.leave(this.heard);
  }

  /** The mean loss of the last steps, of the first flow. */
  loss() {
    const last = this.lossAt(0, this.done);
    return Number.isNaN(last) ? "" : `${this.lossName} ${last.toFixed(3)}`;
  }

  /** What the loss is called: that of flow matching is no likelihood. */
  get lossName() {
    return this.live.flows[0].objective === "matching_descent" ? "matching loss" : "loss";
  }

  /** The mean loss of the i-th flow over the last steps up to one; NaN before the first. */
  lossAt(i, step) {
    const end = step - this.first;
    const last = this.losses[i].slice(Math.max(end - RECENT, 0), Math.max(end, 0));
    return last.reduce((a, b) => a + b, 0) / last.length;
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

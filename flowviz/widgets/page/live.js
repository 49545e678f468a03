// A saved page comes alive: its own flows carry the pictures' marks, follow the handle and are
// trained.

import { formatNumber } from "../charts/numbers.js";
import { Engine } from "../engine/engine.js";
import { Generator } from "../engine/random.js";
import { Carrying } from "./carrying.js";
import { Constant } from "./constant.js";
import { Figures } from "./figures.js";
import { atHead, besidePictures } from "./foot.js";
import { LossCurve } from "./loss_curve.js";
import { Modes } from "./modes.js";
import { compared, onTheWay, overTheGrid } from "./sentences.js";
import { Shares } from "./shares.js";
import { Square } from "./square.js";
import { Targets } from "./targets.js";
import { Turning } from "./turning.js";

/** A model's mass outside the window is spoken of from here on, as in model_on_grid.py. */
const WORTH_SAYING = 0.005;

/** So many draws of the target say what its divergence from the model is. */
const DRAWS = 1000;

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export class Live extends Carrying {
  /**
   * Let the flows of a page carry what its stages show.
   *
   * @param {object} page {views, clock, tally, run, head, goals} of page.js.
   * @param {object} sent as in `Carrying`, and limit {most, words}: of the marked point's coordinates,
   *   and what to say beyond; constant, square: as of `Constant` and `Square`, where there is one;
   *   linear: whether every flow is a Gaussian, whatever it learns; movable: whether modes are, by
   *   their handles.
   * @param {string} code the page's own module.
   */
  static async begin(page, sent, code) {
    return new Live(page, sent, await Engine.start(), code);
  }

  constructor(page, sent, ...more) {
    super(page, sent, ...more);
    this.limit = sent.limit;
    this.linear = sent.linear;
    /** Whatever lines there are, they are of the target as it was saved. */
    this.lines = page.views.map((view) => view.get("lines"));
    this.first = this.training.target;
    page.run.send = ({ kind }) => this.training.press(kind);
    this.targets = sent.others?.length ? new Targets(this, sent.others) : null;
    this.turning = sent.turning?.length ? new Turning(this, sent.turning) : null;
    for (const one of [this.targets, this.turning]) if (one) atHead(page, one.element);
    this.modes = sent.movable ? new Modes(this) : null;
    this.constant = sent.constant ? new Constant(sent.constant, () => this.moved()) : null;
    this.fits = this.flows.length > 1 ? new Figures("Divergences, in nats", ["KL(p*‖p)", "KL(p‖p*)"]) : null;
    this.shares = this.fits && new Shares();
    this.square = sent.square
      ? new Square(this.carriers[0], sent.square, () => this.moved()) : null;
    this.sides = this.ofRatio ? new Figures("The ratio on both sides", ["in u", "in x"]) : null;
    this.curve = new LossCurve(this.training, () => this.objectives());
    const beside = [this.fits, this.shares, this.modes, this.constant, this.square, this.sides, this.curve];
    besidePictures(page, ...beside.filter(Boolean).map(({ element }) => element));
    this.showTarget(this.training.target);
    this.show();
    page.clock.join(() => {
      this.tellPlace();
      page.goals?.check(this.known());
    }, 1);
  }

  /** Something that is said beside the pictures is another now. */
  moved() {
    this.unsaid();
    this.tell();
    this.page.goals?.check(this.known());
  }

  // ---- what is shown -------------------------------------------------------------------------

  /** The views of the data's side: not those of the target pulled back. */
  get ofData() {
    const pulled = ({ model }) => model.get("carried").contours?.includes("pulled");
    return this.page.views.filter((view) => !pulled(view));
  }

  /** Let the pictures show a target, in its window as far as it has one. */
  showTarget(target) {
    this.outline(target);
    this.modes?.show();
    for (const { model } of this.ofData) {
      if (!target.seen) continue;
      model.set("window", target.seen);
      // A density is drawn over what is seen.
      model.set("images", model.get("images").map((mark) => ({ ...mark, extent: target.seen })));
    }
  }

  /** Draw a target's contours, and the lines that are of it. */
  outline(target) {
    const saved = target === this.first && !target.moved;
    for (const { model } of this.ofData) {
      const ways = model.get("carried").contours ?? [];
      model.set("contours", model.get("contours").map((mark, i) =>
        (ways[i] === "target" ? target.contours(mark) : mark)));
    }
    this.page.views.forEach(({ model }, i) => model.set("lines", saved ? this.lines[i] : []));
  }

  /** The target's modes are elsewhere: hold what is shown against it as it is now. */
  holdToTarget() {
    this.outline(this.training.target);
    for (const carrier of this.carriers) carrier.hold();
    this.curve.draw(this.moment);
    this.moved();
  }

  show(moving = false) {
    super.show(moving);
    this.measureSides(moving);
    if (this.samplesAlone) this.unseen = this.carriers[0].outside();
    this.tell();
    this.turning?.update();
    this.curve.draw(this.moment);
  }

  follow(view, set, place, index) {
    if (isMode(view, set)) {
      this.modes.move(index, place);
      return;
    }
    this.unsaid();
    super.follow(view, set, place);
    this.tell();
  }

  /** As the panel does: a point beyond its limit is refused in words, and stays where it was. */
  refuses(point) {
    const { most, words } = this.limit ?? { most: Infinity };
    const beyond = !point.every((x) => Math.abs(x) <= most);
    const there = `(${point.map((x) => formatNumber(x)).join(", ")})`;
    this.page.refuse(beyond ? words.replace("{}", there) : "");
    return beyond;
  }

  /** What each flow's loss measures: with two, its divergence from the target, above the minimum. */
  objectives() {
    const { training } = this;
    const { target, lossName } = training;
    const of = {
      descent: { name: "KL(p*‖p)", minimum: (step) => training.entropyAt(step) },
      pulled_descent: { name: "KL(p‖p*)", minimum: () => -target.sent.log_z },
    };
    if (this.flows.length === 1) return [{ name: lossName, minimum: () => 0, voice: "forward" }];
    return this.flows.map(({ objective }, i) => ({ ...of[objective], voice: this.page.views[i].get("voice") }));
  }

  // ---- what is said --------------------------------------------------------------------------

  /** What was said is of the state that was saved: it holds no longer. */
  unsaid() {
    if (Number.isNaN(this.page.saved)) return;
    this.page.saved = NaN;
    this.page.clock.tell(false);
  }

  /** The numbers of the marked point, beside the pictures. */
  tell() {
    const { tally, run, clock } = this.page;
    this.tellFits();
    const contributions = this.carriers.map((carrier) => carrier.contributions()).find(Boolean);
    this.contributions = contributions;
    /** Where the marked point is. */
    this.point = this.carriers[0].handle;
    if (!contributions) return;
    const stretches = clock.player.stretches;
    const layers = Array.from({ length: contributions.length / stretches }, (_, layer) =>
      contributions.slice(layer * stretches, (layer + 1) * stretches).reduce((a, b) => a + b, 0));
    let sum = 0;
    run.set("readout", { label: "Σ so far", values: [0, ...contributions.map((c) => (sum += c))] });
    tally?.set([layers]);
    this.layers = layers;
    this.square?.show(sum);
    this.tellRatio();
    clock.tell(false);
  }

  /** Whether samples on their way past a marked point are all that is seen. */
  get samplesAlone() {
    const carried = this.page.views[0].get("carried");
    return Boolean(carried.particles?.length && carried.paths) && !this.ofRatio;
  }

  /** What is seen where the player is: of a grid, or of samples on their way. */
  tellPlace() {
    const [{ volume }] = this.carriers;
    if (volume) this.page.say(overTheGrid(volume.low, volume.high));
    else if (this.samplesAlone && this.layers) {
      const { position, stretches, direction } = this.page.clock.player;
      const layer = Math.ceil(position / stretches - 1e-6);
      this.page.say(onTheWay(this.layers, layer, direction === "inverse", this.unseen));
    }
  }

  /** The carrier whose particles are coloured by p* / p, if there is one. */
  get ofRatio() {
    return this.carriers.find(({ view }) => view.get("coloured").particles === "ratio");
  }

  /** What draws of the target and of the base say on both sides; seldom, where more is to come. */
  measureSides(moving) {
    const carrier = this.ofRatio;
    if (!carrier?.target.density || (moving && performance.now() < carrier.next)) return;
    const { target, settings } = this.training;
    if (this.drawnOf !== target) {
      this.drawnOf = target;
      this.draws = [target.sample(DRAWS, settings.seed), new Float32Array(2 * DRAWS)];
      // A stream of its own: the target's draws may be made of the other's numbers.
      new Generator(settings.seed + 1).fillNormal(this.draws[1]);
    }
    carrier.seldom(() => { this.measured = carrier.sidesBy(...this.draws); });
  }

  /** log p* / p at the marked point, on both sides: by the flow, and by its inverse. */
  tellRatio() {
    const carrier = this.ofRatio;
    if (!carrier) return;
    const ratios = carrier.ratiosAt(this.point);
    this.ratio = Math.min(...ratios);
    this.sides.show([
      ["log p*/p", ratios.map((ratio) => formatNumber(ratio))],
      ["p*/p", ratios.map((ratio) => formatNumber(Math.exp(ratio)))],
      ["KL(p*‖p)", (this.measured?.kls ?? []).map(([value, error]) =>
        `${formatNumber(value)} ± ${formatNumber(error, 1)}`)],
      ["sliced W₁", (this.measured?.distances ?? []).map((value) => formatNumber(value))],
    ]);
    this.say(`log p*ᵤ/pᵤ = ${formatNumber(ratios[0])} at u, log p*/p = ${formatNumber(ratios[1])} at x.`);
  }

  /** Both divergences of two models whose densities are shown, and what they come to. */
  tellFits() {
    const fits = this.carriers.map(({ fit }) => fit);
    if (!this.fits || !fits.every(Boolean)) return;
    this.fits.show(fits.map(({ there, here, outside }, i) => {
      const voice = this.page.views[i].get("voice");
      const least = outside > WORTH_SAYING ? "≥ " : "";
      return [capital(voice), [formatNumber(there), least + formatNumber(here)], voice];
    }));
    const { film, done, target } = this.training;
    this.constant?.show(fits[1], target.sent.log_z);
    this.shares.show(target.movable ? target.modes : null, this.carriers.map((carrier) =>
      ({ voice: carrier.view.get("voice"), points: carrier.ended("particles") })));
    this.say(compared(...fits, film.moments[this.moment]?.step ?? done, this.linear));
  }

  /** Say something of this state, unless it is the one that was saved, which has its own words. */
  say(words) {
    if (this.page.saved === null || Number.isNaN(this.page.saved)) this.page.say(words);
  }

  /** What goals are told by. */
  known() {
    const { player } = this.page.clock;
    const total = (this.contributions ?? []).reduce((a, b) => a + b, 0);
    const fits = this.carriers.flatMap(({ fit }, i) => (fit
      ? [[`there ${i + 1}`, fit.there], [`here ${i + 1}`, fit.here]] : []));
    return {
      ...Object.fromEntries(fits),
      total,
      ratio: this.ratio,
      shrunk: this.measured ? this.measured.distances[0] / this.measured.distances[1] : NaN,
      moved: Number(this.training.target.moved),
      loss: this.constant?.loss,
      constant: Math.abs(this.constant?.log),
      area: this.square?.error,
      away: Math.abs(total),
      step: this.training.done,
      position: player.playing ? NaN : player.position / player.stretches,
      inverse: Number(player.direction === "inverse"),
      target: this.training.target.title,
    };
  }
}

/** Whether a handle of a view is a mode of the target. */
const isMode = (view, set) => view.get("carried").handles?.[set] === "modes";

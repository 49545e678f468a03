// A saved page whose pictures follow their handles: what the kernel would draw is recorded in it.

import { formatNumber } from "../charts/numbers.js";
import { Engine } from "../engine/engine.js";
import { floats } from "../stage/marks.js";
import { BesidePicture } from "./beside_picture.js";
import { Descent } from "./descent.js";
import { Sliders } from "./sliders.js";

export class Following {
  /**
   * @param {object} page {views, words, clock} of stage/standalone.js, and run, the run bar's model.
   * @param {object[]} sent for each stage {draw, moves, sliders, numbers, texts, table, plot, training}
   *   as parts/following.py writes it, or null.
   */
  static async begin(page, sent) {
    const engine = await Engine.start();
    const follows = sent.map((one, i) => one && new Follower(page, page.views[i], one, engine));
    return { engine, follows };
  }
}

/** One stage: a few numbers, what its handles make of them, and the picture that they make. */
class Follower {
  constructor(page, view, { draw, moves, sliders, numbers, texts, training, ...beside }, engine) {
    const pass = (file) => engine.read(file).prepare({ n: 1 });
    this.page = page;
    this.view = view;
    this.texts = texts;
    this.numbers = floats(numbers);
    this.picture = pass(draw);
    const move = ({ program, refused }) => ({ pass: pass(program), refused });
    this.moves = moves.map((set) => set.map(move));
    this.turns = sliders.map(move);
    this.request = 0;
    this.sliders = new Sliders(sliders, (i, value) => this.take(this.turns[i], [value, 0]));
    this.beside = new BesidePicture(page, beside, sliders.length ? [this.sliders] : []);
    view.carrier = this;
    this.paint();
    if (!training) return;
    const [step, back] = [training.step, training.back].map(pass);
    this.descent = new Descent(this, page.run, { ...training, step, back });
  }

  /** The user has a handle at a place. */
  follow(view, set, place, index) {
    this.take(this.moves[set][index], place);
  }

  /** Take what that makes of the numbers. */
  take({ pass, refused }, place) {
    pass.inputs.numbers.set(this.numbers);
    pass.inputs.place.set(place);
    pass.run();
    this.numbers.set(pass.output("numbers"));
    const [value] = pass.output("refused");
    this.page.refuse(Number.isNaN(value) ? "" : refused.replace("{}", formatNumber(value)));
    this.descent?.begin(0);
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.draw();
    });
  }

  unpacked() {}

  /** Take other numbers, and draw with them. */
  show(numbers) {
    this.numbers.set(numbers);
    this.draw();
  }

  /** Draw with the numbers as they are, and say what they come to. */
  draw() {
    this.paint();
    this.say();
    this.page.goals?.check(this.known());
  }

  /** The numbers that goals are told by. */
  known() {
    const { outs } = this.picture;
    const names = Object.keys(outs).filter((name) => name.startsWith("known."));
    const known = names.map((name) => [name.split(".")[1], this.picture.output(name)[0]]);
    return { ...Object.fromEntries(known), step: this.descent?.done ?? 0 };
  }

  paint() {
    const { picture, view } = this;
    picture.inputs.numbers.set(this.numbers);
    picture.run();
    this.sliders.show(this.numbers);
    const kinds = {};
    for (const name of Object.keys(picture.outs)) {
      const [kind, index, field] = name.split("."); // or of the picture: a window, a number that is said
      if (!field) continue;
      kinds[kind] ??= [...view.get(kind)];
      kinds[kind][index] = { ...kinds[kind][index], [field]: this.made(name, kind, field) };
    }
    for (const [kind, marks] of Object.entries(kinds)) view.model.set(kind, marks);
    if (picture.outs.window) view.model.set("window", [...picture.output("window")]);
    this.beside.show(picture, (name) => this.text(name, picture.output(name)[0]));
  }

  /** A field of a mark, as it comes from the kernel. */
  made(name, kind, field) {
    const data = this.picture.output(name).slice();
    if (this.texts[name]) return this.text(name, data[0]);
    if (field === "levels") return [...data];
    if (kind !== "handles") return { shape: this.picture.shapeOf(name), data };
    return Array.from({ length: data.length / 2 }, (_, i) => [data[2 * i], data[2 * i + 1]]);
  }

  text(name, number) {
    const [text, infinite] = this.texts[name];
    if (infinite && Math.abs(number) === Infinity) return infinite;
    return text.replace("{}", formatNumber(number));
  }

  /** What was said is of the state that was saved; the numbers of this one take its place. */
  say() {
    const said = Object.keys(this.texts).filter((name) => name.startsWith("said."));
    const { page, view } = this;
    page.say(said.map((name) => this.text(name, this.picture.output(name)[0])).join(" · "));
    view.model.set("description", page.words.textContent);
  }
}

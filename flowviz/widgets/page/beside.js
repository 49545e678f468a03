// The widget's entry: asks the kernel for the flows of a panel when one comes near their pictures
// or the sliders of their numbers, and lets them answer what is dragged, turned and, where that is chosen, trained.

import { hear } from "../signals.js";
import { clockFor } from "../stage/clock.js";
import { find } from "../stage/registry.js";

/** A training that has left for another target goes on once that rests for so many milliseconds. */
const REST = 400;

class BesideKernel {
  constructor(model) {
    this.model = model;
    this.beside = null; // what begin() of beside_page.js made
    this.have = -1; // the version that it is of
    this.fit = -1; // the fit
    this.later = null; // the timer of a training that is to go on
    this.asked = null; // {version, training} while an answer is awaited
    this.answered = null; // what to do then
    this.code = null; // beside_page.js: its text and its module
    this.run = null; // the run bar's model
    this.near = ({ target }) => {
      const turns = target.closest?.(".fv-turns");
      const concerns = ({ root }) =>
        root.contains(target) || (turns && root.closest(".fv-panel")?.contains(turns));
      if (this.views().some(concerns)) this.want(false);
    };
    const near = { capture: true, passive: true };
    document.addEventListener("pointerover", this.near, near);
    document.addEventListener("focusin", this.near, near);
    const answer = (message, buffers) => this.take(message, buffers);
    const changed = () => this.changed();
    model.on("msg:custom", answer);
    model.on("change:version change:trains", changed);
    this.ends = [
      hear("turned", (...turned) => this.turn(...turned)),
      hear(`press ${model.get("clock")}`, (kind, run) => this.press(kind, run)),
      () => document.removeEventListener("pointerover", this.near, near),
      () => document.removeEventListener("focusin", this.near, near),
      () => model.off("msg:custom", answer),
      () => model.off("change:version change:trains", changed),
    ];
  }

  views() {
    return this.model.get("stages").map(find).filter(Boolean);
  }

  /** Whether what is here does for that. */
  ready(training) {
    return this.have === this.model.get("version") && (!training || Boolean(this.beside?.training));
  }

  /** Have the flows of now, and what trains them; the answer comes later. */
  want(training) {
    const version = this.model.get("version");
    if (this.beside?.runs || this.beside?.leads || this.ready(training)) return;
    if (this.asked?.version === version && (this.asked.training || !training)) return;
    this.asked = { version, training };
    this.send({ kind: "flows", training, code: this.code === null });
  }

  /** Without a kernel nobody hears it, and the page goes on with what it has. */
  send(content, vectors = []) {
    try {
      this.model.send(content, undefined, vectors.map((v) => v.slice().buffer));
    } catch {
      this.asked = null;
    }
  }

  async take(message, [live]) {
    if (message?.kind !== "flows") return;
    const { version, training } = message;
    if (message.code) this.code = { text: message.code, module: await imported(message.code) };
    // Of two questions the later one counts.
    if (this.asked?.version !== version || this.asked.training !== training) return;
    this.leave();
    if (live) this.beside = await this.code.module.begin(this.page(), live, this.code.text);
    this.have = version;
    this.fit = this.model.get("fit");
    this.asked = null;
    this.changed();
    this.answered?.();
  }

  page() {
    const { model } = this;
    return {
      views: this.views(),
      clock: clockFor(model.get("clock")),
      run: this.run,
      tellKernel: (said, vectors) => this.send({ kind: "trained", ...said }, vectors),
    };
  }

  changed() {
    const { beside, model } = this;
    // An answer that is on its way is of what was before.
    if (this.asked?.training && this.asked.version !== model.get("version")) this.want(true);
    if (this.later !== null) this.goOn();
    if (!beside) return;
    beside.current = this.have === model.get("version");
    if (!beside.runs) return;
    // It is another flow now, another target for the same, or another place to train it in.
    if (!beside.current) {
      const goesOn = this.goesOn;
      if (goesOn) beside.news();
      this.leave();
      if (goesOn) this.goOn();
    } else if (!model.get("trains")) beside.training.press("train");
  }

  /** Whether what the page was training is to be trained on, if on something else. */
  get goesOn() {
    return this.model.get("trains") && this.fit === this.model.get("fit");
  }

  /** Train on, once what it is trained on rests. */
  goOn() {
    this.stay();
    if (!this.goesOn) return;
    this.later = setTimeout(() => {
      this.later = null;
      this.train("train", this.run);
    }, REST);
  }

  /** Let what has left stay as it is. */
  stay() {
    clearTimeout(this.later);
    this.later = null;
  }

  turn(...turned) {
    this.beside?.turn(...turned);
    return false;
  }

  // ---- training ------------------------------------------------------------------------------

  /** A button of the run bar was pressed; whether that is the page's business. */
  press(kind, run) {
    this.run = run;
    this.stay();
    const own = Boolean(this.beside?.runs);
    if (kind === "reset") {
      // What was trained here is forgotten; the kernel knows the rest.
      if (this.beside?.training) this.leave();
      return false;
    }
    if (!own && (!this.model.get("trains") || run.get("running"))) return false;
    this.train(kind, run);
    return true;
  }

  async train(kind, run) {
    if (!this.beside?.runs && !this.ready(true)) {
      run.set("status", "preparing");
      const answer = new Promise((resolve) => { this.answered = resolve; });
      this.want(true);
      await answer;
    }
    if (this.beside?.training) this.beside.training.press(kind);
    else run.send({ kind }); // It has said why the page cannot.
  }

  leave() {
    this.beside?.remove();
    this.beside = null;
    this.have = -1;
  }

  remove() {
    this.stay();
    this.leave();
    for (const end of this.ends) end();
  }
}

/** A module from its text. */
async function imported(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return (await import(address)).default;
  } finally {
    URL.revokeObjectURL(address);
  }
}

export default {
  initialize({ model }) {
    const beside = new BesideKernel(model);
    return () => beside.remove();
  },
};

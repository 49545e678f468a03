// Training in a page whose picture follows a few numbers: each step is a recorded function of them.

import { LearnedFilm } from "./film.js";

/** So many steps are drawn one by one, and later so many together. */
const SINGLE = 20;
const TOGETHER = 4;

export class Descent {
  /**
   * @param {Follower} follower whose numbers are trained.
   * @param {StillModel} run the run bar's.
   * @param {object} sent {step, back: passes of the numbers; done, steps, most}.
   */
  constructor(follower, run, { step, back, done, steps, most }) {
    Object.assign(this, { follower, run, step, back, steps, most });
    this.film = new LearnedFilm();
    this.clock = follower.page.clock;
    this.moment = -1;
    this.seek = (player) => this.showMoment(player.moment);
    run.send = ({ kind }) => this.press(kind);
    this.begin(done);
  }

  /** Be at step `done`, with the numbers as they are. */
  begin(done) {
    this.done = done;
    this.film.clear();
    this.last = this.follower.numbers.slice();
    this.film.keep(done, this.last);
    this.run.set("running", false);
    this.run.set("steps", Math.max(this.steps, done));
    this.tell(done ? "" : "not trained");
  }

  press(kind) {
    if (kind === "reset") {
      this.follower.numbers.set(play(this.back, this.last));
      this.begin(0);
      this.follower.draw();
    } else if (this.run.get("running")) this.end("paused");
    else this.start(kind === "step" ? this.done + 1 : null);
  }

  start(end) {
    if (end === null && this.done >= this.run.get("steps")) {
      // What is trained is not thrown away: as many steps again.
      this.run.set("steps", Math.min(this.done + this.steps, this.most));
    }
    this.until = Math.min(end ?? this.run.get("steps"), this.most);
    const first = play(this.step, this.last);
    if (first.every((number, k) => number === this.last[k])) return this.tell("nothing pulls");
    this.film.hide();
    this.run.set("running", true);
    return this.frame();
  }

  /** Some steps, and a picture of where they lead. */
  frame() {
    if (!this.run.get("running")) return;
    const count = Math.min(this.done < SINGLE ? 1 : TOGETHER, this.until - this.done);
    for (let i = 0; i < count; i++) this.last = play(this.step, this.last);
    this.done += count;
    this.film.keep(this.done, this.last);
    this.follower.show(this.last);
    if (this.done >= this.until) this.end(this.done < this.run.get("steps") ? "paused" : "");
    else {
      this.tell("");
      requestAnimationFrame(() => this.frame());
    }
  }

  end(why) {
    this.run.set("running", false);
    this.film.end(this.done, this.last);
    this.tell(why);
  }

  /** What is shown was there at a moment of the film, or is there now. */
  showMoment(moment) {
    if (moment === this.moment) return;
    this.moment = moment;
    this.follower.show(this.film.moments[moment]?.learned ?? this.last);
  }

  tell(status) {
    const { steps } = this.film;
    this.run.set("step", this.done);
    this.run.set("moments", steps);
    this.run.set("status", [status, "in this page"].filter(Boolean).join(" · "));
    this.clock.join(this.seek, 1, steps.length);
  }
}

/** What a pass makes of some numbers. */
function play(pass, numbers) {
  pass.inputs.numbers.set(numbers);
  pass.run();
  return pass.output("numbers").slice();
}

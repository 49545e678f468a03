// Under a prediction that is committed: how many of the class have answered, and once the lecturer
// shows it, what.

import { distribution } from "./distribution.js";
import { element } from "./elements.js";

export class Answers {
  /** `say(message)` tells the server an answer; `promise` is what is kept, in a sentence. */
  constructor(say, promise, student) {
    this.say = say;
    this.promise = promise;
    this.student = student;
    this.counts = true; // whether this browser's answers do
    this.known = {}; // by question: {answered, shown}
    this.places = []; // {place, question, told, …} of the predictions on this page
  }

  /** What the server tells: by question, {answered, shown}. */
  take(predictions) {
    Object.assign(this.known, predictions);
    for (const one of this.places) if (one.question in predictions) this.draw(one);
  }

  /** What a prediction on this page tells. */
  prediction(told) {
    const { place, question } = told;
    // A cell that is run again asks in another place.
    for (const one of this.places) if (one.question === question) one.node.remove();
    this.places = this.places.filter((one) => one.question !== question);
    if (told.answer === null) return;
    const one = { place, question, told, failed: "", ...this.build(told) };
    place.append(one.node);
    this.places.push(one);
    this.draw(one);
    if (told.fresh && this.counts) this.hand(one);
  }

  async hand(one) {
    const { question, told } = one;
    try {
      await this.say({ student: this.student, task: question, answer: told.answer });
    } catch (error) {
      one.failed = `Your answer has not reached the class: ${error.message}.`;
      this.draw(one);
    }
  }

  build(told) {
    const count = element("p", "fv-class-said");
    count.setAttribute("role", "status");
    const promise = element("p", "fv-class-promise", this.promise);
    const picture = distribution(told.kind, told);
    const title = element("p", "fv-class-title", "What the class answers");
    const shown = element("div", "fv-class-shown", title, picture.node);
    return { node: element("div", "fv-class-answers", count, shown, promise), count, shown, picture };
  }

  draw({ question, told, failed, count, shown, picture }) {
    const { answered = 0, shown: distribution_ = null } = this.known[question] ?? {};
    const words = failed || (this.counts ? counted(answered) : uncounted(answered));
    if (count.textContent !== words) count.textContent = words;
    shown.hidden = distribution_ === null;
    if (distribution_ !== null) picture.show(distribution_, { own: told.answer });
  }
}

/** How many have answered, in a sentence. */
export function counted(answered) {
  if (answered === 0) return "Committed."; // the count is on its way
  return `Committed. ${answered} of the class ${answered === 1 ? "has" : "have"} answered.`;
}

function uncounted(answered) {
  return `Committed, and not counted: this is the lecturer's browser. Answers of the class: ${answered}.`;
}

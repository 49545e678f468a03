// The predictions of a lesson on the lecturer's page.

import { distribution } from "./distribution.js";
import { button, element, some } from "./elements.js";

export class Lesson {
  /** `reveal({task, shown})` has the students see what was answered, or hides it. */
  constructor({ title, questions }, reveal) {
    this.cards = new Map(questions.map((asked) => [asked.text, card(asked, reveal)]));
    this.node = element("div", "fv-class-cards", ...[...this.cards.values()].map((one) => one.node));
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", title);
    this.answered = 0;
  }

  /** What the server tells of predictions; whether one of them is of this lesson. */
  take(predictions) {
    const ours = [...this.cards].filter(([text]) => text in predictions);
    for (const [text, one] of ours) one.take(predictions[text]);
    this.answered = [...this.cards.values()].reduce((sum, one) => sum + one.answered(), 0);
    return ours.length > 0;
  }
}

function card(question, reveal) {
  const { kind, text, options, answer } = question;
  const right = kind === "choice" ? options.indexOf(answer) : answer;
  let now = { answered: 0, revealed: false };
  const picture = distribution(kind, question);
  const count = element("span", "");
  const trouble = element("span", "fv-class-trouble");
  trouble.setAttribute("role", "alert");
  const press = button("", async () => {
    trouble.textContent = "";
    try {
      await reveal({ task: text, shown: !now.revealed });
    } catch (error) {
      trouble.textContent = error.message;
    }
  });
  const foot = element("p", "fv-class-presses", press, count, trouble);
  const node = element("article", "fv-class-card", element("h3", "", text), picture.node, foot);

  function take(told) {
    now = told;
    picture.show(told.shown, told.revealed ? { right } : {});
    node.classList.toggle("fv-class-empty", told.answered === 0);
    count.textContent = [
      told.answered ? some(told.answered, "answer") : "No answer yet",
      told.revealed ? "the students see this" : "hidden from the students",
    ].join(" · ");
    press.textContent = told.revealed ? "Hide" : "Reveal";
    press.setAttribute("aria-label", `${press.textContent}: ${text}`);
    press.disabled = told.answered === 0 && !told.revealed;
  }
  return { node, take, answered: () => now.answered };
}

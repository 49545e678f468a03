// A question with something to answer in, a button to commit, and the reason that appears once it
// is time. What was committed to is kept in the browser, for a page that is loaded again has a new
// kernel.

import { tell } from "../widgets/signals.js";
import { forget, read, write } from "./storage.js";

export function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function placeOf(model) {
  return `flowviz.predict.${model.get("question")}`;
}

/**
 * Take up what the page has kept, before anything is drawn. `traits(kept)`: the traits that hold
 * the answer, from what `keep` has made of it; null where it does not fit.
 */
export function takeUp(model, traits) {
  if (model.get("committed")) return;
  const kept = read(placeOf(model));
  const answer = kept && typeof kept === "object" ? traits(kept) : null;
  if (!answer) return;
  model.set({ ...answer, committed: true, tried: kept.tried === true });
  model.save_changes();
}

/**
 * Show the question.
 *
 * kind: {field (element to answer in), names (traits that it is drawn from), draw(committed,
 * verdict), ready() → whether there is something to commit to, hand() → the traits to commit, or
 * null if they cannot be, keep() → what the page keeps of the answer, told() → {kind, answer, …},
 * the answer for who listens}. Returns {draw, remove}.
 *
 * Tells "prediction" {place, question, kind, answer, fresh} in the page: `answer` is null once the
 * question is asked again, and `fresh` says whether it was committed just now.
 */
export function ask({ model, el }, kind) {
  el.classList.add("jupyter-widgets", "fv", "fv-predict");
  const form = element("form", "fv-predict-form");
  const commit = element("button", "fv-predict-commit", "Commit");
  commit.type = "submit";
  const answer = element("div", "fv-predict-answer");
  answer.setAttribute("role", "status");
  answer.tabIndex = -1;
  const again = element("button", "fv-predict-again", "Ask me again");
  again.type = "button";
  again.addEventListener("click", () => {
    forget(placeOf(model));
    model.send({ kind: "again" });
  });
  form.append(kind.field, commit, answer, again);
  let fresh = false; // whether it was committed on this page
  let told = false; // whether it is told
  let waits = false; // for what answers the commitment, to read it out
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (model.get("committed") || !kind.ready()) return;
    const handed = kind.hand();
    if (handed === null) return;
    waits = fresh = true;
    model.set({ ...handed, committed: true });
    model.save_changes();
  });

  // JupyterLab's notebook has keys of its own: arrows and Enter here are for the question.
  form.addEventListener("keydown", (event) => event.stopPropagation());

  function draw() {
    const committed = model.get("committed");
    const verdict = model.get("verdict");
    kind.draw(committed, verdict);
    commit.disabled = !kind.ready();
    commit.hidden = committed;
    again.hidden = verdict === "";
    const said = saying(committed, verdict);
    const unsaid = answer.textContent !== said.join("");
    if (unsaid) {
      const [words, ...why] = said;
      const paragraphs = why.map((text) => element("p", "", text));
      answer.replaceChildren(...(words ? [element("strong", "", words), ...paragraphs] : []));
    }
    if (committed) {
      write(placeOf(model), { ...kind.keep(), tried: verdict !== "" || model.get("tried") });
    }
    if (committed !== told) {
      told = committed;
      const answered = committed ? { ...kind.told(), fresh } : { answer: null, fresh: false };
      tell("prediction", { place: el, question: model.get("question"), ...answered });
      fresh = false;
    }
    if (waits && unsaid && said[0]) {
      waits = false;
      answer.focus({ preventScroll: true });
    }
  }

  function saying(committed, verdict) {
    if (verdict) {
      const mark = verdict === "right" ? "✓" : "✗";
      return [`${mark} ${model.get("heading")}`, ...model.get("why").split("\n")];
    }
    const experiment = model.get("experiment");
    return committed && experiment ? ["Your prediction stands.", experiment] : ["", ""];
  }

  el.append(form);
  const names = ["committed", "verdict", ...kind.names];
  for (const each of names) model.on(`change:${each}`, draw);
  draw();
  return {
    draw,
    remove() {
      for (const each of names) model.off(`change:${each}`, draw);
    },
  };
}

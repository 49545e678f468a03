// The goals of a panel: ticks that the browser keeps, a hint for who asks, what it showed.

import { followClasses } from "../classes.js";
import { tell } from "../signals.js";

const KEPT = "flowviz-goals";

// Storage may be forbidden; the ticks then last as long as the page.
function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep(panel, ticked) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...kept(), [panel]: ticked }));
  } catch { /* as above */ }
}

/** The goals ticked before on this machine, together with those reached now. */
export function together(before, panel, reached) {
  const earlier = Array.isArray(before[panel]) ? before[panel].filter(Number.isInteger) : [];
  return [...new Set([...earlier, ...reached])].sort((a, b) => a - b);
}

/** Draw the goals into `el`; returns what takes them away again. */
export function render({ model, el }) {
  el.classList.add("fv-goals");
  const leave = followClasses(model, el);
  const list = document.createElement("ol");
  const forget = document.createElement("button");
  forget.type = "button";
  forget.className = "fv-link";
  forget.textContent = "Forget my ticks";
  el.append(list, forget);
  let ticked = [];
  // Tells "reached" {panel, goal} in the page, but for what was so when the panel came.
  let told = model.get("reached");

  function item({ sentence, hint, said, elsewhere }, index) {
    const made = document.createElement("li");
    made.dataset.index = index;
    made.classList.toggle("fv-elsewhere", Boolean(elsewhere));
    const mark = document.createElement("span");
    mark.className = "fv-goal-mark";
    const words = document.createElement("p");
    words.textContent = sentence;
    const more = document.createElement("details");
    const ask = document.createElement("summary");
    ask.textContent = elsewhere ? "Not in this page" : "Hint";
    more.append(ask, elsewhere ? "For this one the panel itself is needed, with its kernel." : hint);
    const shown = document.createElement("p");
    shown.className = "fv-goal-said";
    shown.textContent = said;
    const text = document.createElement("div");
    text.className = "fv-goal-text";
    text.append(words, more, shown);
    made.append(mark, text);
    return made;
  }

  function tick() {
    const panel = model.get("panel");
    ticked = together(kept(), panel, [...ticked, ...model.get("reached")]);
    keep(panel, ticked);
    for (const goal of model.get("reached")) {
      if (!told.includes(goal)) tell("reached", { panel, goal });
    }
    told = model.get("reached");
    show();
  }

  function show() {
    const asked = model.get("asked") - 1;
    for (const [index, made] of [...list.children].entries()) {
      const done = ticked.includes(index);
      made.classList.toggle("fv-done", done);
      made.classList.toggle("fv-asked", index === asked);
      if (index === asked) made.setAttribute("aria-current", "step");
      else made.removeAttribute("aria-current");
      const mark = made.querySelector(".fv-goal-mark");
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", done ? "reached" : "not reached yet");
      made.querySelector(".fv-goal-said").hidden = !done;
      made.querySelector("details").hidden = done;
    }
    forget.hidden = ticked.length === 0;
  }

  function draw() {
    list.replaceChildren(...model.get("goals").map(item));
    tick();
  }

  forget.addEventListener("click", () => {
    ticked = [];
    keep(model.get("panel"), ticked);
    model.set("reached", []);
    model.save_changes();
    show();
  });
  model.on("change:goals", draw);
  model.on("change:reached", tick);
  model.on("change:asked", show);
  draw();
  return () => {
    model.off("change:goals", draw);
    model.off("change:reached", tick);
    model.off("change:asked", show);
    leave();
  };
}

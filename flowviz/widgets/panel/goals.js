// The goals of a panel: ticks that the browser keeps, a hint for who asks, what it showed.

import { followClasses } from "../classes.js";

const KEPT = "flowviz-goals";

// Storage may be forbidden; the ticks then last as long as the page.
function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

/** The goals ticked before on this machine, together with those reached now. */
export function together(before, panel, reached) {
  const earlier = Array.isArray(before[panel]) ? before[panel].filter(Number.isInteger) : [];
  return [...new Set([...earlier, ...reached])].sort((a, b) => a - b);
}

export default {
  render({ model, el }) {
    el.classList.add("fv-goals");
    const leave = followClasses(model, el);
    const list = document.createElement("ol");
    const forget = document.createElement("button");
    forget.type = "button";
    forget.className = "fv-link";
    forget.textContent = "Forget my ticks";
    el.append(list, forget);
    let ticked = [];

    function item({ sentence, hint, said }, index) {
      const made = document.createElement("li");
      made.dataset.index = index;
      const mark = document.createElement("span");
      mark.className = "fv-goal-mark";
      const words = document.createElement("p");
      words.textContent = sentence;
      const more = document.createElement("details");
      const ask = document.createElement("summary");
      ask.textContent = "Hint";
      more.append(ask, hint);
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
      const before = kept();
      const panel = model.get("panel");
      ticked = together(before, panel, [...ticked, ...model.get("reached")]);
      try {
        localStorage.setItem(KEPT, JSON.stringify({ ...before, [panel]: ticked }));
      } catch { /* as above */ }
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
      ticked = [...model.get("reached")];
      try {
        localStorage.setItem(KEPT, JSON.stringify({ ...kept(), [model.get("panel")]: ticked }));
      } catch { /* as above */ }
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
  },
};

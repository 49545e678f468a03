// A row of tabs over the widgets that follow it in their box; arrow keys move along it.

import { followClasses } from "./classes.js";
import { hintAtMore } from "./more.js";

/** The index that a key leads to from `at` among `count`, or null. */
export function alongTabs(key, at, count) {
  if (key === "ArrowRight") return (at + 1) % count;
  if (key === "ArrowLeft") return (at - 1 + count) % count;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return null;
}

let counter = 0;

export default {
  render({ model, el }) {
    el.classList.add("fv-tab-list");
    el.setAttribute("role", "tablist");
    const leave = followClasses(model, el);
    const id = `fv-tabs-${(counter += 1)}-${Math.random().toString(36).slice(2, 7)}`;
    let buttons = [];
    let chosen = 0;
    const offset = () => model.get("beside").length;
    // The style sheet knows where a narrow page begins.
    const offered = (index) => getComputedStyle(buttons[index]).display !== "none";
    const contents = () => [...(el.parentElement?.children ?? [])].filter((one) => one !== el);

    function choose(index, focus = false) {
      chosen = index;
      const slot = model.get("beside")[index]?.[1] ?? "own";
      el.closest(".fv-panel")?.setAttribute("data-fv-tab", slot);
      buttons.forEach((button, i) => {
        button.setAttribute("aria-selected", String(i === index));
        button.tabIndex = i === index ? 0 : -1;
      });
      const shown = Math.max(index - offset(), 0);
      contents().forEach((content, i) => {
        content.classList.toggle("fv-tab-away", i !== shown);
        content.id ||= `${id}-content-${i}`;
        content.setAttribute("role", "tabpanel");
        content.setAttribute("aria-label", model.get("names")[i] ?? "");
        buttons[i + offset()]?.setAttribute("aria-controls", content.id);
      });
      if (focus) buttons[index].focus();
      if (index >= offset()) tellOpened(model.get("names")[shown]);
    }

    /** The kernel draws what stands in a tab once somebody has seen it. */
    function tellOpened(name) {
      const opened = model.get("opened");
      if (!name || opened.includes(name)) return;
      model.set("opened", [...opened, name]);
      model.save_changes();
    }

    function draw() {
      const beside = model.get("beside");
      buttons = [...beside.map(([name]) => name), ...model.get("names")].map((name, index) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = index < beside.length ? `fv-tab fv-tab-${beside[index][1]}` : "fv-tab";
        button.textContent = name;
        button.setAttribute("role", "tab");
        button.addEventListener("click", () => choose(index));
        button.addEventListener("keydown", (event) => {
          const to = alongTabs(event.key, index, buttons.length);
          if (to === null) return;
          event.preventDefault();
          event.stopPropagation();
          choose(to, true);
        });
        return button;
      });
      el.replaceChildren(...buttons);
      // Style that comes late hides one of these, and leaves the row as large as it was.
      buttons.slice(0, offset()).forEach((button) => sized.observe(button));
      settle();
      hintAtMore(el);
    }

    /** On a phone one starts with what there is to choose; elsewhere that stands beside. */
    function settle() {
      choose(buttons.findIndex((_, index) => offered(index)));
    }

    const turn = () => {
      const at = model.get("names").indexOf(model.get("chosen"));
      if (at >= 0) choose(at + offset());
    };
    let narrow = null;
    const sized = new ResizeObserver(() => {
      const before = narrow;
      narrow = buttons.filter((_, index) => index < offset() && offered(index)).length;
      if (before === null || narrow > before || !offered(chosen)) settle();
      else choose(chosen);
      hintAtMore(el);
      if (before === null && model.get("chosen")) turn();
    });
    sized.observe(el);
    el.addEventListener("scroll", () => hintAtMore(el), { passive: true });
    model.on("change:names", draw);
    model.on("change:chosen", turn);
    draw();
    requestAnimationFrame(() => {
      settle();
      turn();
    });
    return () => {
      sized.disconnect();
      model.off("change:names", draw);
      model.off("change:chosen", turn);
      leave();
    };
  },
};

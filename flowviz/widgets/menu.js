// A menu: its name above, and what can be chosen under headings.

import { followClasses } from "./classes.js";

/** [name, title, heading] entries as [heading, [[name, title], …]], in their order. */
export function underHeadings(options) {
  const groups = [];
  for (const [name, title, heading] of options) {
    if (groups.at(-1)?.[0] !== heading) groups.push([heading, []]);
    groups.at(-1)[1].push([name, title]);
  }
  return groups;
}

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv-control");
    const leave = followClasses(model, el);
    const label = document.createElement("label");
    label.className = "widget-label";
    const menu = document.createElement("select");
    menu.id = `fv-menu-${Math.random().toString(36).slice(2)}`;
    label.htmlFor = menu.id;
    el.append(label, menu);

    function fill() {
      menu.replaceChildren(...underHeadings(model.get("options")).map(([heading, entries]) => {
        const group = document.createElement("optgroup");
        group.label = heading;
        group.append(...entries.map(([name, title]) => new Option(title, name)));
        return group;
      }));
      choose();
    }

    function choose() {
      menu.value = model.get("value");
    }

    function describe() {
      label.textContent = model.get("description");
      el.title = model.get("tooltip");
    }

    menu.addEventListener("change", () => {
      model.set("value", menu.value);
      model.save_changes();
    });
    const words = "change:description change:tooltip";
    model.on("change:options", fill);
    model.on("change:value", choose);
    model.on(words, describe);
    fill();
    describe();
    return () => {
      model.off("change:options", fill);
      model.off("change:value", choose);
      model.off(words, describe);
      leave();
    };
  },
};

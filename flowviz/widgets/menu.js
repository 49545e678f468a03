// A menu: its name above, and what can be chosen under headings.

import { labelled } from "./labelled.js";

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
    const [menu, leave] = labelled(model, el, "select");

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

    menu.addEventListener("change", () => {
      model.set("value", menu.value);
      model.save_changes();
    });
    model.on("change:options", fill);
    model.on("change:value", choose);
    fill();
    return () => {
      model.off("change:options", fill);
      model.off("change:value", choose);
      leave();
    };
  },
};

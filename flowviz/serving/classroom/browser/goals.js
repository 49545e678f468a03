// The goals of the panels, and how many have reached each.

import { element, some } from "./elements.js";

/** {nodes, take(goals, students)}: a card a panel, and what the server tells of some of them. */
export function goalsOf(panels) {
  const cards = new Map(panels.map((panel) => [panel.name, card(panel)]));
  let known = {};
  return {
    nodes: [...cards.values()].map(({ node }) => node),
    take(goals, students) {
      known = { ...known, ...goals };
      for (const [name, reached] of Object.entries(known)) cards.get(name).take(reached, students);
    },
  };
}

function card({ title, goals }) {
  const rows = goals.map((sentence) => {
    const fill = element("i", "");
    const bar = element("span", "fv-class-bar", fill);
    bar.setAttribute("aria-hidden", "true");
    const count = element("span", "fv-class-count");
    return { fill, count, row: element("li", "", element("span", "fv-class-option", sentence), bar, count) };
  });
  const list = element("ol", "fv-class-bars", ...rows.map(({ row }) => row));
  function take(reached, students) {
    rows.forEach(({ fill, count }, index) => {
      fill.style.transform = `scaleX(${students ? reached[index] / students : 0})`;
      count.textContent = reached[index] ? some(reached[index], "student") : "nobody yet";
    });
  }
  return { take, node: element("article", "fv-class-card", element("h3", "", title), list) };
}

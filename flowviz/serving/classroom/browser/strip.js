// The strip at the foot of a page: who leads, and how to let go.

import { button, element } from "./elements.js";

/** {show(words, ...buttons)}: words "" for no strip; a button is [text, press] or [text, address]. */
export function strip() {
  const said = element("p", "");
  said.setAttribute("role", "status");
  const presses = element("span", "fv-class-presses");
  const node = element("aside", "fv fv-class-strip", said, presses);
  node.setAttribute("aria-label", "Class");
  node.hidden = true;
  document.body.append(node);
  const root = document.documentElement;
  // What is above it ends where it begins.
  new ResizeObserver(() => {
    root.style.setProperty("--fv-class-strip", `${node.offsetHeight}px`);
    dispatchEvent(new Event("resize"));
  }).observe(node);
  let drawn = "";

  function show(words, ...buttons) {
    const now = JSON.stringify([words, buttons.map(([text]) => text)]);
    if (now === drawn) return;
    drawn = now;
    const held = node.contains(document.activeElement);
    node.hidden = words === "";
    root.classList.toggle("fv-class-on", words !== "");
    said.textContent = words;
    presses.replaceChildren(...buttons.map(([text, does]) => {
      if (typeof does !== "string") return button(text, does);
      const link = element("a", "fv-class-button", text);
      link.href = does;
      link.target = "_blank";
      return link;
    }));
    if (held) presses.firstElementChild?.focus();
  }
  return { show };
}

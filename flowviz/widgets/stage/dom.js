// Making elements in few words.

/** An element with attributes (a function is a listener, true an empty attribute) and children. */
export function make(tag, attributes = {}, ...children) {
  const svg = tag === "svg" || tag === "path";
  const element = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A 16 × 16 picture of one path. */
export function icon(path) {
  return make(
    "svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    make("path", { d: path, fill: "currentColor" }),
  );
}

let counter = 0;

/** An id that no other element of the page has. */
export function freshId() {
  counter += 1;
  return `fv-stage-${Math.random().toString(36).slice(2, 8)}-${counter}`;
}

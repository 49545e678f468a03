// Elements, and small words.

/** An element with a class; what follows is put into it. */
export function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** An SVG element with attributes. */
export function drawn(tag, attributes, ...content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

export function button(text, onClick, className = "") {
  const made = element("button", `fv-class-button ${className}`, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** So many of something: "1 answer", "14 answers". */
export function some(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** A share of a whole, such as "31 %"; nothing of nothing is 0 %. */
export function percent(count, total) {
  return `${total ? Math.round((100 * count) / total) : 0} %`;
}

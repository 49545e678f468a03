// How wide a text will be, and how it is broken into lines.

/** widthOf(text, px) in a font family. */
export function textWidths(font) {
  const context = document.createElement("canvas").getContext("2d");
  return (text, px) => {
    context.font = `${px}px ${font}`;
    return context.measureText(text).width;
  };
}

/** `text` in lines of at most `width` pixels, broken between words. */
export function lines(text, px, width, widthOf) {
  const made = [];
  for (const word of text.split(" ")) {
    const longer = made.length ? `${made.at(-1)} ${word}` : word;
    if (made.length && widthOf(longer, px) <= width) made[made.length - 1] = longer;
    else made.push(word);
  }
  return made;
}

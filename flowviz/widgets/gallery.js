// One choice among pictures: a radio group of thumbnails.

import { followClasses } from "./classes.js";

const COLUMNS = 4;

/** The index that a key leads to from `at`, or null if the key does not move. */
export function moved(key, at, count) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[key];
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (step === undefined) return null;
  const to = at + step;
  if (Math.abs(step) === 1) return (to + count) % count;
  return to >= 0 && to < count ? to : at;
}

// The picture is a mask over the accent colour, so it follows the theme by itself.
function mask(pixels, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) image.data[4 * i + 3] = pixels[i];
  context.putImageData(image, 0, 0);
  return `url(${canvas.toDataURL()})`;
}

export default {
  render({ model, el }) {
    el.classList.add("fv-gallery");
    const leave = followClasses(model, el);
    const label = document.createElement("div");
    label.className = "fv-gallery-label";
    const group = document.createElement("div");
    group.className = "fv-gallery-tiles";
    group.setAttribute("role", "radiogroup");
    el.append(label, group);

    let tiles = [];

    function choose(index, focus) {
      model.set("value", model.get("tiles")[index].name);
      model.save_changes();
      if (focus) tiles[index].focus();
    }

    function tile({ title, height, width, pixels }, index) {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "fv-tile";
      made.title = title;
      made.setAttribute("role", "radio");
      made.setAttribute("aria-label", title);
      if (pixels?.byteLength) {
        const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
        const picture = document.createElement("span");
        picture.className = "fv-tile-picture";
        picture.style.maskImage = mask(bytes, width, height);
        made.append(picture);
      } else {
        made.append(title);
        made.classList.add("fv-tile-text");
      }
      made.addEventListener("click", () => choose(index, false));
      made.addEventListener("keydown", (event) => {
        const to = moved(event.key, index, tiles.length);
        if (to === null) return;
        event.preventDefault();
        choose(to, true);
      });
      return made;
    }

    function mark() {
      const value = model.get("value");
      const at = model.get("tiles").findIndex(({ name }) => name === value);
      tiles.forEach((made, index) => {
        made.setAttribute("aria-checked", String(index === at));
        made.tabIndex = index === Math.max(at, 0) ? 0 : -1;
      });
      label.textContent = model.get("description");
      group.setAttribute("aria-label", model.get("description"));
    }

    function draw() {
      const focused = tiles.indexOf(document.activeElement);
      tiles = model.get("tiles").map(tile);
      group.replaceChildren(...tiles);
      mark();
      if (focused >= 0) tiles[Math.min(focused, tiles.length - 1)]?.focus();
    }

    const marks = "change:value change:description";
    model.on("change:tiles", draw);
    model.on(marks, mark);
    draw();
    return () => {
      model.off("change:tiles", draw);
      model.off(marks, mark);
      leave();
    };
  },
};

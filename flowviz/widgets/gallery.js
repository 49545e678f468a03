// One choice among pictures: a radio group of named thumbnails, and all of them behind the last.

import { followClasses } from "./classes.js";

const COLUMNS = 3;

/** The index that a key leads to from `at`, or null if the key does not move. */
export function moved(key, at, count, columns = COLUMNS) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (step === undefined) return null;
  const to = at + step;
  if (Math.abs(step) === 1) return (to + count) % count;
  return to >= 0 && to < count ? to : at;
}

/** The names in sight: the favourites, of which the last gives way to a chosen one that is none. */
export function inSight(favourites, value) {
  if (favourites.length === 0 || favourites.includes(value)) return favourites;
  return [...favourites.slice(0, -1), value];
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

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

export default {
  render({ model, el }) {
    el.classList.add("fv-gallery");
    const leave = followClasses(model, el);
    const chosen = element("b", "");
    const label = element("div", "fv-gallery-label");
    const group = element("div", "fv-gallery-tiles");
    const all = element("div", "fv-gallery-all");
    all.setAttribute("role", "dialog");
    all.hidden = true;
    el.append(label, group, all);
    const masks = new Map();
    let openAll = null;

    function choose(name) {
      model.set("value", name);
      model.save_changes();
    }

    function picture({ name, height, width, pixels }) {
      const made = element("span", "fv-tile-picture");
      if (!masks.has(name)) {
        masks.set(name, mask(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength), width, height));
      }
      made.style.maskImage = masks.get(name);
      return made;
    }

    /** How many stand in a row, which is a matter of the width. */
    const columnsOf = (one) => {
      const grid = one.closest(".fv-gallery-grid, .fv-gallery-tiles");
      return grid ? getComputedStyle(grid).gridTemplateColumns.split(" ").length : COLUMNS;
    };

    /** A radio button for each of the tiles; `done` is told when one is chosen by a click. */
    function radios(tiles, done) {
      const value = model.get("value");
      const at = Math.max(tiles.findIndex(({ name }) => name === value), 0);
      const made = tiles.map((tile, index) => {
        const pictured = tile.pixels?.byteLength;
        const frame = pictured
          ? element("span", "fv-tile-frame", picture(tile))
          : element("span", "fv-tile-frame fv-tile-text", tile.title);
        const under = element("span", "fv-tile-name", pictured ? tile.short : "");
        const one = element("button", "fv-tile", frame, under);
        one.type = "button";
        one.title = tile.title;
        one.dataset.name = tile.name;
        one.setAttribute("role", "radio");
        // Who says what is written under it means it.
        const named = tile.title.includes(tile.short) ? tile.title : `${tile.short}: ${tile.title}`;
        one.setAttribute("aria-label", named);
        one.setAttribute("aria-checked", String(tile.name === value));
        one.tabIndex = index === at ? 0 : -1;
        one.addEventListener("click", () => {
          choose(tile.name);
          done();
        });
        one.addEventListener("keydown", (event) => {
          const to = moved(event.key, index, tiles.length, columnsOf(one));
          if (to === null) return;
          event.preventDefault();
          event.stopPropagation();
          const home = all.contains(one) ? all : group; // this one is replaced by the choice
          choose(tiles[to].name);
          home.querySelector(`[data-name="${tiles[to].name}"]`)?.focus();
        });
        return one;
      });
      return made;
    }

    function draw() {
      const tiles = model.get("tiles");
      const value = model.get("value");
      const focused = el.contains(document.activeElement) ? document.activeElement.dataset.name : null;
      const few = inSight(model.get("favourites"), value);
      const shown = few.length ? few.map((name) => tiles.find((tile) => tile.name === name)) : tiles;
      const radio = element("div", "fv-gallery-radios", ...radios(shown.filter(Boolean), () => {}));
      radio.setAttribute("role", "radiogroup");
      radio.setAttribute("aria-label", model.get("description"));
      group.replaceChildren(radio);
      openAll = null;
      if (few.length) {
        openAll = element("button", "fv-tile fv-tile-all",
          element("span", "fv-tile-frame fv-tile-text", `all ${tiles.length} …`));
        openAll.type = "button";
        openAll.setAttribute("aria-haspopup", "dialog");
        openAll.setAttribute("aria-expanded", String(!all.hidden));
        openAll.addEventListener("click", () => show(all.hidden));
        radio.after(openAll);
      }
      label.replaceChildren(`${model.get("description")} `, chosen);
      chosen.textContent = tiles.find(({ name }) => name === value)?.title ?? "";
      if (!all.hidden) fillAll();
      if (focused) (all.hidden ? group : all).querySelector(`[data-name="${focused}"]`)?.focus();
    }

    function fillAll() {
      const grid = element("div", "fv-gallery-grid", ...radios(model.get("tiles"), () => show(false)));
      grid.setAttribute("role", "radiogroup");
      grid.setAttribute("aria-label", `All: ${model.get("description")}`);
      all.replaceChildren(grid);
    }

    function show(open) {
      all.hidden = !open;
      openAll?.setAttribute("aria-expanded", String(open));
      if (!open) return openAll?.focus();
      fillAll();
      place();
      return all.querySelector('[tabindex="0"]')?.focus();
    }

    /** Beside the tiles, inside the window: the column that they stand in would cut it off. */
    function place() {
      const home = group.getBoundingClientRect();
      const room = Math.min(560, innerWidth - 16);
      all.style.width = `${room}px`;
      all.style.left = `${Math.min(home.left, innerWidth - room - 8)}px`;
      const height = all.offsetHeight;
      all.style.top = `${Math.max(8, Math.min(home.top, innerHeight - height - 8))}px`;
    }

    all.setAttribute("aria-label", "All that can be chosen");
    all.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      show(false);
    });
    const outside = (event) => {
      if (!all.hidden && !el.contains(event.target)) {
        all.hidden = true;
        openAll?.setAttribute("aria-expanded", "false");
      }
    };
    document.addEventListener("pointerdown", outside);
    const changes = "change:tiles change:value change:description change:favourites";
    const renew = () => masks.clear();
    model.on("change:tiles", renew);
    model.on(changes, draw);
    draw();
    return () => {
      document.removeEventListener("pointerdown", outside);
      model.off("change:tiles", renew);
      model.off(changes, draw);
      leave();
    };
  },
};

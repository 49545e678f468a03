// The layer strip: a small picture of every state, the present one marked.

import { make } from "./dom.js";
import { drawBars } from "./legend.js";
import { Picture } from "./picture.js";
import { symbol } from "./transport.js";

/** More thumbnails than this are not told apart; long chains show evenly chosen states. */
const MOST = 9;
const PARTICLES = 600;

/** Which of the states 0…last have a thumbnail: those after whole layers, if there are some. */
export function chosenStates(last, stretches = 1) {
  const layers = last / stretches;
  if (stretches > 1 && layers >= MOST / 2) {
    return chosenStates(layers).map((layer) => layer * stretches);
  }
  if (last < MOST) return Array.from({ length: last + 1 }, (_, state) => state);
  return Array.from({ length: MOST }, (_, i) => Math.round((i * last) / (MOST - 1)));
}

export class Strip {
  /** jump(state): the user chose a thumbnail. */
  constructor({ jump }) {
    this.jump = jump;
    this.element = make("div", { class: "fv-stage-strip", role: "group", "aria-label": "States" });
    this.legend = make("canvas", { class: "fv-stage-legend", "aria-hidden": "true" });
    this.tiles = [];
    this.current = false; // whether the thumbnails show the present data
  }

  setFrames(frames, names, stretches, unit) {
    const last = frames - 1;
    const key = JSON.stringify([frames, names, stretches, unit]);
    if (key === this.key) return false;
    this.key = key;
    this.current = false;
    this.tiles = chosenStates(last, stretches).map((state) => {
      const picture = new Picture({ most: PARTICLES });
      const short = symbol(state, last, stretches, unit);
      const caption = names[state] ? `${short}, ${names[state]}` : short;
      const holder = make("div", { class: "fv-stage-thumb" }, picture.pixels, picture.marks);
      const button = make(
        "button",
        {
          type: "button", class: "fv-stage-tile", title: caption,
          "aria-label": `Go to ${caption}`, click: () => this.jump(state),
        },
        make("span", { class: "fv-stage-symbol" }, short), holder,
      );
      return { state, picture, holder, button };
    });
    this.element.replaceChildren(...this.tiles.map((tile) => tile.button));
    this.element.style.setProperty("--fv-states", this.tiles.length);
    return true;
  }

  resize(window) {
    this.current = false;
    for (const { picture, holder } of this.tiles) {
      const width = holder.clientWidth;
      if (width === 0) continue;
      const { height } = picture.resize({ width, window, axes: false });
      holder.style.height = `${height}px`;
    }
  }

  /** Draw the thumbnails, where the data, the theme or the size has changed. */
  draw(scene, theme, tables) {
    if (this.current) return;
    this.current = true;
    for (const { picture, state } of this.tiles) {
      if (!picture.layout) continue;
      picture.stale();
      picture.draw(scene, state, theme, tables);
    }
    // One legend for all the thumbnails: they have no room for theirs.
    drawBars(this.legend, scene, theme, tables);
  }

  /** Mark the thumbnail nearest to the position. */
  mark(position) {
    const away = this.tiles.map(({ state }) => Math.abs(state - position));
    const nearest = away.indexOf(Math.min(...away));
    this.tiles.forEach(({ button }, i) => {
      if (i === nearest) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
  }
}

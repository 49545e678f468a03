// The layer strip: a small picture of every state, the present one marked.

import { make } from "./dom.js";
import { LEGEND_HEIGHT, drawLegends, legends, legendsWidth } from "./legend.js";
import { Picture } from "./picture.js";
import { symbol } from "./transport.js";

/** More thumbnails than this are not told apart; long chains show evenly chosen states. */
const MOST = 9;
const PARTICLES = 600;
/** The one legend is that of a picture so wide: thumbnails have no room for theirs. */
const WIDE = 486;

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
      const picture = new Picture({ most: PARTICLES, legend: false });
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
    this.drawLegend(scene, theme, tables);
  }

  /** One legend for all the thumbnails. */
  drawLegend(scene, theme, tables) {
    const count = legends(scene).length;
    this.legend.hidden = count === 0;
    const context = this.legend.getContext("2d");
    const width = Math.ceil(legendsWidth(context, scene, WIDE, theme));
    const height = count * (LEGEND_HEIGHT + 6);
    const ratio = globalThis.devicePixelRatio || 1;
    this.legend.width = Math.round(width * ratio);
    this.legend.height = Math.round(height * ratio);
    Object.assign(this.legend.style, { width: `${width}px`, height: `${height}px` });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    // Its lower right corner, less the distance that legends keep from the edges.
    const box = { left: width + 6 - WIDE, top: 6, width: WIDE, height };
    drawLegends(context, scene, box, theme, tables);
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

// Taking the picture away: a PNG of what is seen, and a page that plays without a kernel.

import { RING } from "./handles.js";
import { drawBars } from "./legend.js";
import { Picture, sketchAll, viewOf } from "./picture.js";
import { page } from "./shell.js";
import { chosenStates } from "./strip.js";
import { symbol, whereabouts } from "./transport.js";

/** The traits that make up a stage; what a stand-alone page holds of each. */
export const STATE = [
  "particles", "grids", "images", "contours", "fields", "paths", "shapes", "lines", "handles", "film",
  "window", "title", "description", "state_names", "position", "playing", "speed", "loop",
  "stretches", "direction", "unit", "unit_range", "reversible", "strip", "axes", "aspect",
  "axis_titles", "readout", "picked", "picked_name", "picking", "carried", "coloured",
];

function base64(data) {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(text);
}

/** A copy of a value with every buffer as base64 text. */
export function plain(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return base64(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  }
  return value;
}

/**
 * The stand-alone page of the models of one or more stages, side by side on one clock.
 *
 * titles: over each stage, by default its own; voices: "forward", "reverse" or "", their colours.
 */
export function standalonePage(models, { title, titles = [], voices = [] } = {}) {
  return page({
    title: title || models[0].get("title") || "flowviz",
    css: models[0].get("_css"),
    esm: models[0].get("_esm"),
    state: {
      title: title ?? "",
      stages: models.map((model, i) => ({
        ...Object.fromEntries(STATE.map((name) => [name, plain(model.get(name))])),
        title: titles[i] ?? model.get("title"),
        voice: voices[i] ?? "",
      })),
    },
  });
}

/** Save the stand-alone page of these views under a name without ending; see standalonePage. */
export function savePage(views, title, name, more = {}) {
  const text = standalonePage(views.map((view) => view.model), { title, ...more });
  download(new Blob([text], { type: "text/html" }), `${name}.html`);
}

/** Save what these views show, side by side, as a PNG under a name without ending. */
export async function savePng(views, name) {
  download(await png(views), `${name}.png`);
}

/** Offer a file to the user. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A file name from a title, without ending. */
export function fileName(title) {
  const base = (title || "").normalize("NFKD").replace(/[^\w]+/g, "-").replace(/^-|-$/g, "");
  return base.toLowerCase() || "flowviz";
}

const PAD = 12;

/** A promise of a PNG blob of what these views show, side by side. */
function png(views) {
  const pictures = views.map(still);
  const canvas = document.createElement("canvas");
  canvas.width = pictures.reduce((sum, picture) => sum + picture.width, 0);
  canvas.height = Math.max(...pictures.map((picture) => picture.height));
  const context = canvas.getContext("2d");
  context.fillStyle = views[0].theme.css.card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  let left = 0;
  for (const picture of pictures) {
    context.drawImage(picture, left, 0);
    left += picture.width;
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no PNG came"))), "image/png");
  });
}

/** A canvas of what a view shows, twice as sharp as css pixels at least, with title and whereabouts. */
function still(view) {
  const { scene, theme, tables } = view;
  const strip = view.get("strip");
  const title = view.get("title");
  const names = view.get("state_names");
  const stretches = view.get("stretches");
  const { position } = view.player;
  const last = scene.frames - 1;
  const tiles = strip
    ? chosenStates(last, stretches).map((state) => (
      { position: state, caption: symbol(state, last, stretches, view.unit()) }))
    : [{ position, caption: "" }];
  const ratio = Math.max(globalThis.devicePixelRatio || 1, 2);
  const bars = document.createElement("canvas");
  const [barsWidth, barsHeight] = strip ? drawBars(bars, scene, theme, tables, ratio) : [0, 0];
  const head = Math.max(title ? 28 : 0, barsHeight);
  const captions = strip ? 20 : 0;
  const foot = !strip && last > 0 ? 24 : 0;
  const wide = view.root.clientWidth;
  const each = Math.max((wide - PAD * (tiles.length - 1)) / tiles.length, 60);
  const picture = new Picture();
  const { width, height } = picture.resize(
    strip ? { width: each, window: view.get("window"), axes: false } : view.box(), ratio,
  );
  const canvas = document.createElement("canvas");
  const whole = width * tiles.length + PAD * (tiles.length - 1);
  canvas.width = Math.round((whole + 2 * PAD) * ratio);
  canvas.height = Math.round((height + head + captions + foot + 2 * PAD) * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = theme.css.card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = theme.css.ink;
  context.textBaseline = "top";
  context.font = `600 15px ${theme.font}`;
  if (title) context.fillText(title, PAD, PAD);
  if (barsHeight) {
    context.drawImage(bars, PAD + whole - barsWidth, PAD, barsWidth, barsHeight);
  }
  tiles.forEach((tile, i) => {
    const x = PAD + i * (width + PAD);
    const y = PAD + head + captions;
    context.fillStyle = theme.css.muted;
    context.font = `12px ${theme.font}`;
    context.textBaseline = "top";
    context.fillText(tile.caption, x, y - captions);
    picture.draw(scene, tile.position, theme, tables);
    const { plot } = picture.layout;
    context.drawImage(picture.pixels, x + plot.left, y + plot.top, plot.width, plot.height);
    context.save();
    context.translate(x, y);
    sketchAll(context, scene, picture.layout, tile.position, theme, tables);
    drawHandles(context, scene, picture.layout, theme);
    context.restore();
  });
  if (foot > 0) {
    context.fillStyle = theme.css.muted;
    context.font = `12px ${theme.font}`;
    context.textBaseline = "bottom";
    const where = whereabouts(position, last, names, stretches, view.unit());
    context.fillText(where, PAD, canvas.height / ratio - PAD);
  }
  return canvas;
}

function drawHandles(context, scene, layout, theme) {
  const view = viewOf(layout.window, layout.plot, 1);
  context.lineWidth = 2;
  context.fillStyle = theme.css.card;
  context.strokeStyle = theme.css.ink;
  for (const [x, y] of scene.marks.handles.flatMap((mark) => mark.points)) {
    context.beginPath();
    context.arc(view.x(x), view.y(y), RING * view.grown, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

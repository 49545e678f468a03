// Taking the picture away: a PNG of what is seen, and a page that plays without a kernel.

import { Picture, sketchAll, viewOf } from "./picture.js";
import { page } from "./shell.js";
import { whereabouts, symbol } from "./transport.js";
import { chosenStates } from "./strip.js";

/** The traits that make up a stage; what a stand-alone page holds. */
export const STATE = [
  "particles", "grids", "images", "contours", "fields", "paths", "shapes", "handles",
  "window", "title", "description", "state_names", "position", "playing", "speed", "loop",
  "stretches", "direction", "transport", "strip", "axes", "readout", "picked", "picking", "max_width",
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

/** The stand-alone page of a model. */
export function standalonePage(model) {
  return page({
    title: model.get("title") || "flowviz",
    css: model.get("_css"),
    esm: model.get("_esm"),
    state: Object.fromEntries(STATE.map((name) => [name, plain(model.get(name))])),
  });
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

/** A file name from a title. */
export function fileName(title, ending) {
  const base = (title || "flowviz").normalize("NFKD").replace(/[^\w]+/g, "-").replace(/^-|-$/g, "");
  return `${base.toLowerCase() || "flowviz"}.${ending}`;
}

/**
 * What is seen, twice as sharp as css pixels at least, with title and whereabouts.
 *
 * Returns a promise of a PNG blob.
 */
export function png({
  scene, window, axes, strip, width, title, position, names, stretches, theme, tables,
}) {
  const last = scene.frames - 1;
  const tiles = strip
    ? chosenStates(last, stretches).map((state) => (
      { position: state, caption: symbol(state, last, stretches) }))
    : [{ position, caption: "" }];
  const ratio = Math.max(globalThis.devicePixelRatio || 1, 2);
  const pad = 12;
  const head = title ? 28 : 0;
  const captions = strip ? 20 : 0;
  const foot = !strip && last > 0 ? 24 : 0;
  const each = strip ? Math.max((width - pad * (tiles.length - 1)) / tiles.length, 60) : width;
  const picture = new Picture();
  const height = picture.resize(each, window, axes && !strip, ratio);
  const canvas = document.createElement("canvas");
  const whole = each * tiles.length + pad * (tiles.length - 1);
  canvas.width = Math.round((whole + 2 * pad) * ratio);
  canvas.height = Math.round((height + head + captions + foot + 2 * pad) * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = theme.css.card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = theme.css.ink;
  context.textBaseline = "top";
  context.font = `600 15px ${theme.font}`;
  if (title) context.fillText(title, pad, pad);
  tiles.forEach((tile, i) => {
    const x = pad + i * (each + pad);
    const y = pad + head + captions;
    context.fillStyle = theme.css.muted;
    context.font = `12px ${theme.font}`;
    context.textBaseline = "top";
    context.fillText(tile.caption, x, y - captions);
    picture.draw(scene, tile.position, theme, tables);
    const { plot } = picture.layout;
    context.drawImage(picture.pixels, x + plot.left, y + plot.top, plot.width, plot.height);
    context.save();
    context.translate(x, y);
    const legend = !strip || i === tiles.length - 1;
    sketchAll(context, scene, picture.layout, tile.position, theme, tables, legend);
    drawHandles(context, scene, picture.layout, theme);
    context.restore();
  });
  if (foot > 0) {
    context.fillStyle = theme.css.muted;
    context.font = `12px ${theme.font}`;
    context.textBaseline = "bottom";
    context.fillText(whereabouts(position, last, names, stretches), pad, canvas.height / ratio - pad);
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no PNG came"))), "image/png");
  });
}

function drawHandles(context, scene, layout, theme) {
  const view = viewOf(layout.window, layout.plot, 1);
  context.lineWidth = 2;
  context.fillStyle = theme.css.card;
  context.strokeStyle = theme.css.accent;
  for (const [x, y] of scene.marks.handles.flatMap((mark) => mark.points)) {
    context.beginPath();
    context.arc(view.x(x), view.y(y), 6, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

// Marks as they come from Python, unpacked for drawing: flat Float32Arrays and palette indices.

import { halves } from "./halves.js";
import { indices } from "./palette.js";

/** The bytes of a base64 text. */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** A buffer in whichever form the page got it (DataView, array, base64) as an array of that type. */
function typed(data, Type, name) {
  const bytes = typeof data === "string" ? fromBase64(data) : data;
  const buffer = bytes.buffer ?? bytes;
  const offset = bytes.byteOffset ?? 0;
  const length = bytes.byteLength;
  const width = Type.BYTES_PER_ELEMENT;
  if (length % width !== 0) throw new Error(`${length} bytes are no ${name} numbers`);
  return offset % width === 0
    ? new Type(buffer, offset, length / width)
    : new Type(buffer.slice(offset, offset + length));
}

/** The numbers of a float32 buffer, and with `half` of a float16 one. */
export function floats(data, half = false) {
  return half
    ? halves(typed(data, Uint16Array, "float16"))
    : typed(data, Float32Array, "float32");
}

/** {shape, data} of an array that Python sent; null stays null. */
export function array(sent) {
  if (!sent) return null;
  const data = floats(sent.data, sent.half);
  const size = sent.shape.reduce((a, b) => a * b, 1);
  if (size !== data.length) {
    throw new Error(`an array of shape ${sent.shape.join(" × ")} came with ${data.length} numbers`);
  }
  return { shape: sent.shape, data };
}

/** The two states around `position` of something with that many frames, and the way between. */
export function between(frames, position) {
  const from = Math.min(Math.floor(position), frames - 1);
  const to = Math.min(from + 1, frames - 1);
  return { from, to, part: to > from ? position - from : 0 };
}

/** Palette indices [frames, count] of values [frames, count]. */
function coloured(mark) {
  const values = array(mark.values);
  if (!values) return null;
  const [frames] = values.shape;
  const index = indices(values.data, mark.value_range, mark.palette);
  return { frames, index, beyond: beyond(values.data, mark.value_range) };
}

/** Whether there are values below the range, and above it: they have the colours of its ends. */
export function beyond(data, [low, high]) {
  const near = 1e-4 * (high - low);
  let [below, above] = [false, false];
  for (let i = 0; i < data.length; i++) {
    if (data[i] < low - near) below = true;
    else if (data[i] > high + near) above = true;
  }
  return [below, above];
}

function particles(mark) {
  const { shape, data } = array(mark.states);
  const table = mark.palette === "diverging" ? "diverging-points" : mark.palette;
  return { ...mark, table, frames: shape[0], count: shape[1], states: data, colour: coloured(mark) };
}

function grids(mark) {
  const { shape, data } = array(mark.states);
  const [frames, rows, columns] = shape;
  const weights = array(mark.weights)?.data;
  return {
    ...mark, alpha: weights && Uint16Array.from(weights, (w) => Math.round(256 * w)), frames, rows, columns, states: data, colour: coloured(mark),
    projected: new Float32Array(rows * columns * 2),
  };
}

function images(mark) {
  const { shape, data } = array(mark.values);
  const [frames, rows, columns] = shape;
  const [low, high] = mark.value_range;
  const scale = 1 / (high - low || 1);
  return {
    ...mark, frames, rows, columns, beyond: beyond(data, mark.value_range),
    // 0…1 of the range; below it is 0, and what is not a number stays so.
    values: data.map((value) => (value < low ? 0 : (value - low) * scale)),
    mixed: new Float32Array(rows * columns),
  };
}

function contours(mark) {
  const { shape, data } = array(mark.values);
  return { ...mark, frames: 1, rows: shape[0], columns: shape[1], values: data };
}

function fields(mark) {
  const points = array(mark.points).data;
  const { shape, data } = array(mark.vectors);
  return { ...mark, frames: shape[0], count: shape[1], points, vectors: data };
}

function paths(mark) {
  const { shape, data } = array(mark.states);
  return { ...mark, frames: 1, steps: shape[0], count: shape[1], states: data, colour: coloured(mark) };
}

function shapes(mark) {
  const { shape, data } = array(mark.states);
  const [frames, count, corners] = shape;
  return { ...mark, frames, count, corners, states: data, colour: coloured(mark) };
}

function lines(mark) {
  const { shape, data } = array(mark.states);
  const [frames, count, points] = shape;
  const band = array(mark.band)?.data;
  return { ...mark, frames, count, points, states: data, band, colour: coloured(mark) };
}

function handles(mark) {
  return { ...mark, frames: 1, points: mark.points.map(([x, y]) => [x, y]) };
}

const UNPACK = { particles, grids, images, contours, fields, paths, shapes, lines, handles };

/** The names of the kinds of marks, in the order in which they are drawn. */
export const KINDS = Object.keys(UNPACK);

/** Unpack the marks of one kind. */
export function unpack(kind, list) {
  return (list ?? []).map(UNPACK[kind]);
}

// The block operations in WebAssembly SIMD, where the page has it and allows it.

import { plainBlocks } from "./blocks.js";
import { DEEP } from "./linear.js";
import { DEFLATED, SECOND } from "./wasm.js";

const PAGE = 65536;
/** Numbers for the panel of a product of matrices. */
const PANEL = 8 * DEEP + 8;
/** Where the numbers of WebAssembly's own end, at the beginning of the memory. */
const OWN = 64;
/** Vectors of four are read up to here beyond the last number. */
const BEYOND = 4;

/**
 * The compiled module, the quicker one where the browser knows relaxed SIMD; null where SIMD is missing,
 * or the page's policy refuses it.
 */
export async function compiled() {
  try {
    const packed = new Blob([Uint8Array.from(atob(DEFLATED), (c) => c.charCodeAt(0))]);
    const inflated = packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const bytes = await new Response(inflated).arrayBuffer();
    const relaxed = bytes.slice(SECOND);
    return await WebAssembly.compile(WebAssembly.validate(relaxed) ? relaxed : bytes.slice(0, SECOND));
  } catch {
    return null;
  }
}

/**
 * Memory for `size` numbers, and the block operations over it: those that are not in WebAssembly
 * are the plain ones.
 *
 * @param {WebAssembly.Module} module
 * @param {number} size
 * @returns {{memory: Float32Array, start: number, blocks: object}} `start`: where the numbers begin.
 */
export function fastBlocks(module, size) {
  const bytes = 4 * (OWN + size + PANEL + BEYOND);
  const pages = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  const { exports } = new WebAssembly.Instance(module, { env: { memory: pages } });
  const memory = new Float32Array(pages.buffer);
  const { gather: load, spread: store, prepare, ...fast } = exports;
  prepare(OWN + size, DEEP);
  return { memory, start: OWN, blocks: { ...plainBlocks(memory), ...fast, load, store } };
}

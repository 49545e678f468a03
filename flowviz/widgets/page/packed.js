// Numbers and programs as packed.py packs them.

import { floats } from "../stage/marks.js";

/** What was packed into `file`, bytes or a DataView; buffers in it are Uint8Arrays of their own. */
export function unpacked(file) {
  const bytes = new Uint8Array(file.buffer ?? file, file.byteOffset ?? 0, file.byteLength);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const buffers = bytes.subarray(4 + length);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  return JSON.parse(text, (_, value) => {
    if (!value?.bytes) return value;
    const [start, size] = value.bytes;
    return buffers.slice(start, start + size);
  });
}

/** So many numbers, whole multiples of scales, as `wholes` of packed.py writes them. */
export function fromWholes({ scales, block, planes }, count) {
  const factors = floats(scales);
  return Float32Array.from({ length: count }, (_, i) => {
    let whole = 0;
    for (let k = i; k < planes.length; k += count) whole = 256 * whole + planes[k];
    return (whole % 2 ? -(whole + 1) / 2 : whole / 2) * factors[Math.floor(i / block)];
  });
}

// From the bytes of a program to its header and its block of numbers.

/** Words about a program that cannot be played. */
export class ProgramError extends Error {}

const FORMAT = "flowviz.program";
const VERSION = 1;
const KINDS = { float32: 4, float16: 2 };

/**
 * Read a program's file.
 *
 * @param {ArrayBuffer|Uint8Array} bytes the length of the header (8 bytes), the header (JSON) and
 *   the block (float32 or float16), all little endian.
 * @returns {{header: object, block: Float32Array}} the header, not yet checked beyond its format,
 *   version and dtype.
 * @throws {ProgramError} what is wrong, in words.
 */
export function readFile(bytes) {
  const file = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  if (file.length < 8) throw new ProgramError(`a program has at least 8 bytes, this has ${file.length}`);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const length = Number(view.getBigUint64(0, true));
  if (length > file.length - 8) {
    throw new ProgramError(
      `the header should take ${length} bytes, but the file has ${file.length - 8} after its first 8`,
    );
  }
  const header = parsed(file.subarray(8, 8 + length));
  if (header?.format !== FORMAT) {
    throw new ProgramError(`this is no program: its format is ${said(header?.format)}, not "${FORMAT}"`);
  }
  if (header.version !== VERSION) {
    throw new ProgramError(
      `the program has version ${said(header.version)}, this page plays version ${VERSION}`,
    );
  }
  return { header, block: numbers(view, 8 + length, header.dtype) };
}

/** A value in words, cut short. */
export function said(value) {
  const words = JSON.stringify(value) ?? String(value);
  return words.length > 60 ? `${words.slice(0, 57)}…` : words;
}

function parsed(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ProgramError(`the header is no JSON: ${error.message}`);
  }
}

function numbers(view, start, dtype) {
  const size = Object.hasOwn(KINDS, dtype) ? KINDS[dtype] : 0;
  if (!size) throw new ProgramError(`the block's dtype is ${said(dtype)}, not "float32" or "float16"`);
  const length = view.byteLength - start;
  if (length % size) {
    throw new ProgramError(`the block has ${length} bytes, which are no whole ${dtype} numbers`);
  }
  const block = new Float32Array(length / size);
  for (let i = 0, at = start; i < block.length; i++, at += size) {
    block[i] = size === 4 ? view.getFloat32(at, true) : half(view.getUint16(at, true));
  }
  return block;
}

/** The number that 16 bits mean (IEEE 754 binary16). */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

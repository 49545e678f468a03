// Half-precision numbers (IEEE 754 binary16), which not every browser can read by itself.

let table = null;

/** The number that each of the 65,536 patterns of 16 bits means. */
function numbers() {
  const out = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) out[bits] = fraction ? NaN : sign * Infinity;
    else if (exponent === 0) out[bits] = sign * fraction * 2 ** -24;
    else out[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return out;
}

/** The Float32Array of a Uint16Array of half-precision patterns. */
export function halves(patterns) {
  table ??= numbers();
  const out = new Float32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) out[i] = table[patterns[i]];
  return out;
}

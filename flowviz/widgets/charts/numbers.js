// Numbers as the read-outs write them (readouts.py): significant digits, a true minus sign.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** The power of ten of the first digit after rounding to so many digits. */
function exponentOf(value, digits) {
  return value === 0 ? -400 : Number(value.toExponential(digits - 1).split("e")[1]);
}

function fixed(value, decimals) {
  const text = Math.abs(value).toLocaleString("en", {
    minimumFractionDigits: decimals, maximumFractionDigits: decimals,
  });
  return value < 0 ? `−${text}` : text;
}

/** `value` to so many significant digits, the undefined in words. */
export function formatNumber(value, digits = 3) {
  if (Number.isNaN(value)) return "undefined";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const exponent = exponentOf(value, digits);
  if (exponent >= -4 && exponent < 6) return fixed(value, Math.max(0, digits - 1 - exponent));
  const power = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");
  return `${fixed(value / 10 ** exponent, digits - 1)}·10${exponent < 0 ? "⁻" : ""}${power}`;
}

/** Numbers side by side, with the decimals that the largest needs; none but 0 is written as 0. */
export function formatAlike(values, digits = 3) {
  const largest = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  const exponent = exponentOf(largest, digits);
  if (exponent < -4 || exponent >= 6) return values.map((value) => formatNumber(value, digits));
  const decimals = Math.max(0, digits - 1 - exponent);
  return values.map((value) => {
    if (!Number.isFinite(value) || value === 0) return formatNumber(value);
    const vanishes = Math.abs(value) < 0.5 * 10 ** -decimals;
    return vanishes ? formatNumber(value, 1) : fixed(value, decimals);
  });
}

// Special functions of one number, in double: accurate far beyond float32, in the tails too.

const ROOT_PI = Math.sqrt(Math.PI);
const ROOT_HALF = Math.SQRT1_2;

const horner = (x, coefficients) => {
  let sum = 0;
  for (let i = 0; i < coefficients.length; i++) sum = sum * x + coefficients[i];
  return sum;
};

// W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969),
// with the coefficients of his program CALERF: erf below 0.46875, exp(x²) erfc(x) above.
const ERF = [
  [1.85777706184603153e-1, 3.1611237438705656, 1.1386415415105016e2, 3.77485237685302021e2,
    3.20937758913846947e3],
  [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
];
const MIDDLE = [
  [2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3],
  [1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3],
];
const FAR = [
  [1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
    1.60837851487422766e-2, 6.58749161529837803e-4],
  [1, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3],
];
const SMALL = 0.46875;

const ratio = (x, [above, below]) => horner(x, above) / horner(x, below);

/** exp(x²) erfc(x) for x ≥ 0.46875. */
function scaled(x) {
  if (x <= 4) return ratio(x, MIDDLE);
  const y = 1 / (x * x);
  return (1 / ROOT_PI - y * ratio(y, FAR)) / x;
}

/** The error function. */
export function erf(x) {
  const size = Math.abs(x);
  if (size <= SMALL) return x * ratio(x * x, ERF);
  if (x !== x) return x;
  return Math.sign(x) * (1 - (size > 6 ? 0 : Math.exp(-x * x) * scaled(size)));
}

/** 1 − erf(x). */
export function erfc(x) {
  const size = Math.abs(x);
  if (size <= SMALL) return 1 - erf(x);
  if (x !== x) return x;
  const tail = size > 27 ? 0 : Math.exp(-x * x) * scaled(size);
  return x > 0 ? tail : 2 - tail;
}

/** exp(x²) erfc(x). */
export function erfcx(x) {
  if (x >= SMALL) return x === Infinity ? 0 : scaled(x);
  if (x >= -SMALL) return Math.exp(x * x) * (1 - erf(x));
  return 2 * Math.exp(x * x) - scaled(-x);
}

/** The logarithm of the standard normal distribution function. */
export function logNdtr(x) {
  if (x > 0) return Math.log1p(-0.5 * erfc(x * ROOT_HALF));
  if (x === -Infinity) return x;
  return Math.log(0.5 * erfcx(-x * ROOT_HALF)) - 0.5 * x * x;
}

// M. J. Wichura, Algorithm AS 241: The percentage points of the normal distribution (PPND16),
// Applied Statistics 37 (1988).
const CENTRE = [
  [2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
    4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
    1.3314166789178437745e2, 3.3871328727963666080],
  [5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
    2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
    4.2313330701600911252e1, 1],
];
const NEAR = [
  [7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
    1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
    4.63033784615654529590, 1.42343711074968357734],
  [1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
    1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
    2.05319162663775882187, 1],
];
const TAIL = [
  [2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
    2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
    5.46378491116411436990, 6.65790464350110377720],
  [2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
    7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
    5.99832206555887937690e-1, 1],
];

/** The inverse of the standard normal distribution function: −∞ at 0, ∞ at 1, NaN outside. */
export function ndtri(p) {
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : NaN;
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(0.180625 - q * q, CENTRE);
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const size = r <= 5 ? ratio(r - 1.6, NEAR) : ratio(r - 5, TAIL);
  return q < 0 ? -size : size;
}

/** log(1 + eˣ), without overflow. */
export const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** 1 / (1 + e⁻ˣ). */
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** aᵇ as C has it: 1 to any power, and ±1 to an infinite one, is 1. */
export function pow(a, b) {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
}

const number = new Float32Array(1);
const bits = new Int32Array(number.buffer);

/** The next float32 towards +∞. */
export function next(x) {
  if (!(x < Infinity)) return x;
  if (x === 0) return 2 ** -149;
  number[0] = x;
  bits[0] += x > 0 ? 1 : -1;
  return number[0];
}

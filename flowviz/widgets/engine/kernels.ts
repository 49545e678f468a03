// The block operations in WebAssembly SIMD: the source of the bytes in wasm.js (AssemblyScript).
//
// The page's memory is imported and nothing else. Addresses are counted in numbers (float32), as in
// blocks.js, whose operations these are. An instruction works on whole vectors of four: up to three
// numbers beyond `count` are read and written, for which the caller keeps room.
//
// It is compiled twice: with relaxed SIMD a product and its sum are one instruction, and rounded once
// where the processor has such a one.
//
// Build: node tests/js/build_kernels.js

const LANES: usize = 16; // bytes in a vector

// ---------------------------------------------------------------------------------- functions

// Numbers that functions are made of lie at the beginning of the memory, since loading one into all
// lanes is quicker than making it: a vector that is written in the code is put together anew each
// time by today's compilers.
const COMMON = memory.data<f32>([0, 1, 2, 0.5, -Infinity, Infinity, NaN]);
const enum Common { ZERO, ONE, TWO, HALF, LEAST, MOST, NAN }
const EXP = memory.data<f32>([
  89, -104, -86, 1.44269504, 12582912, -0.693359375, 2.12194440e-4,
  4.9999994e-1, 1.666652e-1, 4.1668393e-2, 8.368781e-3, 1.3814467e-3,
]);
const LOG = memory.data<f32>([
  1.17549435e-38, 8388608, -23, -2.12194440e-4, 0.693359375,
  7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
]);
const TANH = memory.data<f32>([
  0.625, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1,
]);
const SOFTPLUS = memory.data<f32>([0.41421356, 0.69314718]);
const BITS = memory.data<i32>([127 << 23, 0x3f3504f3, 0x80000000, 0x4b400000]);

// @ts-ignore: decorator
@inline function lanes(table: usize, i: usize): v128 { return v128.load32_splat(table + (i << 2)); }
// @ts-ignore: decorator
@inline function common(i: Common): v128 { return lanes(COMMON, i); }
// @ts-ignore: decorator
@inline function mulAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}
/** 1 where the mask is set, else 0. */
// @ts-ignore: decorator
@inline function truth(mask: v128): v128 { return v128.and(mask, common(Common.ONE)); }

/** n = x / log 2 to the nearest whole number, as the low bits of n + 1.5 · 2²³. */
// @ts-ignore: decorator
@inline function wholes(x: v128): v128 { return mulAdd(x, lanes(EXP, 3), lanes(EXP, 4)); }

/**
 * eʳ where x = n log 2 + r: 1 + r + r² q(r), of least relative error (3·10⁻⁹). `marked` is `wholes(x)`.
 *
 * Here and below polynomials are summed in pairs: a processor waits less than with Horner's rule.
 */
// @ts-ignore: decorator
@inline function expRest(x: v128, marked: v128): v128 {
  const n = f32x4.sub(marked, lanes(EXP, 4));
  const r = mulAdd(n, lanes(EXP, 6), mulAdd(n, lanes(EXP, 5), x));
  const z = f32x4.mul(r, r);
  const high = mulAdd(z, lanes(EXP, 11), mulAdd(r, lanes(EXP, 10), lanes(EXP, 9)));
  const q = mulAdd(high, z, mulAdd(r, lanes(EXP, 8), lanes(EXP, 7)));
  return f32x4.add(mulAdd(q, z, r), common(Common.ONE));
}

/** eˣ, times 2ⁿ in two halves: of subnormals too. */
// @ts-ignore: decorator
@inline function exp4(x: v128): v128 {
  // In this order they keep NaN.
  x = f32x4.pmax(f32x4.pmin(x, lanes(EXP, 0)), lanes(EXP, 1));
  const marked = wholes(x);
  const n = i32x4.sub(marked, lanes(BITS, 3));
  const half = i32x4.shr_s(n, 1);
  const first = i32x4.add(i32x4.shl(half, 23), lanes(BITS, 0));
  const second = i32x4.add(i32x4.shl(i32x4.sub(n, half), 23), lanes(BITS, 0));
  return f32x4.mul(f32x4.mul(expRest(x, marked), first), second);
}

/** eˣ, but e⁻⁸⁶ for all below and ∞ from 88.4 on: for those to whom that is nothing beside 1, or all. */
// @ts-ignore: decorator
@inline function expBeside1(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, lanes(EXP, 0)), lanes(EXP, 2));
  const marked = wholes(x);
  return f32x4.mul(expRest(x, marked), i32x4.add(i32x4.shl(marked, 23), lanes(BITS, 0)));
}

/** log(1 + m), √½ ≤ 1 + m < √2, without its first term m: a polynomial (that of Cephes' logf). */
// @ts-ignore: decorator
@inline function logRest(m: v128): v128 {
  const z = f32x4.mul(m, m);
  const zz = f32x4.mul(z, z);
  const high = mulAdd(mulAdd(m, lanes(LOG, 6), lanes(LOG, 7)), z, mulAdd(m, lanes(LOG, 8), lanes(LOG, 9)));
  const low = mulAdd(mulAdd(m, lanes(LOG, 10), lanes(LOG, 11)), z, mulAdd(m, lanes(LOG, 12), lanes(LOG, 13)));
  const p = mulAdd(mulAdd(zz, lanes(LOG, 5), high), zz, low);
  return f32x4.mul(z, f32x4.sub(f32x4.mul(p, m), common(Common.HALF)));
}

/** log x: −∞ at 0, NaN below; ∞ and NaN stay. */
// @ts-ignore: decorator
@inline function log4(x: v128): v128 {
  const tiny = f32x4.lt(x, lanes(LOG, 0));
  const normal = v128.bitselect(f32x4.mul(x, lanes(LOG, 1)), x, tiny);
  // x = 2ᵉ (1 + m)
  const shifted = i32x4.shr_s(i32x4.sub(normal, lanes(BITS, 1)), 23);
  const m = f32x4.sub(i32x4.sub(normal, i32x4.shl(shifted, 23)), common(Common.ONE));
  const e = f32x4.add(f32x4.convert_i32x4_s(shifted), v128.and(tiny, lanes(LOG, 2)));
  const y = mulAdd(e, lanes(LOG, 4), f32x4.add(m, mulAdd(e, lanes(LOG, 3), logRest(m))));
  const nothing = common(Common.ZERO);
  const outside = v128.bitselect(
    common(Common.LEAST),
    v128.bitselect(common(Common.NAN), x, f32x4.lt(x, nothing)),
    f32x4.eq(x, nothing),
  );
  const inside = v128.and(f32x4.gt(x, nothing), f32x4.lt(x, common(Common.MOST)));
  return v128.bitselect(y, outside, inside);
}

/** x / (1 + e⁻ʸ). */
// @ts-ignore: decorator
@inline function gated(x: v128, y: v128): v128 {
  return f32x4.div(x, f32x4.add(common(Common.ONE), expBeside1(f32x4.neg(y))));
}

/** 1 / (1 + e⁻ˣ). */
// @ts-ignore: decorator
@inline function sigmoid4(x: v128): v128 { return gated(common(Common.ONE), x); }

/** tanh x: a polynomial below 0.625 (Cephes' tanhf), 1 − 2 / (e²ˣ + 1) above. */
// @ts-ignore: decorator
@inline function tanh4(x: v128): v128 {
  const size = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  const zz = f32x4.mul(z, z);
  const high = mulAdd(z, lanes(TANH, 2), lanes(TANH, 3));
  const low = mulAdd(z, lanes(TANH, 4), lanes(TANH, 5));
  const p = mulAdd(mulAdd(zz, lanes(TANH, 1), high), zz, low);
  const near = mulAdd(f32x4.mul(p, z), x, x);
  const e = expBeside1(f32x4.add(size, size));
  const one = common(Common.ONE);
  const far = f32x4.sub(one, f32x4.div(common(Common.TWO), f32x4.add(e, one)));
  const signed = v128.bitselect(x, far, lanes(BITS, 2));
  return v128.bitselect(near, signed, f32x4.lt(size, lanes(TANH, 0)));
}

/**
 * log(1 + eˣ) = max(x, 0) + log(1 + e), e = e⁻|ˣ|; where 1 + e ≥ √2 that is log 2 + log(1 + (e − 1)/2),
 * so that nothing is lost in 1 + e.
 */
// @ts-ignore: decorator
@inline function softplus4(x: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(x)));
  const halved = f32x4.ge(e, lanes(SOFTPLUS, 0));
  const half = common(Common.HALF);
  const m = v128.bitselect(f32x4.mul(f32x4.sub(e, common(Common.ONE)), half), e, halved);
  const more = f32x4.add(f32x4.max(x, common(Common.ZERO)), v128.and(halved, lanes(SOFTPLUS, 1)));
  return f32x4.add(more, f32x4.add(m, logRest(m)));
}

// ------------------------------------------------------------------------------- instructions

const enum Op {
  NEG, ABS, SIGN, EXP, LOG, SQRT, RSQRT, RECIPROCAL, SQUARE, TANH, SIGMOID, SILU, SOFTPLUS,
  LOG_SIGMOID, NOT, IS_NAN, FLOOR, TRUNC,
  ADD, SUB, MUL, DIV, MINIMUM, MAXIMUM, LT, LE, GT, GE, EQ, NE, AND, OR,
  TANH_BACKWARD, SIGMOID_BACKWARD, SILU_BACKWARD, SOFTPLUS_BACKWARD,
  WHERE, FMA, LERP,
}

// @ts-ignore: decorator
@inline function one(op: Op, x: v128): v128 {
  if (op == Op.NEG) return f32x4.neg(x);
  if (op == Op.ABS) return f32x4.abs(x);
  if (op == Op.SIGN) {
    return f32x4.sub(truth(f32x4.gt(x, common(Common.ZERO))), truth(f32x4.lt(x, common(Common.ZERO))));
  }
  if (op == Op.EXP) return exp4(x);
  if (op == Op.LOG) return log4(x);
  if (op == Op.SQRT) return f32x4.sqrt(x);
  if (op == Op.RSQRT) return f32x4.div(common(Common.ONE), f32x4.sqrt(x));
  if (op == Op.RECIPROCAL) return f32x4.div(common(Common.ONE), x);
  if (op == Op.SQUARE) return f32x4.mul(x, x);
  if (op == Op.TANH) return tanh4(x);
  if (op == Op.SIGMOID) return sigmoid4(x);
  if (op == Op.SILU) return gated(x, x);
  if (op == Op.SOFTPLUS) return softplus4(x);
  if (op == Op.LOG_SIGMOID) return f32x4.neg(softplus4(f32x4.neg(x)));
  if (op == Op.NOT) return truth(f32x4.eq(x, common(Common.ZERO)));
  if (op == Op.IS_NAN) return truth(f32x4.ne(x, x));
  if (op == Op.FLOOR) return f32x4.floor(x);
  return f32x4.trunc(x);
}

// @ts-ignore: decorator
@inline function two(op: Op, x: v128, y: v128): v128 {
  if (op == Op.ADD) return f32x4.add(x, y);
  if (op == Op.SUB) return f32x4.sub(x, y);
  if (op == Op.MUL) return f32x4.mul(x, y);
  if (op == Op.DIV) return f32x4.div(x, y);
  if (op == Op.MINIMUM) return f32x4.min(x, y);
  if (op == Op.MAXIMUM) return f32x4.max(x, y);
  if (op == Op.LT) return truth(f32x4.lt(x, y));
  if (op == Op.LE) return truth(f32x4.le(x, y));
  if (op == Op.GT) return truth(f32x4.gt(x, y));
  if (op == Op.GE) return truth(f32x4.ge(x, y));
  if (op == Op.EQ) return truth(f32x4.eq(x, y));
  if (op == Op.NE) return truth(f32x4.ne(x, y));
  if (op == Op.AND) return truth(v128.and(f32x4.ne(x, common(Common.ZERO)), f32x4.ne(y, common(Common.ZERO))));
  if (op == Op.OR) return truth(v128.or(f32x4.ne(x, common(Common.ZERO)), f32x4.ne(y, common(Common.ZERO))));
  if (op == Op.TANH_BACKWARD) return f32x4.mul(x, f32x4.sub(common(Common.ONE), f32x4.mul(y, y)));
  if (op == Op.SIGMOID_BACKWARD) return f32x4.mul(f32x4.mul(x, y), f32x4.sub(common(Common.ONE), y));
  const s = sigmoid4(y);
  if (op == Op.SOFTPLUS_BACKWARD) return f32x4.mul(x, s);
  const slope = mulAdd(y, f32x4.sub(common(Common.ONE), s), common(Common.ONE));
  return f32x4.mul(f32x4.mul(x, s), slope);
}

// @ts-ignore: decorator
@inline function three(op: Op, x: v128, y: v128, z: v128): v128 {
  if (op == Op.WHERE) return v128.bitselect(y, z, f32x4.ne(x, common(Common.ZERO)));
  if (op == Op.FMA) return mulAdd(y, z, x);
  return mulAdd(z, f32x4.sub(y, x), x);
}

// @ts-ignore: decorator
@inline function play1(op: Op, out: usize, a: usize, count: usize): void {
  const end = (out + count) << 2;
  for (out <<= 2, a <<= 2; out < end; out += LANES, a += LANES) v128.store(out, one(op, v128.load(a)));
}
// @ts-ignore: decorator
@inline function play2(op: Op, out: usize, a: usize, b: usize, count: usize): void {
  const end = (out + count) << 2;
  for (out <<= 2, a <<= 2, b <<= 2; out < end; out += LANES, a += LANES, b += LANES) {
    v128.store(out, two(op, v128.load(a), v128.load(b)));
  }
}
// @ts-ignore: decorator
@inline function play3(op: Op, out: usize, a: usize, b: usize, c: usize, count: usize): void {
  const end = (out + count) << 2;
  for (out <<= 2, a <<= 2, b <<= 2, c <<= 2; out < end; out += LANES, a += LANES, b += LANES, c += LANES) {
    v128.store(out, three(op, v128.load(a), v128.load(b), v128.load(c)));
  }
}

// The same two vectors at a time: what a function is made of is loaded once for both. The code is as
// much longer, so that only functions that most numbers go through are worth it.

// @ts-ignore: decorator
@inline function pairs1(op: Op, out: usize, a: usize, count: usize): void {
  const end = (out + count) << 2;
  for (out <<= 2, a <<= 2; out + LANES < end; out += 2 * LANES, a += 2 * LANES) {
    const x = one(op, v128.load(a)), y = one(op, v128.load(a, LANES));
    v128.store(out, x);
    v128.store(out, y, LANES);
  }
  if (out < end) v128.store(out, one(op, v128.load(a)));
}
// @ts-ignore: decorator
@inline function pairs2(op: Op, out: usize, a: usize, b: usize, count: usize): void {
  const end = (out + count) << 2;
  for (out <<= 2, a <<= 2, b <<= 2; out + LANES < end; out += 2 * LANES, a += 2 * LANES, b += 2 * LANES) {
    const x = two(op, v128.load(a), v128.load(b)), y = two(op, v128.load(a, LANES), v128.load(b, LANES));
    v128.store(out, x);
    v128.store(out, y, LANES);
  }
  if (out < end) v128.store(out, two(op, v128.load(a), v128.load(b)));
}

// An instruction's name is that of the format.

export function neg(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.NEG, out, a, count); }
export function abs(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.ABS, out, a, count); }
export function sign(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.SIGN, out, a, count); }
export function exp(out: usize, a: usize, b: usize, c: usize, count: usize): void { pairs1(Op.EXP, out, a, count); }
export function log(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.LOG, out, a, count); }
export function sqrt(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.SQRT, out, a, count); }
export function rsqrt(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.RSQRT, out, a, count); }
export function reciprocal(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.RECIPROCAL, out, a, count); }
export function square(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.SQUARE, out, a, count); }
export function tanh(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.TANH, out, a, count); }
export function sigmoid(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.SIGMOID, out, a, count); }
export function silu(out: usize, a: usize, b: usize, c: usize, count: usize): void { pairs1(Op.SILU, out, a, count); }
export function softplus(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.SOFTPLUS, out, a, count); }
export function log_sigmoid(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.LOG_SIGMOID, out, a, count); }
export function not(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.NOT, out, a, count); }
export function is_nan(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.IS_NAN, out, a, count); }
export function floor(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.FLOOR, out, a, count); }
export function trunc(out: usize, a: usize, b: usize, c: usize, count: usize): void { play1(Op.TRUNC, out, a, count); }
export function add(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.ADD, out, a, b, count); }
export function sub(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.SUB, out, a, b, count); }
export function mul(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.MUL, out, a, b, count); }
export function div(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.DIV, out, a, b, count); }
export function minimum(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.MINIMUM, out, a, b, count); }
export function maximum(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.MAXIMUM, out, a, b, count); }
export function lt(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.LT, out, a, b, count); }
export function le(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.LE, out, a, b, count); }
export function gt(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.GT, out, a, b, count); }
export function ge(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.GE, out, a, b, count); }
export function eq(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.EQ, out, a, b, count); }
export function ne(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.NE, out, a, b, count); }
export function and(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.AND, out, a, b, count); }
export function or(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.OR, out, a, b, count); }
export function tanh_backward(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.TANH_BACKWARD, out, a, b, count); }
export function sigmoid_backward(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.SIGMOID_BACKWARD, out, a, b, count); }
export function silu_backward(out: usize, a: usize, b: usize, c: usize, count: usize): void { pairs2(Op.SILU_BACKWARD, out, a, b, count); }
export function softplus_backward(out: usize, a: usize, b: usize, c: usize, count: usize): void { play2(Op.SOFTPLUS_BACKWARD, out, a, b, count); }
export function where(out: usize, a: usize, b: usize, c: usize, count: usize): void { play3(Op.WHERE, out, a, b, c, count); }
export function fma(out: usize, a: usize, b: usize, c: usize, count: usize): void { play3(Op.FMA, out, a, b, c, count); }
export function lerp(out: usize, a: usize, b: usize, c: usize, count: usize): void { play3(Op.LERP, out, a, b, c, count); }

// ------------------------------------------------------------------------- loading and storing

// @ts-ignore: decorator
@inline function at(address: usize): f32 { return load<f32>(address); }

/** From elements in rows and columns, `row` and `column` apart, to a block: one after the other. */
export function gather(out: usize, from: usize, rows: usize, columns: usize, row: i32, column: i32): void {
  out <<= 2; from <<= 2; row <<= 2; column <<= 2;
  for (; rows > 0; rows--, from += row) {
    let here = from;
    let left = columns;
    if (column == 4) {
      for (; left >= 4; left -= 4, out += LANES, here += LANES) v128.store(out, v128.load(here));
    } else if (column == 0) {
      const all = v128.load32_splat(here);
      for (; left >= 4; left -= 4, out += LANES) v128.store(out, all);
    }
    for (; left > 0; left--, out += 4, here += column) store<f32>(out, at(here));
  }
}

/** From a block to elements in rows and columns, `row` and `column` apart. */
export function spread(to: usize, from: usize, rows: usize, columns: usize, row: i32, column: i32): void {
  to <<= 2; from <<= 2; row <<= 2; column <<= 2;
  for (; rows > 0; rows--, to += row) {
    let here = to;
    let left = columns;
    if (column == 4) {
      for (; left >= 4; left -= 4, here += LANES, from += LANES) v128.store(here, v128.load(from));
    }
    for (; left > 0; left--, here += column, from += 4) store<f32>(here, at(from));
  }
}

// -------------------------------------------------------------------------------------- sums

// @ts-ignore: decorator
@inline function lower(x: v128): v128 { return f64x2.promote_low_f32x4(x); }
// @ts-ignore: decorator
@inline function upper(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
}

/** Four sums next to one another, over `inner` rows `step` bytes apart. */
// @ts-ignore: decorator
@inline function columns4(from: usize, inner: usize, step: i32): v128 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; inner > 0; inner--, from += step) {
    const x = v128.load(from);
    low = f64x2.add(low, lower(x));
    high = f64x2.add(high, upper(x));
  }
  return v128.shuffle<i32>(
    f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5,
  );
}

/** One sum of `inner` numbers `step` bytes apart. */
// @ts-ignore: decorator
@inline function total(from: usize, inner: usize, step: i32): f64 {
  let sum: f64 = 0;
  if (step == 4 && inner >= 4) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (; inner >= 4; inner -= 4, from += LANES) {
      const x = v128.load(from);
      low = f64x2.add(low, lower(x));
      high = f64x2.add(high, upper(x));
    }
    low = f64x2.add(low, high);
    sum = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
  }
  for (; inner > 0; inner--, from += step) sum += <f64>at(from);
  return sum;
}

/**
 * Sums of `inner` elements each, `step` apart: `count` of them, that begin `row` apart and are left
 * `column` apart. In double, rounded at the end.
 */
export function sum(out: usize, from: usize, count: usize, column: i32, row: i32, inner: usize, step: i32): void {
  out <<= 2; from <<= 2; column <<= 2; row <<= 2; step <<= 2;
  if (row == 4 && column == 4) {
    for (; count >= 4; count -= 4, out += LANES, from += LANES) v128.store(out, columns4(from, inner, step));
  }
  for (; count > 0; count--, out += column, from += row) store<f32>(out, <f32>total(from, inner, step));
}

/** Σ x² of numbers that lie one after the other, in double. */
export function squares(from: usize, count: usize): f64 {
  from <<= 2;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; count >= 4; count -= 4, from += LANES) {
    const x = v128.load(from);
    const a = lower(x), b = upper(x);
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  low = f64x2.add(low, high);
  let sum = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
  for (; count > 0; count--, from += 4) sum += <f64>at(from) * <f64>at(from);
  return sum;
}

// ----------------------------------------------------------------------------------- by index

/** A number as an index from 0 to size − 1, in bytes: whatever it is. */
// @ts-ignore: decorator
@inline function placeOf(x: f32, size: i32, stride: i32): usize { return max(min(<i32>x, size - 1), 0) * stride; }

// Of `count` elements, as in blocks.js.

export function gatherLine(
  count: i32, size: i32, stride: i32, from: usize, a: i32, index: usize, b: i32, to: usize, c: i32,
): void {
  stride <<= 2; from <<= 2; a <<= 2; index <<= 2; b <<= 2; to <<= 2; c <<= 2;
  for (; count > 0; count--, from += a, index += b, to += c) {
    store<f32>(to, at(from + placeOf(at(index), size, stride)));
  }
}

export function scatterLine(
  count: i32, size: i32, stride: i32, from: usize, a: i32, index: usize, b: i32, to: usize, c: i32,
): void {
  stride <<= 2; from <<= 2; a <<= 2; index <<= 2; b <<= 2; to <<= 2; c <<= 2;
  for (; count > 0; count--, from += a, index += b, to += c) {
    store<f32>(to + placeOf(at(index), size, stride), at(from));
  }
}

export function addLine(
  count: i32, size: i32, stride: i32, from: usize, a: i32, index: usize, b: i32, to: usize, c: i32,
): void {
  stride <<= 2; from <<= 2; a <<= 2; index <<= 2; b <<= 2; to <<= 2; c <<= 2;
  for (; count > 0; count--, from += a, index += b, to += c) {
    const place = to + placeOf(at(index), size, stride);
    store<f32>(place, at(place) + at(from));
  }
}

/** How many of `size` sorted knots lie below each value (`right`: or at it). */
export function searchLine(
  count: i32, size: i32, stride: i32, knots: usize, a: i32, value: usize, b: i32, to: usize, c: i32, right: bool,
): void {
  stride <<= 2; knots <<= 2; a <<= 2; value <<= 2; b <<= 2; to <<= 2; c <<= 2;
  for (; count > 0; count--, knots += a, value += b, to += c) {
    const x = at(value);
    let low = 0;
    // The same steps for all values, so that no branch has to be foreseen.
    for (let left = size; left > 0;) {
      const half = (left + 1) >> 1;
      const knot = at(knots + (low + half - 1) * stride);
      const below = right ? !(knot > x) : !(knot >= x);
      low = select(low + half, low, below);
      left = left - half;
    }
    store<f32>(to, <f32>low);
  }
}

// -------------------------------------------------------------------------------------- Adam

/** One step of Adam on `count` numbers, see blocks.js. */
export function adam(
  vector: usize, gradient: usize, first: usize, second: usize, count: usize,
  share1: f32, share2: f32, rate: f32, correction: f32, eps: f32,
): void {
  vector <<= 2; gradient <<= 2; first <<= 2; second <<= 2;
  const shares1 = f32x4.splat(share1), shares2 = f32x4.splat(share2);
  const rates = f32x4.splat(rate), corrections = f32x4.splat(correction), more = f32x4.splat(eps);
  for (const end = vector + (count << 2); vector < end; vector += LANES) {
    const g = v128.load(gradient);
    let m = v128.load(first);
    let v = v128.load(second);
    m = mulAdd(shares1, f32x4.sub(g, m), m);
    v = mulAdd(shares2, f32x4.sub(f32x4.mul(g, g), v), v);
    v128.store(first, m);
    v128.store(second, v);
    const root = mulAdd(f32x4.sqrt(v), corrections, more);
    v128.store(vector, f32x4.sub(v128.load(vector), f32x4.div(f32x4.mul(rates, m), root)));
    gradient += LANES; first += LANES; second += LANES;
  }
}

// ------------------------------------------------------------------------- products of matrices

/** The panel: eight columns of b, packed, then one row of a tile. */
let panel: usize = 0;
let spare: usize = 0;

/** Say where there is room for `deep` · 8 + 8 numbers. */
export function prepare(at: usize, deep: usize): void {
  panel = at << 2;
  spare = panel + (deep << 5);
}

/** Four columns of four numbers, which lie `column` apart, as parts of four rows of the panel. */
// @ts-ignore: decorator
@inline function turn4(from: usize, column: i32, to: usize): void {
  const a = v128.load(from), b = v128.load(from + column);
  const c = v128.load(from + 2 * column), d = v128.load(from + 3 * column);
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const AB = v128.shuffle<i32>(a, b, 2, 6, 3, 7), CD = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2));
  v128.store(to, v128.shuffle<i64>(ab, cd, 1, 3), 32);
  v128.store(to, v128.shuffle<i64>(AB, CD, 0, 2), 64);
  v128.store(to, v128.shuffle<i64>(AB, CD, 1, 3), 96);
}

/** Pack `wide` columns of b, eight in a row; what is missing of the eight is 0. */
function pack(b: usize, inner: usize, step: i32, column: i32, wide: i32): void {
  let to = panel;
  if (wide == 8 && column == 4) {
    for (; inner > 0; inner--, b += step, to += 32) {
      v128.store(to, v128.load(b));
      v128.store(to, v128.load(b, 16), 16);
    }
    return;
  }
  if (wide == 8 && step == 4) {
    const half = column << 2;
    for (; inner >= 4; inner -= 4, b += LANES, to += 128) {
      turn4(b, column, to);
      turn4(b + half, column, to + LANES);
    }
  }
  for (; inner > 0; inner--, b += step, to += 32) {
    v128.store(to, common(Common.ZERO));
    v128.store(to, common(Common.ZERO), 16);
    let from = b;
    for (let j = 0; j < wide; j++, from += column) store<f32>(to + (j << 2), at(from));
  }
}

/** Leave one row of a tile where its eight numbers lie side by side. */
// @ts-ignore: decorator
@inline function leaveWhole(x: v128, y: v128, out: usize, add: usize, adds: bool): void {
  if (adds) {
    x = f32x4.add(x, v128.load(add));
    y = f32x4.add(y, v128.load(add, 16));
  }
  v128.store(out, x);
  v128.store(out, y, 16);
}

/** Leave `wide` of a row's eight numbers, wherever they lie. */
function leavePart(x: v128, y: v128, out: usize, outColumn: i32, add: usize, addColumn: i32, adds: bool, wide: i32): void {
  v128.store(spare, x);
  v128.store(spare, y, 16);
  for (let j = 0; j < wide; j++, out += outColumn, add += addColumn) {
    const value = at(spare + (j << 2));
    store<f32>(out, adds ? at(add) + value : value);
  }
}

/**
 * out = add + scale · a b, of [rows, inner] and [inner, columns], inner ≤ the panel's depth; each
 * with the strides of its two dimensions, and `add` < 0 for none.
 *
 * Tiles of 4 × 8 are summed in registers: each number of a is used eight times, each of b four.
 */
export function matmul(
  rows: i32, inner: i32, columns: i32, a: usize, aRow: i32, aStep: i32, b: usize, bStep: i32,
  bColumn: i32, out: usize, outRow: i32, outColumn: i32, add: i32, addRow: i32, addColumn: i32,
  scale: f32,
): void {
  const adds = add >= 0;
  a <<= 2; aRow <<= 2; aStep <<= 2; b <<= 2; bStep <<= 2; bColumn <<= 2;
  out <<= 2; outRow <<= 2; outColumn <<= 2; add <<= 2; addRow <<= 2; addColumn <<= 2;
  const scales = f32x4.splat(scale);
  for (let j = 0; j < columns; j += 8) {
    const wide = min(8, columns - j);
    const whole = wide == 8 && outColumn == 4 && (!adds || addColumn == 4);
    pack(b + j * bColumn, inner, bStep, bColumn, wide);
    for (let i = 0; i < rows; i += 4) {
      const last = rows - 1 - i;
      let a0 = a + i * aRow;
      // Rows that are not there repeat the last.
      let a1 = a0 + min(1, last) * aRow;
      let a2 = a0 + min(2, last) * aRow;
      let a3 = a0 + min(3, last) * aRow;
      let x0 = common(Common.ZERO), x1 = common(Common.ZERO), x2 = common(Common.ZERO), x3 = common(Common.ZERO);
      let y0 = common(Common.ZERO), y1 = common(Common.ZERO), y2 = common(Common.ZERO), y3 = common(Common.ZERO);
      let p = panel;
      for (const end = p + (inner << 5); p < end; p += 32) {
        const left = v128.load(p);
        const right = v128.load(p, 16);
        let s = v128.load32_splat(a0);
        x0 = mulAdd(s, left, x0);
        y0 = mulAdd(s, right, y0);
        s = v128.load32_splat(a1);
        x1 = mulAdd(s, left, x1);
        y1 = mulAdd(s, right, y1);
        s = v128.load32_splat(a2);
        x2 = mulAdd(s, left, x2);
        y2 = mulAdd(s, right, y2);
        s = v128.load32_splat(a3);
        x3 = mulAdd(s, left, x3);
        y3 = mulAdd(s, right, y3);
        a0 += aStep; a1 += aStep; a2 += aStep; a3 += aStep;
      }
      let to = out + i * outRow + j * outColumn;
      let more = add + i * addRow + j * addColumn;
      x0 = f32x4.mul(x0, scales); y0 = f32x4.mul(y0, scales);
      x1 = f32x4.mul(x1, scales); y1 = f32x4.mul(y1, scales);
      x2 = f32x4.mul(x2, scales); y2 = f32x4.mul(y2, scales);
      x3 = f32x4.mul(x3, scales); y3 = f32x4.mul(y3, scales);
      if (whole && last >= 3) {
        leaveWhole(x0, y0, to, more, adds);
        leaveWhole(x1, y1, to + outRow, more + addRow, adds);
        leaveWhole(x2, y2, to + 2 * outRow, more + 2 * addRow, adds);
        leaveWhole(x3, y3, to + 3 * outRow, more + 3 * addRow, adds);
        continue;
      }
      leavePart(x0, y0, to, outColumn, more, addColumn, adds, wide);
      if (last < 1) continue;
      leavePart(x1, y1, to += outRow, outColumn, more += addRow, addColumn, adds, wide);
      if (last < 2) continue;
      leavePart(x2, y2, to += outRow, outColumn, more += addRow, addColumn, adds, wide);
      if (last < 3) continue;
      leavePart(x3, y3, to += outRow, outColumn, more += addRow, addColumn, adds, wide);
    }
  }
}

// What kernels a program may hold: their fields, and which views each reads and writes.

const REDUCTION = { shape: "sizes", over: "sizes", in: "operand", out: "operand" };

/** For each kernel, its fields and of what kind each is ("?": may be absent). */
export const FIELDS = {
  map: {
    shape: "sizes", in: "operands", numbers: "literals", do: "instructions", out: "results",
  },
  sum: REDUCTION,
  max: REDUCTION,
  min: REDUCTION,
  product: REDUCTION,
  matmul: {
    batch: "sizes", m: "size", k: "size", n: "size",
    a: "operand", b: "operand", out: "operand", add: "operand?", scale: "literal?",
  },
  gather: {
    shape: "sizes", in: "operand", size: "size", stride: "whole", index: "operand", out: "operand",
  },
  scatter: {
    shape: "sizes", in: "operand", index: "operand", size: "size", stride: "whole",
    out: "operand", add: "flag",
  },
  cumsum: { shape: "sizes", in: "operand", out: "operand" },
  search: {
    shape: "sizes", size: "size", in: "operand", stride: "whole", value: "operand",
    right: "flag", out: "operand",
  },
  solve: {
    batch: "sizes", m: "size", n: "size", a: "operand", b: "operand", out: "operand",
    form: "form", unit: "flag",
  },
  lu: { batch: "sizes", m: "size", a: "operand", out: "operand", pivots: "operand" },
  lu_solve: {
    batch: "sizes", m: "size", n: "size", lu: "operand", pivots: "operand", b: "operand",
    out: "operand", transposed: "flag",
  },
  repeat: { most: "size", body: "kernels", shape: "sizes", going: "operand" },
};

/** The instructions of a map, and how many arguments each takes. */
export const ARGUMENTS = new Map([
  ...(
    "neg abs sign exp expm1 exp2 log log1p sqrt rsqrt reciprocal square sin cos tanh sigmoid silu "
    + "softplus log_sigmoid erf erfc erfcx log_ndtr ndtri next previous not is_nan floor trunc"
  ).split(" ").map((name) => [name, 1]),
  ...(
    "add sub mul div pow minimum maximum atan2 lt le gt ge eq ne and or "
    + "tanh_backward sigmoid_backward silu_backward softplus_backward"
  ).split(" ").map((name) => [name, 2]),
  ...["where", "fma", "lerp"].map((name) => [name, 3]),
]);

/** The view that an operand is, where its shape is `shape`. */
const view = ([buffer, offset, strides], shape) => [buffer, offset, shape, strides];

/** The view that an operand is with one more dimension, along which it is indexed. */
const along = ([buffer, offset, strides], { shape, size, stride }) =>
  [buffer, offset, [...shape, size], [...strides, stride]];

const reduction = (k) => ({
  reads: [view(k.in, [...k.shape, ...k.over])],
  writes: [view(k.out, k.shape)],
});

const VIEWS = {
  map: (k) => ({
    reads: k.in.map((operand) => view(operand, k.shape)),
    writes: k.out.map(([operand]) => view(operand, k.shape)),
  }),
  sum: reduction,
  max: reduction,
  min: reduction,
  product: reduction,
  matmul: (k) => ({
    reads: [
      view(k.a, [...k.batch, k.m, k.k]),
      view(k.b, [...k.batch, k.k, k.n]),
      ...(k.add ? [view(k.add, [...k.batch, k.m, k.n])] : []),
    ],
    writes: [view(k.out, [...k.batch, k.m, k.n])],
  }),
  gather: (k) => ({
    reads: [along(k.in, k), view(k.index, k.shape)],
    writes: [view(k.out, k.shape)],
  }),
  // What it does not reach stays as it was, so that it reads its output too.
  scatter: (k) => ({
    reads: [view(k.in, k.shape), view(k.index, k.shape), along(k.out, k)],
    writes: [],
  }),
  cumsum: (k) => ({ reads: [view(k.in, k.shape)], writes: [view(k.out, k.shape)] }),
  search: (k) => ({
    reads: [along(k.in, k), view(k.value, k.shape)],
    writes: [view(k.out, k.shape)],
  }),
  solve: (k) => ({
    reads: [view(k.a, [...k.batch, k.m, k.m]), view(k.b, [...k.batch, k.m, k.n])],
    writes: [view(k.out, [...k.batch, k.m, k.n])],
  }),
  lu: (k) => ({
    reads: [view(k.a, [...k.batch, k.m, k.m])],
    writes: [view(k.out, [...k.batch, k.m, k.m]), view(k.pivots, [...k.batch, k.m])],
  }),
  lu_solve: (k) => ({
    reads: [
      view(k.lu, [...k.batch, k.m, k.m]),
      view(k.pivots, [...k.batch, k.m]),
      view(k.b, [...k.batch, k.m, k.n]),
    ],
    writes: [view(k.out, [...k.batch, k.m, k.n])],
  }),
  repeat: (k) => ({ reads: [view(k.going, k.shape)], writes: [] }),
};

/** The views [buffer, offset, shape, strides] that a kernel itself reads and writes. */
export const viewsOf = (kernel) => VIEWS[kernel.op](kernel);

/** Call `visit(kernel, words)` for every kernel in the order of playing; bodies come before their repeat. */
export function walkKernels(kernels, visit, words) {
  kernels.forEach((kernel, i) => {
    const here = `${words}[${i}]`;
    if (kernel.op === "repeat") walkKernels(kernel.body, visit, `${here}.body`);
    visit(kernel, `${here} (${kernel.op})`);
  });
}

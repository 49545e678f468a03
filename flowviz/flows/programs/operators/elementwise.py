"""Operators that treat every element on its own."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from flowviz.flows.programs.kernels import Formula, Term, Value
from flowviz.flows.programs.lowering import Call, Rule, Unlowered

aten = torch.ops.aten
Function = Callable[..., Any]
"""Of values and numbers, to a value for each result."""


def do(name: str, *terms: Term) -> Value:
    """An instruction of which at least one term is a value."""
    formula = next(t.formula for t in terms if isinstance(t, Value))
    return formula.do(name, *terms)


def where(condition: Term, a: Term, b: Term) -> Value:
    return do("where", condition, a, b)


def _add(a: Term, b: Term, alpha: float = 1) -> Value:
    return do("add", a, b if alpha == 1 else b * alpha)


def _sub(a: Term, b: Term, alpha: float = 1) -> Value:
    return do("sub", a, b if alpha == 1 else b * alpha)


def _div(a: Term, b: Term) -> Value:
    return do("div", a, b)


def _power(x: Value, exponent: Term) -> Value:
    powers: dict[float, Function] = {
        1: lambda: x,
        2: lambda: x.do("square"),
        3: lambda: x.do("square") * x,
        0.5: lambda: x.do("sqrt"),
        -0.5: lambda: x.do("rsqrt"),
        -1: lambda: x.do("reciprocal"),
        -2: lambda: x.do("square").do("reciprocal"),
    }
    known = None if isinstance(exponent, Value) else powers.get(exponent)
    return known() if known else do("pow", x, exponent)


def _clamp(x: Term, low: Term | None = None, high: Term | None = None) -> Value:
    if low is not None:
        x = do("maximum", x, low)
    return x if high is None else do("minimum", x, high)  # type: ignore[return-value]


def _addcmul(a: Term, b: Term, c: Term, value: float = 1) -> Value:
    product = do("mul", b, c) if value == 1 else do("mul", do("mul", b, c), value)
    return do("add", a, product)


STRAIGHT = 20
"""From here on softplus is its argument, and its slope 1, to all digits of float32."""


def _softplus(x: Value, beta: float = 1, threshold: float = STRAIGHT) -> Value:
    soft = do("softplus", x * beta) / beta if beta != 1 else x.do("softplus")
    return soft if threshold >= STRAIGHT else where(do("gt", x * beta, threshold), x, soft)


def _softplus_backward(g: Value, x: Value, beta: float, threshold: float) -> Value:
    scaled = x * beta if beta != 1 else x
    soft = do("softplus_backward", g, scaled)
    return soft if threshold >= STRAIGHT else where(do("gt", scaled, threshold), g, soft)


def _logaddexp(a: Term, b: Term) -> Value:
    top = do("maximum", a, b)
    same = do("eq", a, b)  # Of two infinities the difference is none.
    return where(
        same, do("add", a, math.log(2)), top + (-(do("sub", a, b).do("abs"))).do("exp").do("log1p")
    )


def _logit(x: Term, eps: float | None = None) -> Value:
    if eps is not None:
        x = _clamp(x, eps, 1 - eps)
    return do("log", x) - do("log1p", do("neg", x))


def _sinh(x: Value) -> Value:
    return (x.do("expm1") - (-x).do("expm1")) / 2


def _cosh(x: Value) -> Value:
    return (x.do("exp") + (-x).do("exp")) / 2


def _sinc(x: Value) -> Value:
    return where(do("eq", x, 0.0), 1.0, (x * math.pi).do("sin") / (x * math.pi))


def _next(x: Value, towards: Term) -> Value:
    step = where(do("gt", towards, x), x.do("next"), x.do("previous"))
    return where(do("eq", x, towards), x, step)


def _log_sigmoid(x: Value) -> tuple[Value, None]:
    return x.do("log_sigmoid"), None


def _same(x: Term, *_: Any, **__: Any) -> Term:
    return x


def _unary(name: str) -> Function:
    return lambda x: do(name, x)


def _binary(name: str) -> Function:
    return lambda a, b: do(name, a, b)


FUNCTIONS: dict[Any, Function] = {
    **{
        getattr(aten, operator).default: _unary(name)
        for operator, name in {
            "neg": "neg",
            "abs": "abs",
            "sign": "sign",
            "sgn": "sign",
            "exp": "exp",
            "expm1": "expm1",
            "exp2": "exp2",
            "log": "log",
            "log1p": "log1p",
            "sqrt": "sqrt",
            "rsqrt": "rsqrt",
            "reciprocal": "reciprocal",
            "sin": "sin",
            "cos": "cos",
            "tanh": "tanh",
            "sigmoid": "sigmoid",
            "silu": "silu",
            "erf": "erf",
            "erfc": "erfc",
            "special_erfcx": "erfcx",
            "special_log_ndtr": "log_ndtr",
            "special_ndtri": "ndtri",
            "floor": "floor",
            "isnan": "is_nan",
            "logical_not": "not",
            "bitwise_not": "not",
        }.items()
    },
    **{
        getattr(getattr(aten, operator), overload): _binary(name)
        for operator, name in {
            "lt": "lt",
            "le": "le",
            "gt": "gt",
            "ge": "ge",
            "eq": "eq",
            "ne": "ne",
        }.items()
        for overload in ("Tensor", "Scalar")
    },
    **{
        getattr(aten, operator).default: _binary(name)
        for operator, name in {
            "minimum": "minimum",
            "maximum": "maximum",
            "atan2": "atan2",
            "tanh_backward": "tanh_backward",
            "sigmoid_backward": "sigmoid_backward",
            "silu_backward": "silu_backward",
            "logical_and": "and",
            "logical_and_": "and",
            "logical_or": "or",
        }.items()
    },
    aten.acos.default: lambda x: do("atan2", ((1 - x) * (1 + x)).do("sqrt"), x),
    aten.erfinv.default: lambda x: (x * 0.5 + 0.5).do("ndtri") * math.sqrt(0.5),
    aten.atan.default: lambda x: do("atan2", x, 1.0),
    aten.sinc.default: _sinc,
    aten.tan.default: lambda x: x.do("sin") / x.do("cos"),
    aten.sinh.default: _sinh,
    aten.cosh.default: _cosh,
    aten.ceil.default: lambda x: do("neg", do("floor", do("neg", x))),
    aten.isneginf.default: lambda x: do("eq", x, -math.inf),
    aten.isposinf.default: lambda x: do("eq", x, math.inf),
    aten.isinf.default: lambda x: do("eq", do("abs", x), math.inf),
    aten.bitwise_and.Tensor: _binary("and"),
    aten.bitwise_or.Tensor: _binary("or"),
    aten.mul.Tensor: _binary("mul"),
    aten.mul.Scalar: _binary("mul"),
    aten.mul_.Tensor: _binary("mul"),
    aten.div.Tensor: _div,
    aten.div.Scalar: _div,
    aten.div_.Tensor: _div,
    aten.add.Tensor: _add,
    aten.add.Scalar: _add,
    aten.add_.Tensor: _add,
    aten.sub.Tensor: _sub,
    aten.sub.Scalar: _sub,
    aten.sub_.Tensor: _sub,
    aten.rsub.Scalar: lambda x, other, alpha=1: _sub(other, x, alpha),
    aten.pow.Tensor_Scalar: _power,
    aten.pow.Tensor_Tensor: _power,
    aten.square.default: _unary("square"),
    aten.where.self: where,
    aten.lerp.Tensor: lambda a, b, weight: do("lerp", a, b, weight),
    aten.lerp.Scalar: lambda a, b, weight: do("lerp", a, b, weight),
    aten.addcmul.default: _addcmul,
    aten.addcmul_.default: _addcmul,
    aten.clamp.default: _clamp,
    aten.clamp.Tensor: _clamp,
    aten.clamp_min.default: _clamp,
    aten.clamp_min.Tensor: _clamp,
    aten.clamp_max.default: lambda x, high: _clamp(x, None, high),
    aten.masked_fill.Scalar: lambda x, mask, value: where(mask, value, x),
    aten.masked_fill_.Scalar: lambda x, mask, value: where(mask, value, x),
    aten.masked_fill.Tensor: lambda x, mask, value: where(mask, value, x),
    aten.softplus.default: _softplus,
    aten.softplus_backward.default: _softplus_backward,
    aten.logaddexp.default: _logaddexp,
    aten.logit.default: _logit,
    aten.nextafter.default: _next,
    aten.log_sigmoid_forward.default: _log_sigmoid,
    aten.log_sigmoid_backward.default: lambda g, x, _: do("mul", g, do("sigmoid", do("neg", x))),
    aten.clone.default: _same,
    aten.lift_fresh.default: _same,
    aten.contiguous.default: _same,
    aten.fill_.Scalar: lambda x, value: value,
    aten.copy_.default: lambda x, source, *_: source,
}
"""What each operator does to values."""


def _rule(function: Function) -> Rule:
    @functools.wraps(function)
    def rule(call: Call) -> None:
        shape = call.out[0].shape

        def write(formula: Formula) -> None:
            terms = [call.term(formula, argument) for argument in call.arguments]
            keywords = {k: v for k, v in call.keywords.items() if k != "memory_format"}
            results = function(*terms, **keywords)
            if not isinstance(results, tuple):
                results = (results,)
            for out, result in zip(call.out, results, strict=True):
                if result is not None:
                    formula.leave(result, out)

        call.formula(shape, write)

    return rule


def _to_copy(call: Call) -> None:
    (x, *_), (out,) = call.arguments, call.out
    whole = not call.results[0].is_floating_point() and call.results[0].dtype != torch.bool
    if call.results[0].dtype == torch.float64:
        raise Unlowered("a program's numbers are float32; the pass computes in float64")
    call.map(out, (lambda v: do("trunc", v)) if whole else _same, x)


RULES: dict[Any, Rule] = {
    **{operator: _rule(function) for operator, function in FUNCTIONS.items()},
    aten._to_copy.default: _to_copy,
}

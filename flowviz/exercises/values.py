"""Judging numbers, and functions that return tensors: the right values, and known slips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flowviz.exercises.result import Unanswered, Wrong
from flowviz.exercises.submission import (
    call,
    check_function,
    kind,
    read_choice,
    read_numbers,
    undisturbed,
)

_NEAR = 0.01
"""Near enough to see what a number was meant to be."""
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5  # what is computed in float32 is still right


# ------------------------------------------------------------------ one number


def judge_number(
    submission: object,
    name: str,
    wanted: float,
    slips: Mapping[float, str],
    otherwise: str,
    decimals: int = 3,
) -> None:
    """Compare a number with the right one; return if it is that to so many decimals.

    Args:
        submission: the number, or a sequence with it alone.
        name: what it is called.
        wanted: the right number.
        slips: numbers that known mistakes lead to, and what to tell of each.
        otherwise: what to tell of any other number, after on which side of it the right one lies.
        decimals: that are asked for.

    Raises:
        Unanswered: there is none yet.
        Wrong: it is another one, or has too few decimals.
    """
    lone = isinstance(submission, (int, float)) or getattr(submission, "ndim", None) == 0
    (number,) = read_numbers((submission,) if lone else submission, name)
    if abs(number - wanted) <= 0.5 * 10**-decimals + 1e-9:
        return
    near = min([_NEAR, *(abs(wanted - wrong) / 2 for wrong in slips)])
    slip = min(slips, key=lambda wrong: abs(number - wrong), default=math.inf)
    if abs(number - slip) <= near:
        raise Wrong(slips[slip])
    if abs(number - wanted) <= _NEAR:
        raise Wrong(f"close, and the way is right: give {_COUNTS[decimals]} decimals.")
    raise Wrong(f"{name} is {_side(number, wanted)} {number:.4g}. {otherwise}")


def _side(number: float, wanted: float) -> str:
    """On which side of a wrong number the right one lies, without telling it."""
    side = "smaller than" if number > wanted else "larger than"
    return f"much {side}" if abs(number - wanted) > 10 * max(abs(wanted), 0.1) else side


_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four"}


# ------------------------------------------------------------------ functions


@dataclass(frozen=True)
class ValueSlip:
    """A mistake that students make: what a function with it returns, and what to tell them.

    Attributes:
        value: takes the function's arguments; returns all that the function does, or, with
            ``part``, that part alone.
        reason: the sentence that names the mistake.
        part: index of the result that it spoils; None for all of them together.
    """

    value: Callable[..., Any]
    reason: str
    part: int | None = None


def judge_choice(submission: object, options: Sequence[str], reasons: Mapping[str, str]) -> None:
    """Judge a choice among ``options``: those with a reason against them are wrong.

    Raises:
        Unanswered: there is none yet.
        Wrong: it is wrong, and why; or none of the options.
    """
    chosen = read_choice(submission, options)
    if chosen in reasons:
        raise Wrong(reasons[chosen])


def judge_values(
    submission: object,
    parameters: str,
    results: str,
    cases: Sequence[Callable[[], tuple]],
    right: Callable[..., Any],
    slips: Sequence[ValueSlip],
) -> None:
    """Compare what a function returns with the right values, on every case.

    Args:
        submission: what the student handed in.
        parameters: its arguments, such as ``"layers, x"``.
        results: what it returns, such as ``"u, log-det"``; one name for a single tensor.
        cases: each makes the arguments afresh, so that no call can spoil another's.
        right: the function to compare with.
        slips: mistakes to recognise, the likeliest first.

    Raises:
        Unanswered: the function is still empty.
        Wrong: a value differs; the reason is the slip's where one fits.
    """
    function = check_function(submission, parameters)
    names = [name.strip() for name in results.split(",")]
    for index, make in enumerate(cases):
        wanted = _parts(right(*make()))
        with undisturbed(0):
            got = _read(call(function, *make()), names, wanted)
        same = [_same(mine, one) for mine, one in zip(got, wanted, strict=True)]
        if all(same):
            continue
        for slip in slips:
            slipped = slip.value(*make())
            pairs = (
                [(got[slip.part], slipped, wanted[slip.part])]
                if slip.part is not None
                else list(zip(got, _parts(slipped), wanted, strict=True))
            )
            differs = any(not _same(wrong, one) for _, wrong, one in pairs)
            if differs and all(_same(mine, wrong) for mine, wrong, _ in pairs):
                raise Wrong(slip.reason)
        where = "" if index == 0 else "right in the first case, but in another one "
        part = same.index(False)
        if not got[part].isfinite().all():
            raise Wrong(f"{where}{names[part]} holds numbers that are not finite.")
        others = [name for name, fits in zip(names, same, strict=True) if fits]
        fine = f" ({' and '.join(others)} fits)" if others else ""
        first = (got[part] - wanted[part]).abs().reshape(-1).argmax()
        raise Wrong(
            f"{where}{names[part]} is {float(got[part].reshape(-1)[first]):.4f} where "
            f"{float(wanted[part].reshape(-1)[first]):.4f} is right{fine}."
        )


def _parts(value: Any) -> tuple[Tensor, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _same(a: Tensor, b: Tensor) -> bool:
    a, b = a.double(), b.double()
    return a.shape == b.shape and torch.allclose(
        a, b, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True
    )


def _read(value: object, names: list[str], wanted: Sequence[Tensor]) -> list[Tensor]:
    """What a function returned, as tensors of the wanted shapes, float64."""
    if value is None or value is ...:
        raise Unanswered(f"the function returns nothing yet; return {', '.join(names)}.")
    if len(names) == 1:
        parts: Sequence[object] = [value]
    elif isinstance(value, (tuple, list)) and len(value) == len(names):
        parts = value
    else:
        raise Wrong(f"return {len(names)} results, ({', '.join(names)}), not {kind(value)}.")
    return [_tensor(*each) for each in zip(parts, names, wanted, strict=True)]


def _tensor(value: object, name: str, wanted: Tensor) -> Tensor:
    if value is None or value is ...:
        raise Unanswered(f"{name} is not computed yet.")
    try:
        tensor = torch.as_tensor(value).detach().to("cpu", torch.float64)
    except Exception:
        raise Wrong(f"{name} must be a tensor; it is {kind(value)}.") from None
    if tensor.shape != wanted.shape:
        raise Wrong(_shape(name, list(tensor.shape), list(wanted.shape)))
    return tensor


def _shape(name: str, got: list[int], wanted: list[int]) -> str:
    said = f"{name} has the shape {got}, where {wanted} is asked for"
    if got == [*wanted, *wanted]:
        return (
            f"{said}: every point was combined with every other, as where [N, 1] meets [N]. Bring "
            "both to the shape [N]."
        )
    if len(wanted) == 2 and got == wanted[::-1]:
        return f"{said}: the wrong axis; a point is a row, and its coordinates the last axis."
    if len(wanted) == 1 and len(got) == 2 and got[0] == wanted[0]:
        return f"{said}: one number a point, so sum over the coordinates, the last axis."
    if len(wanted) == 1 and not got:
        return f"{said}: one number a point, not one for all of them together."
    if len(wanted) == 1 and len(got) == 1:
        return f"{said}: the sum went over the wrong axis; sum over the coordinates, the last one."
    return f"{said}."

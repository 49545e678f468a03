"""Running a student's function, and reading what it returns; every mishap becomes a reason."""

from __future__ import annotations

import inspect
import linecache
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from flowviz.exercises.result import Unanswered, Wrong


def check_function(submission: object, parameters: str) -> Callable[..., object]:
    """The submission as a function of ``parameters``, such as ``"flow, x"``.

    Raises:
        Unanswered: it is None or ``...``.
        Wrong: it is no function, or takes other arguments.
    """
    if submission is None or submission is ...:
        raise Unanswered(f"write the function of ({parameters}) and hand it to the check.")
    if not callable(submission):
        raise Wrong(
            f"hand over the function itself, without calling it; what came is {kind(submission)}."
        )
    given = len(parameters.split(","))
    try:
        signature = inspect.signature(submission, follow_wrapped=False)
    except (TypeError, ValueError):
        return submission  # some built-in functions have none; calling them tells
    try:
        signature.bind(*range(given))
    except TypeError:
        raise Wrong(
            f"the function is called with {given} arguments, ({parameters}); "
            f"yours takes {signature}."
        ) from None
    return submission


def call(function: Callable[..., object], *arguments: object) -> object:
    """``function(*arguments)``; an exception in it becomes Wrong, with the line it came from.

    Pressing stop still interrupts.

    Raises:
        Unanswered: the function says itself that it is not written yet, as what nbgrader hands
            out does.
        Wrong: it raised something else.
    """
    try:
        return function(*arguments)
    except (Wrong, KeyboardInterrupt):
        raise
    except BaseException as error:
        if isinstance(error, NotImplementedError) and _raised_in(function, error):
            raise Unanswered("write the function in the place of NotImplementedError.") from None
        raise Wrong(_in_words(error, function)) from None


@contextmanager
def undisturbed(seed: int) -> Iterator[None]:
    """Seed torch for the student's draws; put its global state back afterwards."""
    dtype = torch.get_default_dtype()
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(dtype)


def read_loss(value: object, n: int) -> Tensor:
    """The loss that a function of ``n`` samples returned, as a scalar tensor.

    Raises:
        Unanswered: it is None.
        Wrong: it is no finite real scalar tensor on the CPU.
    """
    if value is None or value is ...:
        raise Unanswered("the function returns nothing: compute the loss and return it.")
    if isinstance(value, (bool, int, float)):
        raise Wrong(
            "the loss is a plain Python number, through which no gradient can flow: return the "
            "tensor, without .item() or float()."
        )
    if not isinstance(value, Tensor):
        raise Wrong(f"the loss must be one number in a torch tensor, not {kind(value)}.")
    if value.device.type != "cpu":
        raise Wrong(f"the loss is on the device {value.device}; the inputs are on the CPU.")
    if not value.is_floating_point():
        raise Wrong(f"the loss has the type {value.dtype}; it must be a real floating type.")
    if value.numel() != 1:
        shape = list(value.shape)
        if shape == [n]:
            raise Wrong(
                f"the function returns {n} numbers, one for each sample: an expectation is "
                "estimated by their mean."
            )
        raise Wrong(f"the loss has the shape {shape}; it must be one number.")
    scalar = value.reshape(())
    if not math.isfinite(float(scalar.detach())):
        raise Wrong(
            f"the loss is {float(scalar.detach())}: somewhere a logarithm or an exponential left "
            "the range of numbers. Stay with logarithms throughout."
        )
    return scalar


def read_numbers(value: object, names: str) -> list[float]:
    """The numbers called ``names``, such as ``"mean, standard deviation"``, of a submission.

    Raises:
        Unanswered: it is None or ``...``.
        Wrong: it is not so many finite real numbers.
    """
    count = len(names.split(","))
    missing = f"hand in the numbers ({names})." if count > 1 else f"hand in a number, {names}."
    if value is None or value is ...:
        raise Unanswered(missing)
    if callable(value):
        raise Wrong(f"hand in the numbers ({names}) themselves, not a function.")
    try:
        # One more than asked for is enough to see that there are too many.
        numbers = [_real(v) for v in islice(iter(value), count + 1)]  # type: ignore[call-overload]
    except Exception:
        asked = f"{count} real numbers, ({names})" if count > 1 else f"a real number, {names}"
        raise Wrong(f"hand in {asked}; what came is {kind(value)}.") from None
    if any(v is None for v in numbers):
        raise Unanswered(missing)
    if len(numbers) != count:
        few = "fewer" if len(numbers) < count else "more"
        plural = "s" if count > 1 else ""
        raise Wrong(f"hand in {count} number{plural}, ({names}); there are {few}.")
    if not all(map(math.isfinite, numbers)):  # type: ignore[arg-type]
        raise Wrong("one of the numbers is not finite.")
    return numbers  # type: ignore[return-value]


def read_choice(value: object, options: Sequence[str]) -> str:
    """The option that was handed in, as it is written in ``options``.

    Raises:
        Unanswered: it is None or ``...``.
        Wrong: it is none of them.
    """
    if value is None or value is ...:
        raise Unanswered("choose one of the options.")
    said = value.strip().casefold() if isinstance(value, str) else None
    for option in options:
        if said == option.casefold():
            return option
    raise Wrong(f"hand in one of {_listed(options)}; what came is none of them.")


def _listed(options: Sequence[str]) -> str:
    return ", ".join(f"“{option}”" for option in options)


def _real(value: Any) -> float | None:
    """The number, or None for a ``...`` that still stands in its place."""
    if value is ... or value is None:
        return None
    if isinstance(value, (str, bytes, bool)):
        raise TypeError
    return float(value)


def kind(value: object) -> str:
    """What a thing is, in words, without asking the thing."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    name = type(value).__name__
    if type(value).__module__.partition(".")[0] == "numpy":
        return f"a NumPy {name}"
    if name == "Estimate":
        return "an Estimate (its .value is the tensor)"
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def _in_words(error: BaseException, function: Callable[..., object]) -> str:
    """What went wrong in ``function``, and in which of its lines."""
    said = " ".join(str(error).split()) or "without a message"
    said = said if len(said) <= 240 else said[:239] + "…"
    return f"the function raised {type(error).__name__}{_line(error, function)}: {said}"


def _raised_in(function: Callable[..., object], error: BaseException) -> bool:
    """Whether an exception was raised by the function itself, and by nothing that it calls."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code is code


def _line(error: BaseException, function: Callable[..., object]) -> str:
    """Where in the student's own file the error came from: `` in line 3, “…”``."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == code.co_filename
    ]
    if not own or own[-1].lineno is None:
        return ""
    text = linecache.getline(code.co_filename, own[-1].lineno).strip()
    return f" in line {own[-1].lineno}" + (f", “{text}”" if text else "")

"""Checks of what public functions are given: at once, naming what came and what is allowed."""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

# Names are checked where torch is not loaded yet, and the functions for tensors import it.
if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

FEW = 12
"""So many names can be read in a message on a phone; of more it shows the nearest or the first."""


def nearest(name: Any, known: Iterable[str]) -> str:
    """The known name that was probably meant by ``name``, "" if there is none."""
    if not isinstance(name, str):
        return ""
    spelled = {each.lower(): each for each in known}
    typed = name.lower()
    close = difflib.get_close_matches(typed, spelled, n=1)
    begun = [each for each in spelled if len(typed) > 1 and each.startswith(typed)]
    return next((spelled[each] for each in (*close, *begun)), "")


def listed(names: Iterable[str]) -> str:
    """The names in a row, those that hold a comma in quotes."""
    return ", ".join(repr(name) if "," in name else name for name in names)


def among(name: Any, known: Iterable[str], words: str) -> str:
    """How a message about ``name``, which is not among ``known``, goes on.

    >>> "there is no setting 'layer'" + among("layer", ["layers", "seed"], "the names are")
    "there is no setting 'layer' (did you mean 'layers'?): the names are layers, seed"
    """
    names = list(known)
    near = nearest(name, names)
    hint = f" (did you mean {near!r}?)" if near else ""
    if len(names) <= FEW:
        return f"{hint}: {words} {listed(names) or 'none'}"
    return hint or f": {words} {listed(names[:3])} and {len(names) - 3} more"


def named(kind: str, name: Any, table: Mapping[str, T]) -> T:
    """``table[name]``.

    Raises:
        ValueError: the table has no such name; the message lists its names and the nearest one.
    """
    if not isinstance(name, str) or name not in table:
        near = nearest(name, table)
        hint = f" Did you mean {near!r}?" if near else ""
        if near and len(table) > FEW:  # behind a long list it would not be seen
            raise ValueError(f"unknown {kind} {name!r}.{hint} There are: {listed(table)}")
        raise ValueError(f"unknown {kind} {name!r}; there are: {listed(table)}.{hint}")
    return table[name]


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, of Python's or of numpy's; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Whether it is a number, of Python's or of numpy's; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def whole(name: str, value: Any, least: int) -> int:
    """``value``, a whole number ≥ ``least``.

    Raises:
        ValueError: it is not.
    """
    if not is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number ≥ {least}, got {value!r}")
    return int(value)


def order(value: Any, dim: int) -> list[int]:
    """``value`` as a list that holds each of 0 … ``dim`` − 1 once.

    Raises:
        ValueError: it does not.
    """
    places = list(value) if isinstance(value, Iterable) else []
    whole_numbers = all(map(is_whole, places))
    if not whole_numbers or sorted(places) != list(range(dim)):
        got = places if isinstance(value, range) else value
        raise ValueError(f"order must hold each of 0 … {dim - 1} once, got {got!r}")
    return [int(place) for place in places]


def seed(value: Any) -> int:
    """``value``, a seed that a generator takes.

    Raises:
        ValueError: it is not a whole number ≥ 0, or has more than 63 bits.
    """
    if whole("seed", value, 0) >= 2**63:
        raise ValueError(f"seed must be less than 2⁶³, got {value}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """``value``, True or False.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return value


def positive(name: str, value: Any) -> float:
    """``value``, a finite number > 0.

    Raises:
        ValueError: it is not.
    """
    if not is_real(value) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}")
    return float(value)


def finite(name: str, value: Any) -> float:
    """``value``, a finite number.

    Raises:
        ValueError: it is not.
    """
    if not is_real(value) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def instance(name: str, value: Any, kind: type[T]) -> T:
    """``value``, an instance of ``kind``.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")
    return value


def optional(name: str, value: Any, kind: type[T]) -> T | None:
    """``value``, an instance of ``kind`` or None.

    Raises:
        TypeError: it is neither.
    """
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__} or None, got {type(value).__name__}")
    return value


def instances(name: str, value: Any, kind: type[T]) -> list[T]:
    """``value`` as a list of instances of ``kind``.

    Raises:
        TypeError: it cannot be iterated over, or holds something else.
    """
    if not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of {kind.__name__}s, got {type(value).__name__}")
    items = list(value)
    for item in items:
        if not isinstance(item, kind):
            got = type(item).__name__
            raise TypeError(f"{name} must be a list of {kind.__name__}s, got one with {got}")
    return items


def function(name: str, value: Any) -> None:
    """Check that ``value`` can be called.

    Raises:
        TypeError: it cannot.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {type(value).__name__}")


def method(name: str, value: Any, wanted: str, takes: Sequence[str], example: str) -> None:
    """Check that ``value`` has the method ``wanted`` of these arguments, as ``example`` has.

    Raises:
        TypeError: it has not.
    """
    found = getattr(value, wanted, None)
    if isinstance(value, type):
        raise TypeError(f"{name} must be an object, such as {example}; got the class {value!r}")
    if not callable(found):
        got = type(value).__name__
        raise TypeError(f"{name} must have a method {wanted}, as {example} has; got {got}")
    try:
        # Not that of what it wraps: a wrapper, of a bound method say, takes what itself says.
        signature = inspect.signature(found, follow_wrapped=False)
    except ValueError:
        return  # Some built-in functions do not say what they take.
    try:
        signature.bind(*takes)
    except TypeError:
        got = f"{type(value).__name__}'s takes {signature}"
        raise TypeError(
            f"{name} must have a method {wanted}({', '.join(takes)}), as {example} has; {got}"
        ) from None


def array(name: str, value: Any, shape: str, least: int = 1) -> Tensor:
    """``value``, a finite floating-point tensor with as many axes as ``shape`` names.

    Args:
        name: of the argument.
        value: what was given.
        shape: such as ``"[N, D]"``.
        least: the fewest entries along the first axis; every other axis has at least one.

    Raises:
        TypeError: it is not a floating-point tensor.
        ValueError: it has another shape, too few entries, or holds NaN or infinity.
    """
    from torch import Tensor

    axes = shape.count(",") + 1
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating-point tensor {shape}, got {got}")
    sizes = list(value.shape)
    if len(sizes) != axes or sizes[0] < least or 0 in sizes[1:]:
        first = shape.strip("[]").split(",")[0]
        raise ValueError(f"{name} must be {shape}, {first} ≥ {least}; got {sizes}")
    if not value.is_meta and not value.isfinite().all():
        raise ValueError(f"{name} {sizes} holds NaN or infinity")
    return value


def wide(name: str, value: Any, width: int) -> Tensor:
    """``value``, a floating-point tensor ``[..., width]``.

    Raises:
        TypeError: it is not a floating-point tensor.
        ValueError: it has another last axis.
    """
    from torch import Tensor

    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating-point tensor [..., {width}], got {got}")
    if value.shape[-1:] != (width,):
        raise ValueError(f"{name} must be [..., {width}], got {list(value.shape)}")
    return value


def values(name: str, result: Any, points: Tensor) -> Tensor:
    """``result``, one number for each of ``points [N, D]``, as the function ``name`` gave them.

    Raises:
        ValueError: it has another shape.
    """
    from torch import Tensor

    got = list(result.shape) if isinstance(result, Tensor) else type(result).__name__
    if got != list(points.shape[:-1]):
        raise ValueError(
            f"{name} must map points {list(points.shape)} to values "
            f"{list(points.shape[:-1])}, got {got}"
        )
    return result

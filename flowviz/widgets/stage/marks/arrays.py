"""Arrays as marks take them: any kind of numbers in, checked float32 out, bytes to the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def array(value: Any, name: str) -> Array:
    """``value`` as a contiguous float32 array, off any device and graph."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.ascontiguousarray(np.asarray(value, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array of numbers, got {type(value).__name__}"
        ) from error


def shaped(value: Any, name: str, axes: str) -> Array:
    """``value`` with these axes ("K+1 N 2"); a leading "K+1" of length 1 is added if missing.

    An axis that is a number has that length.
    """
    got = array(value, name)
    wanted = axes.split()
    if wanted[0] == "K+1" and got.ndim == len(wanted) - 1:
        got = got[None]
    fits = got.ndim == len(wanted) and all(
        not axis.isdigit() or int(axis) == length
        for axis, length in zip(wanted, got.shape, strict=True)
    )
    if not fits or got.shape[0] == 0:
        still = f" or [{', '.join(wanted[1:])}]" if wanted[0] == "K+1" else ""
        raise ValueError(
            f"{name} must have shape [{', '.join(wanted)}]{still}, got {list(np.shape(value))}"
        )
    return got


def chosen(value: str, name: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


def checked_extent(extent: Sequence[float], name: str) -> tuple[float, float, float, float]:
    """(xmin, xmax, ymin, ymax), finite and not empty."""
    if len(extent) != 4 or not all(math.isfinite(float(v)) for v in extent):
        raise ValueError(f"{name} must be four finite numbers xmin, xmax, ymin, ymax; got {extent}")
    xmin, xmax, ymin, ymax = (float(v) for v in extent)
    if not (xmin < xmax and ymin < ymax):
        raise ValueError(f"{name} must have xmin < xmax and ymin < ymax; got {tuple(extent)}")
    return xmin, xmax, ymin, ymax


def at_least(value: float | None, name: str, low: float, high: float = math.inf) -> None:
    if value is not None and not low <= value <= high:
        words = f"between {low} and {high}" if math.isfinite(high) else f"at least {low}"
        raise ValueError(f"{name} must be {words}, got {value}")


def raw_bytes(value: npt.NDArray[np.floating[Any]]) -> memoryview:
    """The bytes of a contiguous array, uncopied."""
    return value.reshape(-1).view(np.uint8).data


def sent(value: Array | None) -> dict[str, Any] | None:
    """An array as it goes to the page: its shape, and its bytes as they are."""
    if value is None:
        return None
    return {"shape": list(value.shape), "data": raw_bytes(value)}

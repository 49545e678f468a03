"""The film of a training run: what the stage shows at up to 40 moments of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowviz.widgets.stage.marks import KINDS, Handles, Mark
from flowviz.widgets.stage.marks.arrays import raw_bytes

MOST_MOMENTS = 40
MOST_BYTES = 4_000_000
"""Of all the moments of a film, in half precision."""
LARGEST_HALF = 65_504.0
"""The largest finite number in half precision."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What a stage shows at one step of a training run.

    Args:
        step: the training step.
        marks: they replace all the stage's own marks of their kinds, in this order; kinds that are
            not among them stay as they are. No handles: they belong to the present.

    Raises:
        ValueError, TypeError: no whole step ≥ 0, no mark, or something else than marks.
    """

    step: int
    marks: Sequence[Mark]

    def __post_init__(self) -> None:
        marks = [self.marks] if isinstance(self.marks, Mark) else list(self.marks)
        if isinstance(self.step, bool) or int(self.step) != self.step or self.step < 0:
            raise ValueError(f"Moment step must be a whole number of at least 0, got {self.step}")
        if not marks:
            raise ValueError("a Moment needs at least one mark")
        for mark in marks:
            if not isinstance(mark, KINDS) or isinstance(mark, Handles):
                raise TypeError(
                    f"a Moment holds marks other than handles; got {type(mark).__name__}"
                )
        object.__setattr__(self, "step", int(self.step))
        object.__setattr__(self, "marks", marks)

    def to_json(self) -> dict[str, Any]:
        """The step, and the marks by their kinds, their arrays in half precision."""
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for mark in self.marks:
            by_kind.setdefault(mark.kind, []).append(_halved(mark.to_json()))
        return {"step": self.step, "marks": by_kind}


def check_film(film: Sequence[Moment]) -> None:
    """Raise ValueError for too many moments, too many bytes, or steps that do not go up."""
    if len(film) > MOST_MOMENTS:
        raise ValueError(f"a film has at most {MOST_MOMENTS} moments, got {len(film)}")
    steps = [moment.step for moment in film]
    if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
        raise ValueError(f"the steps of a film must go up, got {steps}")
    size = sum(_half_bytes(mark.to_json()) for moment in film for mark in moment.marks)
    if size > MOST_BYTES:
        raise ValueError(
            f"this film has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f} MB: "
            f"show fewer moments, particles or states"
        )


def _halved(mark: dict[str, Any]) -> dict[str, Any]:
    """A mark as it is sent, with its arrays in half precision."""
    return {name: _half(value) if _is_array(value) else value for name, value in mark.items()}


def _half(sent: dict[str, Any]) -> dict[str, Any]:
    values = np.frombuffer(sent["data"], np.float32)
    # What is finite stays so: far out of the picture is not the same as missing.
    clipped = np.clip(values, -LARGEST_HALF, LARGEST_HALF)
    half = np.where(np.isinf(values), values, clipped).astype(np.float16)
    return {"shape": sent["shape"], "half": True, "data": raw_bytes(half)}


def _half_bytes(mark: dict[str, Any]) -> int:
    return sum(len(value["data"]) // 2 for value in mark.values() if _is_array(value))


def _is_array(value: Any) -> bool:
    return isinstance(value, dict) and "data" in value

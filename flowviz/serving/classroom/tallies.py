"""What the answers to one question come to: counts, a histogram, one density of all drawings."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from typing import Any

from flowviz.serving.questions import Question

CELLS = 24
"""The cells a side of the density of drawings."""
FEWEST, MOST = 20, 500
"""So many points make a drawing."""
LARGEST = 1e9
"""The largest number that is taken."""
BINS = 10
"""A histogram has about so many."""


class Tally:
    """The answers to one question, none of which is told from another."""

    def __init__(self, question: Question) -> None:
        self.question = question

    def read(self, given: Any) -> Any:
        """The answer as it is kept, which JSON can write.

        Raises:
            ValueError: what was given is no answer to this question.
        """
        raise NotImplementedError

    def add(self, answer: Any) -> None:
        """Count an answer, as :meth:`read` has made it."""
        raise NotImplementedError

    def remove(self, answer: Any) -> None:
        """Count it no more."""
        raise NotImplementedError

    def shown(self, with_right: bool) -> dict[str, Any]:
        """What a page draws; ``with_right``: it may be seen where the right answer lies."""
        raise NotImplementedError


class Choices(Tally):
    """How many have chosen each option; an answer is the option's index."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self._counts = [0] * len(question.options)

    def read(self, given: Any) -> int:
        if type(given) is not int or not 0 <= given < len(self._counts):
            raise ValueError(f"an answer is an option's number, 0 to {len(self._counts) - 1}")
        return given

    def add(self, answer: int) -> None:
        self._counts[answer] += 1

    def remove(self, answer: int) -> None:
        self._counts[answer] -= 1

    def shown(self, with_right: bool) -> dict[str, Any]:
        return {"counts": list(self._counts)}


class Numbers(Tally):
    """A histogram with round edges; what lies far from all others is counted at its ends."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self._values: list[float] = []

    def read(self, given: Any) -> float:
        if type(given) not in (int, float) or not abs(given) <= LARGEST:
            raise ValueError(f"an answer is a number, at most {LARGEST:.0e} in size")
        return float(given)

    def add(self, answer: float) -> None:
        insort(self._values, answer)

    def remove(self, answer: float) -> None:
        self._values.remove(answer)

    def shown(self, with_right: bool) -> dict[str, Any]:
        values, right = self._values, self.question.answer
        if not values:
            return {"start": 0, "width": 1, "counts": [], "below": 0, "above": 0}
        low, high = (values[round(share * (len(values) - 1))] for share in (0.05, 0.95))
        if with_right and isinstance(right, (int, float)):
            low, high = min(low, right), max(high, right)
        width = _round_width((high - low) / BINS or max(abs(high), 1) / BINS)
        first, last = (math.floor(round(edge / width, 6)) for edge in (low, high))
        bins = Counter(math.floor(round(value / width, 6)) for value in values)
        return {
            "start": first * width,
            "width": width,
            "counts": [bins[at] for at in range(first, last + 1)],
            "below": sum(count for at, count in bins.items() if at < first),
            "above": sum(count for at, count in bins.items() if at > last),
        }


class Drawings(Tally):
    """One density of all drawings, each of the same weight, however many points it has.

    A drawing is kept as its density on the cells, ``[[cell, weight], …]``: its strokes are not.
    """

    WEIGHT = 10_000

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self._total = [0] * (CELLS * CELLS)

    def read(self, given: Any) -> list[list[int]]:
        """From the points' coordinates, x, y, x, y, …"""
        numbers = isinstance(given, list) and all(
            type(one) in (int, float) and abs(one) <= LARGEST for one in given
        )
        if not numbers or len(given) % 2 or not FEWEST <= len(given) // 2 <= MOST:
            raise ValueError(
                f"an answer is a list of coordinates, x, y, x, y, … of {FEWEST} to {MOST} points"
            )
        xmin, xmax, ymin, ymax = self.question.window
        cells: Counter[int] = Counter()
        for x, y in zip(given[::2], given[1::2], strict=True):
            column = math.floor(CELLS * (x - xmin) / (xmax - xmin))
            row = math.floor(CELLS * (ymax - y) / (ymax - ymin))
            if 0 <= column < CELLS and 0 <= row < CELLS:
                cells[row * CELLS + column] += 1
        inside = cells.total()
        if not inside:
            raise ValueError("every point of the drawing is outside the picture")
        return [[cell, round(self.WEIGHT * n / inside)] for cell, n in sorted(cells.items())]

    def add(self, answer: list[list[int]]) -> None:
        for cell, weight in answer:
            self._total[cell] += weight

    def remove(self, answer: list[list[int]]) -> None:
        for cell, weight in answer:
            self._total[cell] -= weight

    def shown(self, with_right: bool) -> dict[str, Any]:
        """``density``: row by row from the top, 255 where it is greatest."""
        most = max(self._total) or 1
        return {"density": [round(255 * one / most) for one in self._total]}


_KINDS: dict[str, type[Tally]] = {"choice": Choices, "number": Numbers, "drawing": Drawings}


def tally(question: Question) -> Tally:
    """An empty tally for a question of any kind."""
    return _KINDS[question.kind](question)


def _round_width(width: float) -> float:
    """The next of 1, 2, 5, 10, … times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= width * (1 - 1e-9))

"""Pictures that follow their handles in a saved page: what they are made of, as programs.

A few numbers say what is seen: where a knot lies, how wide a density is. A picture is a function of
them, and what a handle's new place makes of them is another. The kernel draws by these functions;
a page, which has none, plays their recordings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.flows.programs import of_function
from flowviz.widgets.readouts import format_number
from flowviz.widgets.stage.marks import Mark
from flowviz.widgets.state import Real


@dataclass(frozen=True)
class Said:
    """A number in words.

    Attributes:
        text: with {} where the number ``[]`` stands.
        infinite: what to say where it is that; by default the same as of any other.
    """

    text: str
    number: Tensor
    infinite: str = ""

    def __str__(self) -> str:
        number = float(self.number)
        if math.isinf(number) and self.infinite:
            return self.infinite
        return self.text.replace("{}", format_number(number))


@dataclass(frozen=True)
class Moved:
    """What a handle's new place makes of the numbers.

    Attributes:
        numbers: the others ``[S]``.
        refused: why it is not where the user has it; the number is NaN where it is.
    """

    numbers: Tensor
    refused: Said


Move = Callable[[Tensor, Tensor], Moved]
"""Of the numbers ``[S]``, and of the place ``[2]`` where the user has a handle."""


@dataclass(frozen=True)
class Turned:
    """A slider of a page's: a setting that is one of the numbers.

    Attributes:
        setting: with its name and its bounds.
        place: which of the numbers it is.
        allowed: what it becomes of a value ``[]``.
        refused: why that is another.
    """

    setting: Real
    place: int
    allowed: Callable[[Tensor], Tensor] = torch.clone
    refused: str = ""

    def move(self, numbers: Tensor, place: Tensor) -> Moved:
        """To the value ``place[0]``."""
        value = self.allowed(place[0])
        others = numbers[: self.place], numbers[self.place + 1 :]
        said = Said(self.refused, torch.where(value == place[0], math.nan, place[0]))
        return Moved(torch.cat([others[0], value[None], others[1]]), said)


SLIDER = ("label", "help", "min", "max", "step", "log", "most")
"""What a slider takes from its setting."""


def within(field: Real, value: Tensor) -> tuple[Tensor, Said]:
    """The nearest value ``[]`` that a setting may have, and what is said where that is another."""
    inside = value.clamp(field.min, field.max)
    return inside, Said(stops(field), torch.where(inside == value, math.nan, value))


def stops(field: Real) -> str:
    """Said of a handle that is dragged past a setting's bounds."""
    return f"“{field.label}” is {field.allowed()}: there it stops."


class Unmade:
    """A mark that is still to be made.

    Args:
        kind: its class.
        **given: to that; arrays as tensors, float64, and numbers in words as :class:`Said`.
    """

    def __init__(self, kind: type[Mark], **given: Any) -> None:
        self.kind, self.given = kind, given

    def made(self) -> Mark:
        """The mark itself."""
        said = {name: str(value) for name, value in self.given.items() if isinstance(value, Said)}
        return self.kind(**{**self.given, **said})


@dataclass(frozen=True)
class Table:
    """Numbers beside a picture in a page of its own.

    Attributes:
        columns: what they are.
        rows: by their names, a number for each column.
    """

    columns: Sequence[str]
    rows: Mapping[str, Sequence[Said]]


@dataclass(frozen=True)
class Plot:
    """Curves beside a picture in a page of its own.

    Attributes:
        title: what against what.
        x: where they are drawn ``[N]``, going up.
        curves: by their names, "ink", "danger", "forward" or "reverse", and heights ``[N]``, NaN
            where there is nothing.
        at: the x that is marked ``[]``.
    """

    title: str
    x: Tensor
    curves: Mapping[str, tuple[str, Tensor]]
    at: Tensor


@dataclass(frozen=True)
class Seen:
    """What is seen with some numbers.

    Attributes:
        marks: all that follow, kind by kind in the order in which the stage has them.
        window: what is seen of the plane ``[4]``; None: it stays.
        said: the numbers to be read off.
        known: numbers ``[]`` by which goals are told.
        table, plot: what a page shows beside the picture.
    """

    marks: Sequence[Unmade]
    window: Tensor | None = None
    said: Sequence[Said] = ()
    known: Mapping[str, Tensor] = field(default_factory=dict)
    table: Table | None = None
    plot: Plot | None = None


@dataclass(frozen=True)
class Descent:
    """How the numbers are trained by descent.

    Attributes:
        step: of the numbers, to those after a step; the same where nothing pulls.
        back: of the numbers, to those that training starts from.
        done: steps so far.
        steps: of a run.
        most: steps that there may be.
    """

    step: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    done: int
    steps: int
    most: int


@dataclass(frozen=True)
class Following:
    """How a stage follows its handles.

    Attributes:
        numbers: as they are now ``[S]``, float64.
        draw: what is seen with any numbers.
        moves: for every handle of every set, in their order.
        sliders: what the page can turn besides.
        training: how the page trains them; None: it does not.
    """

    numbers: Tensor
    draw: Callable[[Tensor], Seen]
    moves: Sequence[Sequence[Move]]
    sliders: Sequence[Turned] = ()
    training: Descent | None = None

    @torch.no_grad()
    def in_page(self) -> dict[str, Any]:
        """What a page needs to follow: as JSON has it, but for the programs.

        Raises:
            ValueError: a function cannot be recorded, and why.
        """
        now = self.draw(self.numbers)
        marks = made(now.marks)

        def picture(numbers: Tensor) -> dict[str, Tensor]:
            seen = _named(self.draw(numbers), marks)
            return {n: v.number if isinstance(v, Said) else v for n, v in seen.items()}

        follows = _named(now, marks)
        texts = {n: v for n, v in follows.items() if isinstance(v, Said)}
        place = torch.zeros(2, dtype=torch.float64)
        table, plot = now.table, now.plot
        return {
            "drawn": [
                n for n in follows if n not in texts and not n.startswith(("known.", "plot."))
            ],
            "draw": of_function(picture, numbers=self.numbers).to_bytes(),
            "moves": [[self._moved(move, place) for move in of_set] for of_set in self.moves],
            "sliders": [self._slider(slider, place) for slider in self.sliders],
            "numbers": self.numbers.float().numpy().tobytes(),
            "texts": {name: [said.text, said.infinite] for name, said in texts.items()},
            "table": table and {"columns": list(table.columns), "rows": list(table.rows)},
            "plot": plot
            and {
                "title": plot.title,
                "curves": [[name, voice] for name, (voice, _) in plot.curves.items()],
            },
            "training": self.training and self._trained(self.training),
        }

    def _moved(self, move: Move, place: Tensor) -> dict[str, Any]:
        def run(numbers: Tensor, place: Tensor) -> dict[str, Tensor]:
            moved = move(numbers, place)
            return {"numbers": moved.numbers, "refused": moved.refused.number}

        program = of_function(run, numbers=self.numbers, place=place)
        words = move(self.numbers, place).refused.text
        return {"program": program.to_bytes(), "refused": words}

    def _slider(self, slider: Turned, place: Tensor) -> dict[str, Any]:
        setting = slider.setting
        return {
            **{name: getattr(setting, name) for name in SLIDER},
            "place": slider.place,
            **self._moved(slider.move, place),
        }

    def _trained(self, training: Descent) -> dict[str, Any]:
        step, back = (_changed(one, self.numbers) for one in (training.step, training.back))
        return {**vars(training), "step": step, "back": back}


def made(marks: Sequence[Unmade]) -> list[Any]:
    """The marks themselves."""
    return [mark.made() for mark in marks]


def _named(seen: Seen, marks: Sequence[Mark]) -> dict[str, Tensor | Said]:
    """All that follows: "kind.index.field" of the marks, "window", "said.index", "known.name".

    And "cell.index" of the table, row by row, "plot.x", "plot.at", "plot.index".

    Args:
        marks: those of ``seen``, made: their arrays have all of their axes.
    """
    found: dict[str, Tensor | Said] = {}
    counts: dict[str, int] = {}
    for unmade, mark in zip(seen.marks, marks, strict=True):
        index = counts[mark.kind] = counts.get(mark.kind, -1) + 1
        for part, value in unmade.given.items():
            name = f"{mark.kind}.{index}.{part}"
            if isinstance(value, Said):
                found[name] = value
            if isinstance(value, Tensor):
                found[name] = value.reshape(np.shape(getattr(mark, part)))
    if seen.window is not None:
        found["window"] = seen.window
    found |= {f"said.{i}": one for i, one in enumerate(seen.said)}
    if seen.table is not None:
        cells = chain.from_iterable(seen.table.rows.values())
        found |= {f"cell.{i}": one for i, one in enumerate(cells)}
    if seen.plot is not None:
        found |= {"plot.x": seen.plot.x, "plot.at": seen.plot.at}
        heights = (values for _, values in seen.plot.curves.values())
        found |= {f"plot.{i}": values for i, values in enumerate(heights)}
    return found | {f"known.{name}": number for name, number in seen.known.items()}


def _changed(change: Callable[[Tensor], Tensor], numbers: Tensor) -> bytes:
    """The program of a function to other numbers."""

    def changed(numbers: Tensor) -> dict[str, Tensor]:
        return {"numbers": change(numbers)}

    return of_function(changed, numbers=numbers).to_bytes()

"""The kinds of values that a panel's state is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from flowviz import arguments
from flowviz.widgets.state.field import Field, in_short

Pairs = tuple[tuple[float, float], ...]


class Choice(Field[str]):
    """One of several names.

    Args:
        default: one of the names.
        options: the names, or a mapping from each name to the title that a person reads.
        headings: a mapping from each name to the heading that a menu has it under; names of one
            heading follow one another.
    """

    def __init__(
        self,
        default: str,
        options: Iterable[str] | Mapping[str, str],
        *,
        headings: Mapping[str, str] | None = None,
        label: str = "",
        help: str = "",
    ) -> None:
        titled = options if isinstance(options, Mapping) else {name: name for name in options}
        self.options: dict[str, str] = dict(titled)
        self.headings = dict(headings or {})
        super().__init__(default, label=label, help=help)

    def coerce(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise ValueError
        return value

    def allowed(self) -> str:
        return f"one of {arguments.listed(self.options)}"

    def refusal(self, value: Any) -> str:
        offered = arguments.among(value, self.options, "one of")
        return f"{self.name}={in_short(value)} is not allowed{offered}"


class Integer(Field[int]):
    """A whole number from ``min`` to ``max``, both included."""

    def __init__(
        self, default: int, min: int, max: int, *, step: int = 1, label: str = "", help: str = ""
    ) -> None:
        self.min, self.max, self.step = min, max, step
        super().__init__(default, label=label, help=help)

    def coerce(self, value: Any) -> int:
        if not arguments.is_real(value):
            raise TypeError
        number = float(value)
        if not number.is_integer() or not self.min <= number <= self.max:
            raise ValueError
        return int(value)

    def allowed(self) -> str:
        return f"a whole number from {self.min} to {self.max}"

    def parse(self, text: str) -> int:
        return int(text)


class Real(Field[float]):
    """A finite number from ``min`` to ``max``, both included.

    Args:
        log: its slider moves by ratios, not by differences; then ``min`` must be positive.
        step: the slider's step; without one, a hundredth of the range. A value need not be on one.
        most: what ``max`` stands for, such as "no cap"; its slider says so there.
    """

    def __init__(
        self,
        default: float,
        min: float,
        max: float,
        *,
        log: bool = False,
        step: float | None = None,
        most: str = "",
        label: str = "",
        help: str = "",
    ) -> None:
        if log and min <= 0:
            raise ValueError(f"a logarithmic scale needs a positive minimum, got {min}")
        self.min, self.max, self.log = float(min), float(max), log
        self.step = step if step is not None else (self.max - self.min) / 100
        self.most = most
        super().__init__(default, label=label, help=help)

    def coerce(self, value: Any) -> float:
        if not arguments.is_real(value):
            raise TypeError
        number = float(value)
        if not self.min <= number <= self.max:  # false for NaN too
            raise ValueError
        return number

    def allowed(self) -> str:
        return f"a number from {self.min:g} to {self.max:g}"

    def nearest(self, value: float) -> float:
        """The allowed value that is nearest."""
        return min(max(value, self.min), self.max)

    def parse(self, text: str) -> float:
        return float(text)

    def format(self, value: float) -> str:
        return repr(value).removesuffix(".0")


class Toggle(Field[bool]):
    """On or off."""

    _TEXTS: ClassVar[dict[str, bool]] = {
        **dict.fromkeys(("1", "true", "yes", "on"), True),
        **dict.fromkeys(("0", "false", "no", "off"), False),
    }

    def coerce(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    def allowed(self) -> str:
        return "true or false"

    def parse(self, text: str) -> bool:
        try:
            return self._TEXTS[text.strip().lower()]
        except KeyError:
            raise ValueError from None

    def format(self, value: bool) -> str:
        return "1" if value else "0"


class Text(Field[str]):
    """A short text, such as a formula: at most ``max_length`` characters."""

    def __init__(
        self, default: str = "", *, max_length: int = 500, label: str = "", help: str = ""
    ) -> None:
        self.max_length = max_length
        super().__init__(default, label=label, help=help)

    def coerce(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        value.encode()  # a lone surrogate is no text, and cannot go into a link
        if len(value) > self.max_length:
            raise ValueError
        return value

    def allowed(self) -> str:
        return f"a text of at most {self.max_length} characters"


class Points(Field[Pairs]):
    """Points of the plane, as a tuple of (x, y), rounded to three decimals.

    Args:
        default: the points of a fresh state.
        count: exactly so many; without it, any number up to ``max_points``.
        max_points: what a link can carry.
        bound: the largest |coordinate|.
    """

    DECIMALS = 3

    def __init__(
        self,
        default: Sequence[Sequence[float]] = (),
        *,
        count: int | None = None,
        max_points: int = 2_000,
        bound: float = 100.0,
        label: str = "",
        help: str = "",
    ) -> None:
        self.count, self.max_points, self.bound = count, max_points, bound
        super().__init__(default, label=label, help=help)

    def coerce(self, value: Any) -> Pairs:
        if hasattr(value, "tolist"):  # an array or a tensor
            value = value.tolist()
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            raise TypeError
        if len(value) > self.max_points or (self.count is not None and len(value) != self.count):
            raise ValueError
        points = []
        for x, y in value:
            if isinstance(x, str) or isinstance(y, str):
                raise TypeError
            if not (abs(x) <= self.bound and abs(y) <= self.bound):  # false for NaN too
                raise ValueError
            # adding zero turns -0.0 into 0.0, so that equal points have equal texts
            points.append((round(float(x), self.DECIMALS) + 0.0, round(float(y), 3) + 0.0))
        return tuple(points)

    def allowed(self) -> str:
        many = f"at most {self.max_points}" if self.count is None else f"exactly {self.count}"
        points = "point" if self.count == 1 else "points"
        return f"{many} {points} (x, y), each coordinate between -{self.bound:g} and {self.bound:g}"

    def parse(self, text: str) -> list[list[float]]:
        return [[float(c) for c in pair.split(",")] for pair in text.split(";") if pair]

    def format(self, value: Pairs) -> str:
        return ";".join(f"{x:g},{y:g}" if _exact(x, y) else f"{x!r},{y!r}" for x, y in value)

    def plain(self, value: Pairs) -> list[list[float]]:
        return [list(point) for point in value]


def _exact(*numbers_: float) -> bool:
    return all(float(f"{number:g}") == number for number in numbers_)

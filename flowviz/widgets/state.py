"""The declared state of a panel: one plain object with types, ranges, defaults and link names.

A panel declares what it can be set to, and everything else follows from the declaration: the
controls, the link, the JSON file and the messages about bad values.

>>> class State(PanelState):
...     layers = Integer(4, 1, 12, label="Layers")
...     rate = Real(0.003, 1e-4, 0.1, log=True, label="Learning rate")
>>> state = State(layers=6)
>>> state.to_query()
'layers=6'
>>> State.from_query("layers=6&rate=fast")
({'layers': 6}, ["rate='fast' is not allowed: a number from 0.0001 to 0.1"])
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode

import traitlets

from flowviz import arguments

MAX_QUERY_BYTES = 64_000
"""Longer links are refused: servers drop the connection above about 64 kB."""


class Field(traitlets.TraitType):
    """One declared value: its default, what it may be, and its text in a link.

    Subclasses turn anything acceptable into the plain Python value (:meth:`coerce`, which raises
    ValueError or TypeError for the rest) and say in words what is allowed (:meth:`allowed`).

    Args:
        default: the value of a fresh state.
        label: the name that a person reads; without one, the attribute's name.
        help: one sentence for the tooltip.
    """

    def __init__(self, default: Any, *, label: str = "", help: str = "") -> None:
        self.text_label = label
        self.text_help = help
        super().__init__(default_value=self.coerce(default), help=help)

    @property
    def label(self) -> str:
        return self.text_label or (self.name or "").replace("_", " ").capitalize()

    @property
    def initial(self) -> Any:
        """The value of a fresh state."""
        return self.default_value

    def coerce(self, value: Any) -> Any:
        raise NotImplementedError

    def allowed(self) -> str:
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """The value written in a link, not validated yet; ValueError if it is not one."""
        return text

    def format(self, value: Any) -> str:
        """The text that stands for ``value`` in a link."""
        return str(value)

    def plain(self, value: Any) -> Any:
        """``value`` as JSON has it."""
        return value

    def validate(self, obj: Any, value: Any) -> Any:
        try:
            return self.coerce(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(self.refusal(value)) from None

    def refusal(self, value: Any) -> str:
        return f"{self.name}={_short(value)} is not allowed: {self.allowed()}"


class Choice(Field):
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
        return f"{self.name}={_short(value)} is not allowed{offered}"


class Integer(Field):
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


class Real(Field):
    """A finite number from ``min`` to ``max``, both included.

    Args:
        log: its slider moves by ratios, not by differences; then ``min`` must be positive.
        step: the slider's step; without one, a hundredth of the range. A value need not be on one.
    """

    def __init__(
        self,
        default: float,
        min: float,
        max: float,
        *,
        log: bool = False,
        step: float | None = None,
        label: str = "",
        help: str = "",
    ) -> None:
        if log and min <= 0:
            raise ValueError(f"a logarithmic scale needs a positive minimum, got {min}")
        self.min, self.max, self.log = float(min), float(max), log
        self.step = step if step is not None else (self.max - self.min) / 100
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

    def parse(self, text: str) -> float:
        return float(text)

    def format(self, value: float) -> str:
        return repr(value).removesuffix(".0")


class Toggle(Field):
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


class Text(Field):
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


class Points(Field):
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

    def coerce(self, value: Any) -> tuple[tuple[float, float], ...]:
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
        return f"{many} points (x, y), each coordinate between -{self.bound:g} and {self.bound:g}"

    def parse(self, text: str) -> list[list[float]]:
        return [[float(c) for c in pair.split(",")] for pair in text.split(";") if pair]

    def format(self, value: tuple[tuple[float, float], ...]) -> str:
        return ";".join(f"{x:g},{y:g}" if _exact(x, y) else f"{x!r},{y!r}" for x, y in value)

    def plain(self, value: tuple[tuple[float, float], ...]) -> list[list[float]]:
        return [list(point) for point in value]


class _Hidden(Field):
    """The names of the controls that a teacher wants out of sight, in the order of the fields."""

    def __init__(self) -> None:
        super().__init__((), help="names of controls to hide")

    def coerce(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = self.parse(value)
        if not isinstance(value, (Sequence, set, frozenset)):
            raise TypeError
        return tuple(value)

    def allowed(self) -> str:
        return "names of controls"

    def validate(self, obj: Any, value: Any) -> Any:
        known = obj.hidable()
        wanted: tuple[Any, ...]
        try:
            wanted = self.coerce(value)
        except TypeError:
            wanted = (None,)
        for name in wanted:
            if not isinstance(name, str) or name not in known:
                offered = arguments.among(name, known, "names among")
                raise ValueError(f"hide={_short(value)} is not allowed{offered}")
        return tuple(name for name in known if name in wanted)

    def parse(self, text: str) -> list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]

    def format(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def plain(self, value: tuple[str, ...]) -> list[str]:
        return list(value)


class PanelState(traitlets.HasTraits):
    """The state of a panel; subclasses declare its fields.

    Assigning to a field validates it at once. :meth:`update` sets several together or none.
    ``buttons`` names the controls that are no field (buttons, say) and may be hidden all the same.
    """

    buttons: ClassVar[tuple[str, ...]] = ()
    hide = _Hidden()

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._changed: set[str] = set()
        self._updating = False
        self.observe(self._note, names=list(self.fields()))
        self.update(values)

    @classmethod
    def hidable(cls) -> tuple[str, ...]:
        """The names that ``hide`` may hold."""
        return (*(name for name in cls.fields() if name != "hide"), *cls.buttons)

    @classmethod
    def fields(cls) -> dict[str, Field]:
        """The declared fields by name, in the order of their declaration; ``hide`` last."""
        found = {
            name: value
            for owner in reversed(cls.__mro__)
            for name, value in vars(owner).items()
            if isinstance(value, Field)
        }
        found["hide"] = found.pop("hide")
        return found

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The state of a fresh panel."""
        return {name: field.plain(field.initial) for name, field in cls.fields().items()}

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return {name: f.plain(getattr(self, name)) for name, f in self.fields().items()}

    def changes(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as JSON has them."""
        return {
            name: field.plain(getattr(self, name))
            for name, field in self.fields().items()
            if getattr(self, name) != field.initial
        }

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values``, each as its field holds it.

        Raises:
            TypeError: ``values`` is no mapping.
            ValueError: names every bad key and value, and what is allowed.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"a state is a mapping of names to values, got {_short(values)}")
        good, wrong = cls._sort_out(values)
        if wrong:
            raise ValueError("; ".join(wrong))
        return good

    @classmethod
    def _sort_out(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        fields, good, wrong = cls.fields(), {}, []
        for name, value in values.items():
            if name not in fields:
                offered = arguments.among(name, fields, "the names are")
                wrong.append(f"there is no setting {_short(name)}{offered}")
                continue
            try:
                good[name] = fields[name].validate(cls, value)
            except ValueError as error:
                wrong.append(str(error))
        return good, wrong

    def update(self, values: Mapping[str, Any]) -> None:
        """Set the named fields, all or none, and tell listeners once.

        Raises:
            TypeError, ValueError: as :meth:`check`; the state is then as before.
        """
        good = self.check(values)
        nested, self._updating = self._updating, True
        try:
            for name, value in good.items():
                setattr(self, name, value)
        finally:
            self._updating = nested
        self._tell()

    def replace(self, values: Mapping[str, Any]) -> None:
        """Set the named fields and put all others back to their defaults, all or none."""
        self.update({**self.defaults(), **self.check(values)})

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call ``listener`` with the names that changed, once for each update."""
        self._listeners.append(listener)

    def _note(self, change: Any) -> None:
        self._changed.add(change["name"])
        self._tell()

    def _tell(self) -> None:
        if self._updating or not self._changed:
            return
        changed, self._changed = frozenset(self._changed), set()
        for listener in list(self._listeners):
            listener(changed)

    def to_query(self) -> str:
        """The state as a link's query string: only what differs from the defaults."""
        fields = self.fields()
        pairs = [
            (name, field.format(getattr(self, name)))
            for name, field in fields.items()
            if getattr(self, name) != field.initial
        ]
        return urlencode(pairs, quote_via=quote, safe=",;")

    @classmethod
    def from_query(
        cls, query: str, *, ignore: Iterable[str] = ()
    ) -> tuple[dict[str, Any], list[str]]:
        """Read a link. Never raises, whatever the text.

        Args:
            query: what follows the ``?``, which may be there too.
            ignore: names in the link that belong to somebody else.

        Returns:
            The good values by name, and one message for each thing that had to be left out.
        """
        if len(query.encode(errors="replace")) > MAX_QUERY_BYTES:
            return {}, [f"the link is longer than {MAX_QUERY_BYTES} bytes and was not read"]
        try:
            pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            return {}, ["the link holds more than 200 settings and was not read"]
        fields, skipped = cls.fields(), set(ignore)
        values: dict[str, Any] = {}
        messages = []
        for name, text in pairs:
            if name in skipped:
                continue
            try:
                values[name] = fields[name].parse(text) if name in fields else text
            except (ValueError, OverflowError):
                messages.append(fields[name].refusal(text))
        good, wrong = cls._sort_out(values)
        return good, messages + wrong

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> dict[str, Any]:
        """The values in ``text``; ValueError in words if they are not a state of this panel."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"this is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise ValueError(f"a state is a JSON object of names and values, got {_short(values)}")
        return cls.check(values)

    def save(self, path: str | Path) -> None:
        """Write the state to a JSON file."""
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    def load(self, path: str | Path) -> None:
        """Take the state of a JSON file; what the file leaves out gets its default.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no state of this panel; the state is then as before.
        """
        try:
            values = self.from_json(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        self.replace(values)


def _exact(*numbers_: float) -> bool:
    return all(float(f"{number:g}") == number for number in numbers_)


def _short(value: Any, limit: int = 60) -> str:
    """``value`` as it would be typed, cut to a length that fits into a message."""
    if isinstance(value, (list, tuple)) and len(value) > 100:
        return f"({len(value)} values)"
    try:
        text = repr(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    except Exception:  # a hostile __repr__ must not take the message with it
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 1] + "…"

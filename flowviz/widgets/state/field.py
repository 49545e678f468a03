"""One declared value, and how what cannot be one is refused in words."""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

import traitlets

T = TypeVar("T")


class Field(traitlets.TraitType[T, Any], Generic[T]):
    """One declared value: its default, what it may be, and its text in a link.

    ``T`` is its Python type: the type checker knows what ``state.layers`` is, and that
    ``State.layers`` is the field itself. Anything that it can coerce may be assigned.

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
    def initial(self) -> T:
        """The value of a fresh state."""
        return self.default_value

    def coerce(self, value: Any) -> T:
        raise NotImplementedError

    def allowed(self) -> str:
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """The value written in a link, not validated yet; ValueError if it is not one."""
        return text

    def format(self, value: T) -> str:
        """The text that stands for ``value`` in a link."""
        return str(value)

    def plain(self, value: T) -> Any:
        """``value`` as JSON has it."""
        return value

    def salvage(self, owner: Any, value: Any) -> tuple[Any, list[str]]:
        """What can be used of a value that a link brought, and words about what cannot."""
        return value, []

    def validate(self, obj: Any, value: Any) -> T:
        try:
            return self.coerce(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(self.refusal(value)) from None

    def refusal(self, value: Any) -> str:
        return f"{self.name}={in_short(value)} is not allowed: {self.allowed()}"


def in_short(value: Any, limit: int = 60) -> str:
    """``value`` as it would be typed, cut to a length that fits into a message."""
    if isinstance(value, (list, tuple)) and len(value) > 100:
        return f"({len(value)} values)"
    try:
        text = repr(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    except Exception:  # a hostile __repr__ must not take the message with it
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 1] + "…"

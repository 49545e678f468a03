"""What a method draws from is declared on it, and the panel calls it: the newest state wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., None])

_DRAWING = "_draws"


@dataclass(frozen=True)
class Drawn:
    """What a drawing method says of itself: the settings it draws from, and its tab or ""."""

    settings: frozenset[str]
    tab: str


def draws(*settings: str, tab: str = "") -> Callable[[Method], Method]:
    """Declare that a panel's method draws from these settings.

    The panel calls it once when it is built, and after each change of one of them, on the job
    thread: while one picture is computed, changes gather, and the next is of the newest state.
    Several such methods are called in the order in which they are written.

    Args:
        settings: their names.
        tab: of a chart that stands in this tab alone: nothing is drawn until the tab is opened.

    >>> class Squares(Panel):
    ...     @draws("count", "side")
    ...     def _draw_squares(self) -> None:
    ...         self.stage.show(...)
    """

    def declare(method: Method) -> Method:
        setattr(method, _DRAWING, Drawn(frozenset(settings), tab))
        return method

    return declare


def declared(panel: type) -> Iterator[tuple[str, Drawn]]:
    """The drawing methods of a class and its bases: their names, and what they say."""
    found: dict[str, Any] = {}
    for owner in reversed(panel.__mro__):
        for name, value in vars(owner).items():
            said = getattr(value, _DRAWING, None)
            if said is not None:
                found[name] = said
            elif name in found:
                del found[name]
    yield from found.items()

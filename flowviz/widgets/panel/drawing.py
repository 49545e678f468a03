"""What a method draws from is declared on it, and the panel calls it: the newest state wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., None])

_SETTINGS = "_draws_from"


def draws(*settings: str) -> Callable[[Method], Method]:
    """Declare that a panel's method draws from these settings.

    The panel calls it once when it is built, and after each change of one of them, on the job
    thread: while one picture is computed, changes gather, and the next is of the newest state.
    Several such methods are called in the order in which they are written.

    >>> class Squares(Panel):
    ...     @draws("count", "side")
    ...     def _draw_squares(self) -> None:
    ...         self.stage.show(...)
    """

    def declare(method: Method) -> Method:
        setattr(method, _SETTINGS, frozenset(settings))
        return method

    return declare


def declared(panel: type) -> Iterator[tuple[str, frozenset[str]]]:
    """The drawing methods of a class and its bases: their names, and what they draw from."""
    found: dict[str, Any] = {}
    for owner in reversed(panel.__mro__):
        for name, value in vars(owner).items():
            settings = getattr(value, _SETTINGS, None)
            if settings is not None:
                found[name] = settings
            elif name in found:
                del found[name]
    yield from found.items()

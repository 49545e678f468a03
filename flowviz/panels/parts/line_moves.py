"""What moving the densities on the line sets, by their handles or by the distance between them."""

from __future__ import annotations

from collections.abc import Callable

from flowviz.panels.parts.density_stage import Pair
from flowviz.panels.parts.following import stops
from flowviz.panels.parts.line_fit import LineFitState


class LineMoves:
    """Moves p* and p by their settings: p begins anew from where it is now.

    What is moved too far stops at its bound.

    Args:
        settings: the panel's.
        lines: both as they are now.
    """

    def __init__(self, settings: LineFitState, lines: Callable[[], Pair]) -> None:
        self._settings, self._lines = settings, lines

    def move(self, label: str, value: float) -> None:
        """Give a density another centre, ``p*`` or ``p``, or another width, ``s*`` or ``s``.

        Raises:
            ValueError: it stops before, at its bound.
        """
        if label in ("p*", "s*"):
            now = {}
            name = "target_position" if label == "p*" else "target_width"
        else:
            model = self._lines()[1]
            now = {
                "model_position": self._bounded("model_position", round(float(model.centre), 3)),
                "model_width": self._bounded("model_width", round(float(model.width), 3)),
            }
            name = "model_position" if label == "p" else "model_width"
        held = self._bounded(name, value)
        self._settings.update({**now, name: held})
        if held != value:
            raise ValueError(stops(getattr(type(self._settings), name)))

    def _bounded(self, name: str, value: float) -> float:
        nearest: float = getattr(type(self._settings), name).nearest(value)
        return nearest

    def stand_apart(self, distance: float) -> None:
        """Put p so far to the right of p*, or as far as it may stand."""
        place = float(self._lines()[0].centre) + distance
        self.move("p", self._bounded("model_position", round(place, 3)))

"""A handle on a stage that is tied to a panel's point; what is refused snaps back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from flowviz.widgets.panel import Panel
from flowviz.widgets.stage import Handles, Stage

Carry = Callable[[ArrayLike], ArrayLike]
"""``[1, 2]`` to ``[1, 2]``."""


def as_it_is(point: ArrayLike) -> ArrayLike:
    return point


class TiedHandle:
    """The one handle of a stage, at the image of ``settings.point``.

    A drag sets the point to the preimage of where it ends. Past the setting's bounds the handle
    goes back, and the panel says why.

    Args:
        panel: its state has ``point``, one point.
        label: the handle's name.
        image, preimage: of the point on this stage and back; by default it is the point itself.
    """

    def __init__(
        self,
        panel: Panel,
        stage: Stage,
        label: str,
        *,
        image: Carry = as_it_is,
        preimage: Carry = as_it_is,
    ) -> None:
        self._panel, self._stage, self._label = panel, stage, label
        self._image, self._preimage = image, preimage
        stage.observe(lambda change: self._dragged(change["new"]), names=["handles"])

    def show(self) -> None:
        """Put it where the settings say, unless the user has it there already."""
        place = self._image(self._panel.settings.point)
        if not _at(self._stage.handles, place):
            self._stage.handles = [Handles(place, labels=[self._label])]

    def _dragged(self, handles: Sequence[Handles]) -> None:
        if not handles or _at(handles, self._image(self._panel.settings.point)):
            return
        try:
            self._panel.settings.point = np.asarray(self._preimage(handles[0].points)).tolist()
        except ValueError as error:
            self.show()
            self._panel.refuse(error)


def _at(handles: Sequence[Handles], place: Any) -> bool:
    return bool(handles) and np.allclose(handles[0].points, place, atol=1e-3)

"""The run bar: play and scrub the layers, train and scrub the training, in one place for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from flowviz.widgets import esm
from flowviz.widgets.shared_widget import SharedWidget

PRESSES = ("train", "step", "reset")


class RunBar(SharedWidget):
    """Two rows: where the animation is, and how far the training is.

    The first drives the stages' clock on the page, and the second, where the stages have a film
    of the training, goes back through it there: neither sends a message. A panel without layers
    or without training has the half that it needs.

    Args:
        clock: the name that the panel's stages and charts have for their clock.

    Attributes:
        depth, training: which halves there are.
        unit, unit_range: what a step is, as the stage's: ``layer``, ``bracket``, ``t =``.
        reversible: whether the states can be played in both directions.
        state_names, stretches, readout: as the stage's.
        running: whether the training runs.
        step, steps: how far it is, and where it ends.
        status: the rate, the device, and whether it is paused, in words.
        moments: the steps that the film holds.
        greets: whether the animation plays once when it is first seen.
    """

    _esm = esm.widget(Path(__file__).parent / "run_bar.js")
    clock = traitlets.Unicode().tag(sync=True)
    depth = traitlets.Bool(True).tag(sync=True)
    training = traitlets.Bool(True).tag(sync=True)
    unit = traitlets.Unicode("layer").tag(sync=True)
    unit_range: Any = traitlets.Tuple(
        traitlets.Float(), traitlets.Float(), default_value=(0.0, 1.0)
    )
    unit_range.tag(sync=True)
    reversible = traitlets.Bool(True).tag(sync=True)
    state_names: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    stretches = traitlets.Int(1, min=1).tag(sync=True)
    readout: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    steps = traitlets.Int(0).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    moments: Any = traitlets.List(traitlets.Int()).tag(sync=True)
    hidden: Any = traitlets.List(traitlets.Unicode(), help="of train, step, reset").tag(sync=True)
    greets = traitlets.Bool(False).tag(sync=True)

    def on_press(self, name: str, listener: Callable[[], None]) -> None:
        """Call ``listener`` when the button of that name is pressed: train, step or reset."""
        if name not in PRESSES:
            raise ValueError(f"there is no button {name!r}: the names are {', '.join(PRESSES)}")

        def receive(_: Any, content: Any, __: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == name:
                listener()

        self.on_msg(receive)

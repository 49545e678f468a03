"""``python -m flowviz.serving.first_flight``: write what a page plays while its kernel starts.

A few samples of the flow that the dashboard opens with, on their way through its layers. To be run
again where a test says that they are those of another flow.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from flowviz import panels
from flowviz.serving import paths

FILE = paths.TEMPLATE / "first_flight.json"
POINTS = 700
"""As many samples as are seen to have a shape, and weigh little in every page."""
LEVELS = 65535
"""Positions are whole numbers up to this one, from an edge of the window to the other."""


def flight() -> dict[str, Any]:
    """The samples of the panel on which the dashboard opens.

    Returns:
        ``states`` K+1 and ``points`` N; ``positions``, uint16 little-endian ``[K+1, N, 2]`` in
        base64, from edge to edge of the panel's window, what is outside at its edge; ``turns``,
        uint8 ``[N]`` in base64, each sample's angle in the base in 1/255 of a turn; ``ms`` a layer.
    """
    panel: Any = panels.make(panels.landing())
    try:
        stage = panel.stage
        states = np.asarray(stage.particles[0].states, dtype=float)[:, :POINTS]
        xmin, xmax, ymin, ymax = stage.window
        places = (states - [xmin, ymin]) / [xmax - xmin, ymax - ymin]
        positions = np.rint(places.clip(0, 1) * LEVELS).astype("<u2")
        angles = np.arctan2(states[0, :, 1], states[0, :, 0])
        turns = np.rint((angles / (2 * np.pi) + 0.5) * 255).astype(np.uint8)
        return {
            "states": len(states),
            "points": states.shape[1],
            "positions": base64.b64encode(positions.tobytes()).decode(),
            "turns": base64.b64encode(turns.tobytes()).decode(),
            "ms": stage.speed,
        }
    finally:
        panel.close()


def main() -> None:
    """Replace the file."""
    FILE.write_text(json.dumps(flight()) + "\n", encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

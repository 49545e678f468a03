"""Layers whose parameters are set by hand, for presets: what they do is seen at once."""

from __future__ import annotations

from typing import Any

CREASE: dict[str, Any] = {
    "flow": "planar",
    "layers": 1,
    "adjustments": {"1.w.0": 2.0, "1.w.1": 1.0, "1.u.0": 1.5, "1.u.1": -0.5},
}
"""One planar layer, which stretches the plane along a line."""


def linear(*offset: float) -> dict[str, Any]:
    """One linear layer, whose matrix is I + offset, by rows."""
    names = (f"1.offset.{i}.{j}" for i in (0, 1) for j in (0, 1))
    return {"flow": "dense", "layers": 1, "adjustments": dict(zip(names, offset, strict=True))}

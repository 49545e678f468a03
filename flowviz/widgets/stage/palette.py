"""Colours: from the theme's tokens to tables of 256, as palette.js has them on the page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float64]
"""Red, green and blue, 0 to 1."""

_TOKENS = Path(__file__).parents[1] / "tokens.css"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_BLOCK = re.compile(r"([^{}]+)\{([^}]*)\}")
_COLOUR = re.compile(r"--fv-([\w-]+):\s*#([0-9a-f]{6})\b", re.IGNORECASE)
_GROUPS = ("group-1", "group-2", "group-3", "group-4")
_CYCLIC = {"light": 0.62, "dark": 0.76}
"""Lightness of the cyclic hues in OkLCh."""
_CYCLIC_CHROMA = 0.105
_BANDS = {"light": (0.76, 0.46), "dark": (0.54, 0.84)}
"""Lightness of the first and the last of ten bands."""
BAND_HUES = (0.25, 0.54)
"""Of every other band, in turns: neighbours are told apart by hue, the rest by lightness."""
_PALEST = {"light": 0.28, "dark": 0.4}
"""Where a scale of one hue begins, between the card and the hue: on a dark card the eye tells less
apart at that end."""


_DEEP = 0.6
"""On a dark card the diverging scale is grey half-way to its pale ends, unless it leads by so much
of the light theme's."""
_POINTS_MIDDLE = {"light": 0.62, "dark": 0.48}
"""The middle of the diverging scale for points, between the card and ink: each is seen by itself.
"""


@cache
def tokens(theme: str) -> dict[str, Colour]:
    """The colours of tokens.css by their names, "light" or "dark".

    Raises:
        ValueError: another theme.
    """
    if theme not in _CYCLIC:
        raise ValueError(f"theme must be light or dark, got {theme!r}")
    colours: dict[str, Colour] = {}
    css = _COMMENT.sub("", _TOKENS.read_text(encoding="utf-8"))
    for selector, body in _BLOCK.findall(css):
        if theme == "dark" or "dark" not in selector:
            for name, digits in _COLOUR.findall(body):
                colours[name] = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return colours


@cache
def table(palette: str, theme: str) -> npt.NDArray[np.float64]:
    """``[256, 3]``: the colours of a palette with values, from its lowest to its highest."""
    colours = tokens(theme)
    if palette == "diverging":
        stops = colours["contract"], colours["neutral"], colours["expand"]
        if theme == "light":
            return _ramp(*stops)
        deep = tokens("light")
        left, right = (
            colours[name] + (deep[name] - colours[name]) * _DEEP for name in ("contract", "expand")
        )
        return _ramp(stops[0], left, stops[1], right, stops[2])
    if palette == "diverging-points":
        card, ink = colours["card"], colours["ink"]
        middle = card + (ink - card) * _POINTS_MIDDLE[theme]
        return _ramp(colours["contract"], middle, colours["expand"])
    if palette == "cyclic":
        return oklch(_CYCLIC[theme], _CYCLIC_CHROMA, np.arange(256) % 255 / 255)
    if palette == "groups":
        return np.array([colours[_GROUPS[i % 4]] for i in range(256)])
    if palette == "bands":
        first, last = _BANDS[theme]
        shades = [
            oklch(first + (last - first) * k / 9, _CYCLIC_CHROMA, np.array(BAND_HUES[k % 2]))
            for k in range(10)
        ]
        return np.array([shades[i % 10] for i in range(256)])
    card, hue = colours["card"], colours[palette]
    return _ramp(card + (hue - card) * _PALEST[theme], hue)


def table_of(mark: Any, theme: str) -> npt.NDArray[np.float64]:
    """The table of the colours of a mark that has values."""
    points = mark.kind == "particles" and mark.palette == "diverging"
    return table("diverging-points" if points else mark.palette, theme)


def indices(
    values: npt.NDArray[np.floating], value_range: tuple[float, float], palette: str
) -> npt.NDArray[np.float64]:
    """Where values stand in their table, 0 to 255, clamped; 0 for what is not a number."""
    values = np.asarray(values, dtype=np.float64)
    if palette == "groups":
        return np.nan_to_num(np.round(values), posinf=0, neginf=0) % 4
    if palette == "bands":
        return np.nan_to_num(np.round(values), posinf=0, neginf=0) % 10
    low, high = value_range
    at = np.floor((values - low) * 255 / (high - low) + 0.5)
    return np.nan_to_num(np.clip(at, 0, 255))


def oklch(lightness: float, chroma: float, turns: npt.NDArray[np.float64]) -> Colour:
    """``[…, 3]`` of colours in OkLCh, hues in turns (Björn Ottosson, 2020)."""
    a, b = chroma * np.cos(2 * np.pi * turns), chroma * np.sin(2 * np.pi * turns)
    lms = (
        np.stack(
            [
                lightness + 0.3963377774 * a + 0.2158037573 * b,
                lightness - 0.1055613458 * a - 0.0638541728 * b,
                lightness - 0.0894841775 * a - 1.291485548 * b,
            ],
            -1,
        )
        ** 3
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.707614701],
        ]
    )
    linear = np.clip(lms @ to_rgb.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _ramp(*stops: Colour) -> npt.NDArray[np.float64]:
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack(
        [np.interp(at, range(len(stops)), [stop[i] for stop in stops]) for i in range(3)], -1
    )

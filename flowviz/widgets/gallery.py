"""One choice among pictures: targets by thumbnails of their densities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from flowviz.widgets import esm

_HERE = Path(__file__).parent


class Gallery(anywidget.AnyWidget):
    """A radio group of named thumbnails; ``value`` is the name of the one chosen.

    Of many only the favourites are in sight, and the chosen one; a last tile opens all of them.

    >>> gallery = Gallery({"ring": "Ring", "yours": "Yours"}, {"ring": density}, label="Target")
    >>> controls.bind("target", gallery)

    Args:
        options: names and titles; the titles are the tooltips.
        images: ``[H, W]`` for a name, row 0 on top, not negative; drawn from the card's colour
            to the accent, each by its own maximum. A name without an image shows its title.
        value: the name chosen at first; without it, the first.
        label: what is chosen.
        favourites: at most five names that are always in sight; without them, all are.
        short: what is written under a tile where the title is too long for it.

    Raises:
        ValueError: an image that is no finite, non-negative matrix, or that has an unknown name.
    """

    _esm = esm.widget(_HERE / "gallery.js")
    description = traitlets.Unicode().tag(sync=True)
    tiles: Any = traitlets.List().tag(sync=True)
    favourites: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value: Any = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        options: Mapping[str, str],
        images: Mapping[str, Any],
        *,
        value: str | None = None,
        label: str = "",
        favourites: Sequence[str] = (),
        short: Mapping[str, str] | None = None,
    ) -> None:
        self._titles = dict(options)
        for name in (*images, *favourites):
            self._known(name)
        tiles = [_tile(name, title, images.get(name)) for name, title in options.items()]
        for tile in tiles:
            tile["short"] = (short or {}).get(tile["name"], tile["title"])
        first = next(iter(options), "")
        super().__init__(
            description=label,
            tiles=tiles,
            favourites=list(favourites),
            value=first if value is None else value,
        )

    def set_image(self, name: str, image: Any) -> None:
        """Replace one thumbnail; None takes it away. Errors as for the constructor."""
        self._known(name)
        new = _tile(name, self._titles[name], image)
        self.tiles = [
            {**new, "short": tile["short"]} if tile["name"] == name else tile for tile in self.tiles
        ]

    def _known(self, name: str) -> None:
        if name not in self._titles:
            raise ValueError(f"there is no {name!r} here: the names are {', '.join(self._titles)}")

    @traitlets.validate("value")
    def _check_value(self, proposal: Any) -> str:
        self._known(proposal["value"])
        return str(proposal["value"])


def _tile(name: str, title: str, image: Any) -> dict[str, Any]:
    if image is None:
        return {"name": name, "title": title}
    array = np.asarray(image, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"the image of {name!r} has shape {array.shape}: [H, W] is needed")
    if not np.isfinite(array).all() or array.min() < 0:
        raise ValueError(f"the image of {name!r} has negative or infinite values, or NaN")
    pixels = np.round(255 * array / max(float(array.max()), 1e-300)).astype(np.uint8)
    height, width = array.shape
    return {
        "name": name,
        "title": title,
        "height": height,
        "width": width,
        "pixels": pixels.tobytes(),
    }

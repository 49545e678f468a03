"""A button that takes a file from the reader's disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm

_HERE = Path(__file__).parent


class FileButton(anywidget.AnyWidget):
    """Hands a file's name and bytes over, each time that one is chosen, and keeps neither.

    ipywidgets' own upload always counts its files behind the name.

    Args:
        take: called with the name and the bytes; with None for the bytes of a file that is too
            large.
        **traits: initial values of the traits below.
    """

    _esm = esm.widget(_HERE / "file_button.js")
    description = traitlets.Unicode().tag(sync=True)
    loaded = traitlets.Unicode(help="the file's name that the button shows").tag(sync=True)
    most_bytes = traitlets.Int(
        8 << 20, help="larger files are not sent: notebook servers cut the line above 10 MiB"
    ).tag(sync=True)
    accept = traitlets.Unicode(help="the endings of files that are offered").tag(sync=True)
    tooltip: Any = traitlets.Unicode().tag(sync=True)

    def __init__(self, take: Callable[[str, bytes | None], None], **traits: Any) -> None:
        super().__init__(**traits)
        self._take = take
        self.on_msg(lambda _, said, buffers: self._chosen(said, buffers))

    def _chosen(self, said: dict[str, Any], buffers: list[memoryview]) -> None:
        self._take(str(said["name"]), bytes(buffers[0]) if buffers else None)

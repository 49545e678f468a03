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
        take: called with the name and the bytes.
        **traits: initial values of the traits below.
    """

    _esm = esm.module(_HERE / "file_button.js")
    description = traitlets.Unicode().tag(sync=True)
    loaded = traitlets.Unicode(help="the file's name that the button shows").tag(sync=True)
    accept = traitlets.Unicode(help="the endings of files that are offered").tag(sync=True)
    tooltip: Any = traitlets.Unicode().tag(sync=True)

    def __init__(self, take: Callable[[str, bytes], None], **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda _, said, buffers: take(str(said["name"]), bytes(buffers[0])))

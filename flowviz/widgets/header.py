"""A panel's head: title, two sentences, presets, and the tools that act on the whole panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flowviz.widgets import esm


class Header(anywidget.AnyWidget):
    """Title, summary, preset chips, Show code, Copy line and Present.

    Copying happens in the page, so ``line`` always holds what is to be copied. ``code`` need be
    up to date only while ``code_shown``.
    """

    _esm = esm.module(Path(__file__).parent / "header.js")
    title = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    presets = traitlets.List(traitlets.Unicode()).tag(sync=True)
    preset = traitlets.Int(-1, help="index of the preset in force, -1 for none").tag(sync=True)
    line = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    code_shown = traitlets.Bool(False).tag(sync=True)
    presenting = traitlets.Bool(False).tag(sync=True)

    def on_preset(self, listener: Callable[[int], None]) -> None:
        """Call ``listener`` with the index of the preset whose chip was pressed."""

        def receive(_: Any, content: Any, __: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "preset":
                index = content.get("index")
                if isinstance(index, int) and 0 <= index < len(self.presets):
                    listener(index)

        self.on_msg(receive)

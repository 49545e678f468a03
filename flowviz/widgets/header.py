"""A panel's head: its title, its presets, what is seen in two sentences, and the menu of it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from flowviz.widgets import esm
from flowviz.widgets.jobs import in_words
from flowviz.widgets.shared_widget import SharedWidget

_HERE = Path(__file__).parent

STYLES = (
    "tokens.css",
    "panel.css",
    "stage/scrubber.css",
    "run_bar.css",
    "tabs.css",
    "code_view.css",
    "panel/goals.css",
    "panel/screen.css",
)
"""The style sheets of a panel, the last of which fits the others to the window."""


class Header(SharedWidget):
    """One line with the title, the preset chips, Present and the ⋯ menu; the sentences under it.

    Pictures and pages are saved, and links copied, by the page itself; data are asked for from
    Python.

    Attributes:
        summary: what the panel shows, the same for every state.
        words: what is seen now.
        invitation: what to do first; "" once something was done.
        drawing: whether the pictures are of another state than the one that was chosen; where that
            takes more than a moment the page says so and veils them.
        preset: the index of the preset in force, −1 for none.
        line, query: Python and link that bring the state back.
        stages: the keys of the pictures' stages, in their order.
        voices: whose pictures they are, where they have voices.
        file: the name, without ending, of what is saved.
    """

    _esm = esm.widget(_HERE / "header.js")
    _css = "\n".join(  # the whole panel's: every panel has one head
        (_HERE / name).read_text(encoding="utf-8") for name in STYLES
    )
    title = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    invitation = traitlets.Unicode().tag(sync=True)
    drawing = traitlets.Bool(False).tag(sync=True)
    presets: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    preset = traitlets.Int(-1).tag(sync=True)
    line = traitlets.Unicode().tag(sync=True)
    query = traitlets.Unicode().tag(sync=True)
    stages: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    voices: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    file = traitlets.Unicode("flowviz").tag(sync=True)
    presenting = traitlets.Bool(False).tag(sync=True)

    def on_preset(self, listener: Callable[[int], None]) -> None:
        """Call ``listener`` with the index of the preset whose chip was pressed."""

        def receive(_: Any, content: Any, __: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "preset":
                index = content.get("index")
                if isinstance(index, int) and 0 <= index < len(self.presets):
                    listener(index)

        self.on_msg(receive)

    def on_data(self, make: Callable[[], str]) -> None:
        """Let the menu save what ``make`` returns, a JSON text."""

        def receive(_: Any, content: Any, __: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "data":
                self.send({"kind": "data", "text": make()})

        self.on_msg(receive)

    def on_page(self, make: Callable[[], str]) -> None:
        """Let the menu save what ``make`` returns, the HTML of a page."""

        def receive(_: Any, content: Any, __: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "page":
                try:
                    self.send({"kind": "page", "text": make()})
                except Exception as error:
                    self.send({"kind": "page", "failed": in_words(error)})
                    raise

        self.on_msg(receive)

    def on_code(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when the menu's "Show code" is chosen."""

        def receive(_: Any, content: Any, __: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "code":
                listener()

        self.on_msg(receive)

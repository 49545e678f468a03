"""The head of a panel: what it says is one line where a window is 1,280 px wide."""

from __future__ import annotations

from flowviz.widgets.panel import Panel

LINE = 170
"""Characters that a line of 1,216 px holds; what is more is cut off."""


def on_one_line(panel: Panel) -> bool:
    """Whether the panel's two sentences are read without pointing at them."""
    return len(f"{panel.summary} {panel.words()}") <= LINE

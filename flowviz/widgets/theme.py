"""The page's theme, told to Python; and the style sheet, brought to the page."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent
CSS = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("tokens.css", "panel.css"))
"""The tokens and the styles of panels and controls."""


class Theme(anywidget.AnyWidget):
    """An unseen widget that carries the style sheet and reports whether the page is dark.

    ``dark`` changes when the page's theme does: JupyterLab's, the dashboard's
    (``data-fv-theme`` on ``<html>``), or a panel's own (``data-theme``).
    """

    _esm = (_HERE / "theme.js").read_text(encoding="utf-8")
    _css = CSS
    dark = traitlets.Bool(False).tag(sync=True)

"""A stage as a page of its own: it plays offline, without a kernel."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

_SHELL = Path(__file__).with_name("shell.js").read_text(encoding="utf-8").split("`")[1]
_SHELL = _SHELL.replace("<\\/", "</")


def _plain(value: Any) -> Any:
    """The value with every buffer as base64 text, as JSON can hold it."""
    if isinstance(value, (memoryview, bytes)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def page(*, title: str, css: str, esm: str, state: dict[str, Any]) -> str:
    """The HTML of a stand-alone page.

    Args:
        title: of the page.
        css: its style sheet.
        esm: a linked module whose ``$main.standalone(element, state)`` shows the state.
        state: the stage's traits; buffers are written as base64.
    """
    parts = {
        "title": html.escape(title, quote=False),
        "css": css,
        "esm": re.sub(r"</(script)", r"<\\/\1", esm, flags=re.IGNORECASE),
        "state": json.dumps(_plain(state), ensure_ascii=False).replace("<", "\\u003c"),
    }
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], _SHELL)

"""A panel as a page of its own, which plays what it carries, draws and trains."""

from __future__ import annotations

import base64
import html
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flowviz.widgets import esm
from flowviz.widgets.page.packed import packed
from flowviz.widgets.stage import Stage
from flowviz.widgets.stage.export import state_of
from flowviz.widgets.stage.marks.arrays import raw_bytes

_HERE = Path(__file__).parent
_SHELL = (_HERE / "page.html").read_text(encoding="utf-8")
STYLES = ("run_bar.css", "panel/goals.css", "page/page.css")
"""The style sheets of such a page, besides the stage's."""


def page(stages: Sequence[Stage], live: Mapping[str, Any], **more: Any) -> str:
    """The HTML of a page that needs no kernel and fetches nothing.

    Args:
        stages: one or more; their ``carried`` says what the page makes itself.
        live: the flows' programs and what to train them with (``live.js``), or what the stages
            draw by (``following.js``).
        **more: as of :func:`~flowviz.widgets.stage.export.state_of`, whose errors are raised.
    """
    state = state_of(stages, **more)
    follows = live.get("follows") or [None] * len(stages)
    for sent, stage, drawn in zip(state["stages"], stages, follows, strict=True):
        if drawn:
            _blank(sent, drawn["drawn"])
        elif stage.carried:
            _shorten(sent, stage)
    code = "following_page.js" if "follows" in live else "page.js"
    styles = (_HERE.parent / name for name in STYLES)
    parts = {
        "title": html.escape(state["title"] or "flowviz", quote=False),
        "css": str(stages[0]._css) + "".join(path.read_text("utf-8") for path in styles),
        "code": _text(esm.module(_HERE / code).encode()),
        "state": _text(packed({**state, "live": live})),
    }
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], _SHELL)


def _text(data: bytes) -> str:
    # In short blocks: numbers and programs, side by side, pack more closely with their own codes.
    deflate = zlib.compressobj(9, zlib.DEFLATED, wbits=31, memLevel=5)
    return base64.b64encode(deflate.compress(data) + deflate.flush()).decode("ascii")


def _shorten(sent: dict[str, Any], stage: Stage) -> None:
    """Of what the page carries itself send where it starts alone, of a density the shape."""
    for kind, ways in stage.carried.items():
        for mark, own, way in zip(sent[kind], getattr(stage, kind), ways, strict=False):
            if kind == "handles":
                break
            if way in ("density", "target", "pulled"):
                mark["values"] = _array(np.zeros_like(own.values))
            else:
                mark["states"] = _array(own.states[-1:] if way == "inverse" else own.states[:1])
    sent["film"] = []
    sent["frames"] = stage.frames


def _blank(sent: dict[str, Any], drawn: Sequence[str]) -> None:
    """Of what the page draws itself send the shapes alone: zeros take no room."""
    for name in drawn:
        kind, *place = name.split(".")
        if not place:
            continue  # the window
        mark, field = sent[kind][int(place[0])], place[1]
        if isinstance(mark[field], dict):
            mark[field] = _array(np.zeros(mark[field]["shape"], np.float32))
    sent["film"] = []


def _array(values: np.ndarray) -> dict[str, Any]:
    values = np.ascontiguousarray(values)
    return {"shape": list(values.shape), "data": raw_bytes(values)}

"""A panel as a page of its own, which carries points through its flow and trains it."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flowviz.widgets import esm
from flowviz.widgets.stage import Stage
from flowviz.widgets.stage.export import plain, state_of
from flowviz.widgets.stage.marks.arrays import raw_bytes

_HERE = Path(__file__).parent
_SHELL = (_HERE / "page.html").read_text(encoding="utf-8")
STYLES = ("run_bar.css", "page/page.css")
"""The style sheets of such a page, besides the stage's."""


def page(stages: Sequence[Stage], live: Mapping[str, Any], **more: Any) -> str:
    """The HTML of a page that needs no kernel and fetches nothing.

    Args:
        stages: one or more; their ``carried`` says what the page makes itself.
        live: the flows' programs and what to train them with (``live.js``).
        **more: as of :func:`~flowviz.widgets.stage.export.state_of`, whose errors are raised.
    """
    state = state_of(stages, **more)
    for sent, stage in zip(state["stages"], stages, strict=True):
        _shorten(sent, stage)
    styles = (_HERE.parent / name for name in STYLES)
    parts = {
        "title": html.escape(state["title"] or "flowviz", quote=False),
        "css": str(stages[0]._css) + "".join(path.read_text("utf-8") for path in styles),
        "code": _packed(esm.module(_HERE / "page.js")),
        "state": _packed(json.dumps({**state, "live": live}, separators=(",", ":"))),
    }
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], _SHELL)


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def _shorten(sent: dict[str, Any], stage: Stage) -> None:
    """Of what the page carries itself send where it starts alone; of contours half the digits."""
    for kind, ways in stage.carried.items():
        for mark, own, way in zip(sent[kind], getattr(stage, kind), ways, strict=False):
            if way == "density":
                mark["values"] = _array(np.zeros_like(own.values))
            else:
                mark["states"] = _array(own.states[-1:] if way == "inverse" else own.states[:1])
    for mark, own in zip(sent["contours"], stage.contours, strict=True):
        mark["values"] = {**_array(own.values.astype(np.float16)), "half": True}
    sent["film"] = []
    sent["frames"] = stage.frames


def _array(values: np.ndarray) -> dict[str, Any]:
    values = np.ascontiguousarray(values)
    return {"shape": list(values.shape), "data": plain(raw_bytes(values))}

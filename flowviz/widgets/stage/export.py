"""Stages as a page of its own: it plays offline, without a kernel."""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowviz.widgets import esm

if TYPE_CHECKING:
    from flowviz.widgets.charts import BarChart
    from flowviz.widgets.stage.stage import Stage

_HERE = Path(__file__).parent
_SHELL = (_HERE / "shell.js").read_text(encoding="utf-8").split("`")[1].replace("<\\/", "</")
_LIST = re.search(r"export const STATE = \[(.*?)\]", (_HERE / "export.js").read_text("utf-8"), re.S)
assert _LIST is not None
STATE: tuple[str, ...] = tuple(re.findall(r'"(\w+)"', _LIST[1]))
"""The traits that make up a stage, as the page's own export lists them."""


def page(stages: Sequence[Stage], **more: Any) -> str:
    """The HTML of a page that shows stages side by side, as large as it is itself.

    One player drives them all, and below it a second scrubber goes through their film, where they
    have one. It needs no kernel and fetches nothing.

    Args:
        stages: one or more.
        **more: as of :func:`state_of`, whose errors are raised.
    """
    state = plain(state_of(stages, **more))
    for one in state["stages"]:
        one["handles"] = []  # nothing would answer them
    code = esm.module(_HERE / "stage.js")
    parts = {
        "title": html.escape(state["title"] or stages[0].title or "flowviz", quote=False),
        "css": str(stages[0]._css),
        "esm": re.sub(r"</(script)", r"<\\/\1", code, flags=re.IGNORECASE),
        "state": json.dumps(state, ensure_ascii=False).replace("<", "\\u003c"),
    }
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], _SHELL)


def state_of(
    stages: Sequence[Stage],
    *,
    title: str = "",
    titles: Sequence[str] = (),
    voices: Sequence[str] = (),
    said: Mapping[str, str] | None = None,
    bars: BarChart | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """What a page of these stages holds: as JSON has it, but for the buffers.

    Args:
        stages: one or more.
        title: of the page.
        titles: over the stages; by default their own.
        voices: "forward", "reverse" or "": the colours of those titles.
        said: "summary", what the page shows; "words", what is seen in the state in which it is
            saved; "untrained", what to say at its foot.
        bars: what the layers contribute, drawn beside the pictures.
        links: pages around this one, at its head: (label, address); an empty address is this page.

    Raises:
        ValueError: no stage, an unknown voice, or titles or voices of another number.
    """
    if not stages:
        raise ValueError("a page needs at least one stage")
    for name, given in (("titles", titles), ("voices", voices)):
        if given and len(given) != len(stages):
            raise ValueError(f"{len(stages)} stages need as many {name}, got {len(given)}")
    for voice in voices:
        if voice not in ("", "forward", "reverse"):
            raise ValueError(f"a voice is forward, reverse or empty; got {voice!r}")
    states = []
    for i, stage in enumerate(stages):
        traits = stage.get_state(key=set(STATE))
        state = {name: traits[name] for name in STATE}  # in an order, as a set has none
        if stage.carried.get("handles") == []:
            state["handles"] = []  # none is a point of the flow's: nothing would answer them
        state["title"] = titles[i] if titles else stage.title
        state["voice"] = voices[i] if voices else ""
        states.append(state)
    whole: dict[str, Any] = {"title": title, "stages": states, "said": dict(said or {})}
    whole["links"] = [list(link) for link in links]
    if bars is not None and bars.names:
        rows = [[v if math.isfinite(v) else None for v in row] for row in bars.rows.tolist()]
        whole["bars"] = {"title": bars.what, "names": bars.names, "rows": rows}
    return whole


def plain(value: Any) -> Any:
    """The value with every buffer as base64 text, as JSON can hold it."""
    if isinstance(value, (memoryview, bytes)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value

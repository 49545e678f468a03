"""The dashboard's address: which panel is open, and that panel's state, in the query string."""

from __future__ import annotations

import os
from urllib.parse import parse_qs, urlencode

from flowviz import panels

OWN = ("panel", "token")
"""Names in the query that are not a panel's settings."""


def is_served() -> bool:
    """Whether this is the kernel of a page that Voila serves."""
    return "VOILA_BASE_URL" in os.environ


def from_page() -> str:
    """The query string that the page was opened with; empty outside Voila.

    A kernel that Voila started ahead of time learns its page's address only when a page takes it,
    so this waits for that.
    """
    if os.environ.get("VOILA_PREHEAT") == "True":
        from voila.utils import wait_for_request

        wait_for_request()
    return os.environ.get("QUERY_STRING", "")


def panel_of(query: str) -> tuple[str | None, str]:
    """The panel that ``query`` names, the first if it names none, None if it is an unknown one.

    Returns:
        The panel's name, and what to tell the visitor (empty if all is well).
    """
    try:
        wanted = parse_qs(query.removeprefix("?"), max_num_fields=1000).get("panel", [])
    except ValueError:
        return None, "The link could not be read: it has too many parts."
    if not wanted:
        return panels.landing(), ""
    if wanted[-1] in panels.names():
        return wanted[-1], ""
    shown = wanted[-1] if len(wanted[-1]) <= 40 else wanted[-1][:39] + "…"
    titles = ", ".join(panels.entry(name).title for name in panels.names())
    return None, f"There is no panel “{shown}” here. The panels are: {titles}."


def query_of(panel: str, link: str) -> str:
    """The query string of a panel in a state, ``link`` being the panel's own."""
    return "&".join(filter(None, (urlencode({"panel": panel}), link)))

"""JupyterLab without the network."""

from __future__ import annotations

from typing import Any


def lab(c: Any) -> None:
    """Have it look neither for news nor for newer versions, nor ask whether it should."""
    c.LabApp.news_url = None
    c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
    c.LabServerApp.check_for_updates_class = c.LabApp.check_for_updates_class

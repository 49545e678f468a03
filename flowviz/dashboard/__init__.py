"""The dashboard: every panel in one page, with a menu, links and a theme switch."""

from __future__ import annotations

from flowviz.dashboard.dashboard import Dashboard

__all__ = ["Dashboard"]

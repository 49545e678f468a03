"""Panels whose tabs have all been opened, as a reader leaves them."""

from __future__ import annotations

from typing import TypeVar

from flowviz.widgets.panel import Panel

AnyPanel = TypeVar("AnyPanel", bound=Panel)


def with_every_tab(panel: AnyPanel) -> AnyPanel:
    """The panel, in which all is drawn from now on: what stands in an unopened tab is not."""
    panel.tabs.list.opened = panel.tabs.list.names
    return panel

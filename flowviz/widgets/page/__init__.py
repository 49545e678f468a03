"""Panels as pages of their own."""

from flowviz.widgets.page.page import page

__all__ = ["page"]

"""Flows in the page: panels as pages of their own, and what the page does beside a kernel."""

from flowviz.widgets.page.beside import BesideKernel, Carried, Moments, Trained
from flowviz.widgets.page.packed import wholes
from flowviz.widgets.page.page import page

__all__ = ["BesideKernel", "Carried", "Moments", "Trained", "page", "wholes"]

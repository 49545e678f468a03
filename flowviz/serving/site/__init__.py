"""The panels and the lessons as static pages, for any web space."""

from flowviz.serving.site.site import write

__all__ = ["write"]

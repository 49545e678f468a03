"""The stage: one widget that plays a flow's states in the browser, and the marks it draws."""

from flowviz.widgets.stage.film import Moment
from flowviz.widgets.stage.marks import (
    Contours,
    Field,
    Grid,
    Handles,
    Image,
    Lines,
    Particles,
    Paths,
    Shapes,
)
from flowviz.widgets.stage.stage import Stage

__all__ = [
    "Contours",
    "Field",
    "Grid",
    "Handles",
    "Image",
    "Lines",
    "Moment",
    "Particles",
    "Paths",
    "Shapes",
    "Stage",
]

"""What a stage can draw: each mark is a small record of arrays and how they look.

Arrays may be numpy arrays, torch tensors (any device) or nested lists. They are kept as float32.
``states [K+1, …]`` holds a mark at the states z_0 … z_K; one without that leading axis stands
still. Points that are not finite are accepted, counted and left out of the picture.
"""

from flowviz.widgets.stage.marks.base import Mark
from flowviz.widgets.stage.marks.densities import Contours, Image
from flowviz.widgets.stage.marks.field import Field
from flowviz.widgets.stage.marks.grid import Grid
from flowviz.widgets.stage.marks.handles import Handles
from flowviz.widgets.stage.marks.outlines import Lines, Paths, Shapes
from flowviz.widgets.stage.marks.particles import Particles

KINDS: tuple[type[Mark], ...] = (
    Particles,
    Grid,
    Image,
    Contours,
    Field,
    Paths,
    Shapes,
    Lines,
    Handles,
)

__all__ = [
    "KINDS",
    "Contours",
    "Field",
    "Grid",
    "Handles",
    "Image",
    "Lines",
    "Mark",
    "Particles",
    "Paths",
    "Shapes",
]

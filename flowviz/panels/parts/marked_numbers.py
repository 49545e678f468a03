"""What is read off at a marked point of a map of the line, as numbers."""

from __future__ import annotations

import ipywidgets as widgets

from flowviz.panels.parts.line_maps import BANDS
from flowviz.panels.parts.two_formulas import Marked
from flowviz.widgets.layout import classed, row
from flowviz.widgets.readouts import Readout, format_number


class MarkedNumbers:
    """The slope, the band and the loss, and p(x) in two ways.

    Attributes:
        of_map, of_density: a row of read-outs each.
    """

    def __init__(self) -> None:
        self.slope = Readout("T′(u)", help="How much longer a short piece of u becomes")
        band = "The length of the marked band of u, and of its image in x"
        self.band = Readout(f"mass {1 / BANDS:.3f} takes", help=band)
        self.loss = Readout("−log p(x)", help="Negative where p(x) > 1, which is no error")
        self.by_slope = Readout(
            "p by T′", help="The sum of p_u(u) / |T′(u)| over the u with T(u) = x"
        )
        self.by_mass = Readout(
            "by mass", help="The mass of a piece around x over its length: no T′ occurs"
        )
        self.difference = Readout("apart", help="The two ways to p(x); less for a shorter piece")
        self.of_map: widgets.Box = classed(
            row(self.slope, self.band, self.loss), "fv-three", "fv-four"
        )
        self.of_density: widgets.Box = classed(
            row(self.by_slope, self.by_mass, self.difference), "fv-three"
        )

    def show(self, here: Marked) -> None:
        """Show what is read off there."""
        self.slope.show(here.slope)
        self.band.show_text(
            " → ".join(format_number(length) for length in here.lengths),
            detail=f"its mass there is {here.mass_in_u:.3f}, and ∫ p(x) dx is {here.mass_in_x:.3f}",
        )
        self.loss.show(here.loss)
        self.by_slope.show(here.p)
        mass = f"{format_number(here.weighed * here.length)} of mass"
        piece = f"{mass} in x ± {format_number(here.length / 2)}"
        self.by_mass.show(here.weighed, detail=piece)
        self.difference.show_text(format_number(here.p - here.weighed, 2))

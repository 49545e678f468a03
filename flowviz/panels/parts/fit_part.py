"""What every part of a panel that is a fit says of it."""

from __future__ import annotations

from flowviz.panels.parts.fit import Fit
from flowviz.widgets.page import Trained


class FitPart:
    """A part of a panel (:class:`~flowviz.widgets.panel.panel.Part`) whose flows a page can train.

    Attributes:
        fit: the training.
    """

    fit: Fit

    @property
    def settled(self) -> bool:
        return self.fit.settled

    def begin(self) -> None:
        """Start the training that was asked for."""
        self.fit.begin()

    @property
    def trains_in_page(self) -> bool:
        return self.fit.in_page

    def take(self, trained: Trained) -> None:
        """Go on from what the page has trained."""
        self.fit.take(trained)

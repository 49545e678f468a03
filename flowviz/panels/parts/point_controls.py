"""The marked point as two sliders: the twin of its handles."""

from __future__ import annotations

from typing import Any

from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import stack
from flowviz.widgets.slider import Slider


class PointControls:
    """A slider for each coordinate of ``settings.point``, which they and its handles follow.

    Args:
        settings: a state with ``point``, one point.
        controls: the panel's, so that the section can be hidden as ``point``.
        name: what the point is called.

    Attributes:
        widget: the section.
    """

    def __init__(self, settings: Any, controls: Controls, name: str) -> None:
        self._settings = settings
        self._following = False
        bound = type(settings).point.bound
        self.sliders = [
            Slider(min=-bound, max=bound, step=0.05, description=f"{name}{i}", tooltip=said)
            for i, said in (("₁", "Its place across"), ("₂", "Its place up"))
        ]
        self._follow()
        for slider in self.sliders:
            slider.observe(lambda _: self._turned(), names=["value"])
        settings.observe(lambda _: self._follow(), names=["point"])
        self.widget = controls.put("point", stack(*self.sliders))

    def _follow(self) -> None:
        self._following = True
        for slider, value in zip(self.sliders, self._settings.point[0], strict=True):
            if slider.value != value:
                slider.value = value
        self._following = False

    def _turned(self) -> None:
        if not self._following:
            self._settings.point = ([slider.value for slider in self.sliders],)

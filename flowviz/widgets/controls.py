"""Labelled controls made from a panel's declared state, bound to it both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from flowviz.widgets.layout import classed, stack
from flowviz.widgets.menu import Menu
from flowviz.widgets.slider import Slider
from flowviz.widgets.state import Choice, Field, Integer, PanelState, Real, Text, Toggle

MOST_SLIDER_STOPS = 500
"""An integer with more values than this gets a box to type into: a seed, say."""


class Controls:
    """The controls of one panel, each made when first asked for.

    >>> controls = Controls(state)
    >>> controls["layers"]  # a slider; moving it sets state.layers, and the other way round
    >>> controls.stack("target", "layers", "rate")

    Controls named in ``state.hide`` are out of sight. A value that the state refuses goes to
    ``on_error`` in words, and the control goes back to the value in force.
    """

    def __init__(
        self, state: PanelState, on_error: Callable[[Exception], None] | None = None
    ) -> None:
        self._state = state
        self._on_error = on_error
        self._widgets: dict[str, widgets.DOMWidget] = {}
        state.observe(lambda _: self._hide(), names=["hide"])

    def __getitem__(self, name: str) -> widgets.DOMWidget:
        """The control of a field, or whatever was put under ``name``."""
        if name not in self._widgets:
            fields = self._state.fields()
            if name not in fields or name == "hide":
                allowed = ", ".join(self._state.hidable())
                raise KeyError(f"there is no control {name!r}: the names are {allowed}")
            made = _make(fields[name])
            if made is None:
                kind = type(fields[name]).__name__
                raise KeyError(f"{name!r} is of type {kind}, which has no control of its own")
            self.bind(name, made)
        return self._widgets[name]

    def __iter__(self) -> Any:
        return iter(self._widgets.values())

    def stack(self, *names: str) -> widgets.VBox:
        """The named controls, one under the other."""
        return stack(*(self[name] for name in names))

    def bind(self, name: str, control: widgets.DOMWidget) -> widgets.DOMWidget:
        """Make ``control.value`` and the field ``name`` follow each other; returns ``control``."""
        setting = False  # the control is where the change comes from

        def to_state(change: Any) -> None:
            nonlocal setting
            outer, setting = setting, True
            try:
                setattr(self._state, name, change["new"])
            except (ValueError, TypeError) as error:
                setting = outer
                to_control()
                if self._on_error is not None:
                    self._on_error(error)
            finally:
                setting = outer

        def to_control(_: Any = None) -> None:
            value = getattr(self._state, name)
            if not setting and control.value != value:
                control.value = value

        to_control()
        control.observe(to_state, names=["value"])
        self._state.observe(to_control, names=[name])
        return self.put(name, control)

    def put(self, name: str, control: widgets.DOMWidget) -> widgets.DOMWidget:
        """Take in a control that is no field, such as a button, so that it can be hidden."""
        if name not in self._state.hidable():
            allowed = ", ".join(self._state.hidable())
            raise KeyError(f"there is no control {name!r} in the state: the names are {allowed}")
        self._widgets[name] = control
        self._hide()
        return control

    def _hide(self) -> None:
        for name, control in self._widgets.items():
            (control.add_class if name in self._state.hide else control.remove_class)("fv-hidden")


def _make(field: Field) -> widgets.DOMWidget | None:
    common = {"description": field.label, "tooltip": field.text_help or field.label}
    if isinstance(field, Choice) and field.headings:
        entries = [(n, title, field.headings[n]) for n, title in field.options.items()]
        return Menu(options=entries, value=field.initial, **common)
    if isinstance(field, Choice):
        options = [(title, name) for name, title in field.options.items()]
        return classed(widgets.Dropdown(options=options, **common), "fv-control")
    if isinstance(field, (Integer, Real)):
        limits = {"value": field.initial, "min": field.min, "max": field.max, "step": field.step}
        if isinstance(field, Real):
            return Slider(log=field.log, most=field.most, **limits, **common)
        boxed = (field.max - field.min) / field.step > MOST_SLIDER_STOPS
        return Slider(whole=True, boxed=boxed, **limits, **common)
    if isinstance(field, Toggle):
        return classed(widgets.Checkbox(indent=False, **common), "fv-control")
    if isinstance(field, Text):
        return classed(widgets.Text(continuous_update=False, **common), "fv-control")
    return None

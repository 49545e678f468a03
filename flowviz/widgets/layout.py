"""Cards, rows and buttons: the boxes of which a panel is laid out (styled in panel.css)."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Literal

import ipywidgets as widgets

Voice = Literal["forward", "reverse"]


def card(
    *children: widgets.Widget, title: str = "", subtitle: str = "", voice: Voice | None = None
) -> widgets.VBox:
    """A card with a hairline border.

    Args:
        title: what the card shows, in the colour of ``voice`` if there is one.
        subtitle: the line under it: what that means.

    The card's ``card_title`` is its title.
    """
    head = []
    if title:
        colour = f" fv-{voice}" if voice else ""
        text = f'<h3 class="fv-card-title{colour}">{escape(title)}</h3>'
        if subtitle:
            text += f'<p class="fv-card-subtitle">{escape(subtitle)}</p>'
        head.append(widgets.HTML(text))
    made = classed(widgets.VBox([*head, *children]), "fv-card")
    made.card_title = title
    return made


def row(*children: widgets.Widget) -> widgets.HBox:
    """Side by side, wrapping where there is no room: buttons, readouts."""
    return classed(widgets.HBox(list(children)), "fv-row")


def stack(*children: widgets.Widget) -> widgets.VBox:
    """One under the other."""
    return classed(widgets.VBox(list(children)), "fv-stack")


def folded(title: str, *children: widgets.Widget) -> widgets.Accordion:
    """What few need, one under the other, behind a title that opens it."""
    box = widgets.Accordion([stack(*children)], titles=[title], selected_index=None)
    return classed(box, "fv-more")


def button(
    label: str, on_click: Callable[[], None], *, primary: bool = False, help: str = ""
) -> widgets.Button:
    """A button: filled if it is the main thing to do, else outlined. Glyphs go into ``label``."""
    made = widgets.Button(description=label, tooltip=help or label)
    made.on_click(lambda _: on_click())
    return classed(made, "fv-action", *(["fv-primary"] if primary else []))


def classed(widget: widgets.DOMWidget, *names: str) -> widgets.DOMWidget:
    """``widget``, with CSS classes added."""
    for name in names:
        widget.add_class(name)
    return widget

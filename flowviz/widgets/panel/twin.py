"""The static twin of a panel: its picture and its numbers, for where there is no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowviz.widgets.headless import headless

if TYPE_CHECKING:
    from flowviz.widgets.panel.panel import Panel


def text(panel: Panel) -> str:
    """The panel as text: its title, what is seen, and its numbers.

    >>> print(text(panel))
    Forward and reverse KL. …
    """
    lines = [f"{panel.title}. {panel.words()}".strip(), panel.python_line()]
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in panel.numbers().items())])


def bundle(panel: Panel, **kwargs: Any) -> Any:
    """What a notebook shows and stores of a panel: the widget, a PNG, and a text."""
    made = {} if headless() else panel.widget._repr_mimebundle_(**kwargs)
    data, metadata = made if isinstance(made, tuple) else (dict(made or {}), {})
    from flowviz.widgets.stage import twin as picture

    data["image/png"] = picture.png(
        panel.screen.stages,
        titles=[stage.title for stage in panel.screen.stages],
        voices=panel.screen.voices,
    )
    data["text/plain"] = text(panel)
    return data, metadata

"""What ``KLComparison?`` shows in a notebook: a panel's settings, from its declared state."""

from __future__ import annotations

import inspect
import textwrap

from flowviz.widgets.state import Choice, PanelState

WIDTH = 96


def signature(state: type[PanelState]) -> inspect.Signature:
    """Every setting as a keyword argument with its default."""
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in state.defaults().items()
        ]
    )


def in_words(state: type[PanelState]) -> str:
    """Every setting with its meaning and what is allowed, as a docstring has arguments."""
    lines = ["Args:"]
    for name, field in state.fields().items():
        allowed = field.allowed() if name != "hide" else f"of {', '.join(state.hidable())}"
        meaning = f"{field.label}. {field.text_help}" if field.text_help else field.label
        lines += textwrap.wrap(
            f"{name}: {meaning}; {allowed}.",
            WIDTH,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
        )
    return "\n".join(lines)


def by_name(panel: str, state: type[PanelState], value: object) -> str:
    """How ``value``, which was given without a name, is to be given."""
    fields = state.fields()
    names = [
        name
        for name, field in fields.items()
        if isinstance(field, Choice) and isinstance(value, str) and value in field.options
    ]
    name = (names or list(fields))[0]
    shown = value if names else fields[name].plain(fields[name].initial)
    return f"the settings of {panel} are given by name, as in {panel}({name}={shown!r})"

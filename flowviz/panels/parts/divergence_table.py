"""All divergences of one pair of densities: two ways to each, and how hard each pulls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets

from flowviz.objectives.line_closed_forms import closed_form, estimate, few_draws
from flowviz.objectives.on_the_line import MEASURES, gradient, why_infinite
from flowviz.targets.line import Line
from flowviz.widgets.layout import classed
from flowviz.widgets.readouts import format_estimate, format_number

PULL = (
    "−dD/dm, m the centre of p: above 0 to the right, the width left as it is. The arrow is as "
    "long in units of x; two heads: longer than 3. None: D is ∞, or its slopes to both sides differ"
)
SAMPLED = "From 8,000 draws of each; ± is a standard error (s.e.), ∞ where there is no variance"
ROUNDING = 1e-6
"""What is smaller is shown as 0."""
LONGEST = 3.0
"""A bar is full at this pull."""


@dataclass(frozen=True)
class Measured:
    """One divergence of a pair.

    Attributes:
        value: by quadrature; ∞ where ``why`` says so.
        pull: −dD/dm, the way in which descent moves p's centre; NaN where there is none.
        widening: −dD/d log s, the same of its width.
        other: by the closed form, or from samples; NaN for an infinite one, and if not asked for.
        error: its standard error; None for a closed form, NaN if not asked for.
        why: it is infinite; "" where it is not.
        few: of a KL, the mean of the log ratio over 30 draws; NaN for others, and if not asked for.
    """

    value: float
    pull: float
    widening: float
    other: float
    error: float | None
    why: str
    few: float = math.nan

    @property
    def way(self) -> str:
        """Where the other number is from."""
        return "Formula" if self.error is None else "Samples"

    @property
    def checked(self) -> str:
        """The same at length."""
        return self.why or ("By its closed form" if self.error is None else SAMPLED)


def look(name: str, target: Line, model: Line, seed: int | None) -> Measured:
    """Measure one divergence in two ways, and its gradient.

    Args:
        seed: of the samples where there is no closed form; None draws none.
    """
    value, slope, stretch = gradient(name, target, model)
    why = why_infinite(name, target, model)
    if math.isinf(value) and not why:
        why = "it is larger than a computer's numbers"
    other, error, few = math.nan, None, math.nan
    if not why and name in ("kl", "reverse_kl") and seed is not None:
        few = few_draws(name, target, model, seed)
    if not why:
        formula = closed_form(name, target, model)
        if formula is not None:
            other = formula
        elif seed is None:
            error = math.nan
        else:
            found = estimate(name, target, model, seed)
            other, error = float(found.value), float(found.standard_error)
    return Measured(value, 0.0 - slope, 0.0 - stretch, other, error, why, few)


def value_in_words(one: Measured) -> str:
    return "∞" if one.why else format_number(_seen(one.value))


def other_in_words(one: Measured) -> str:
    if math.isnan(one.other):
        return "–"
    if one.error is not None and math.isinf(one.error):
        return f"{format_number(one.other)}, s.e. ∞"
    return format_estimate(_seen(one.other), one.error if _seen(one.other) else None)


def name_in_words(name: str, why: str = "") -> str:
    """A divergence's name in full, what it is, and why it is infinite if it is."""
    measure = MEASURES[name]
    return "; ".join(filter(None, (f"{measure.title}: {measure.formula}", why)))


def difference_in_words(one: Measured) -> str:
    """Of the two ways."""
    if math.isnan(one.other):
        return "–"
    gap = one.value - one.other
    return format_number(gap if abs(gap) > 1e-12 * max(abs(one.value), 1.0) else 0.0, 1)


def pull_in_words(one: Measured, *, size: bool = False) -> str:
    """The pull with its sign, or its size alone."""
    if math.isnan(one.pull):
        return "none"
    return format_number(_seen(abs(one.pull) if size else one.pull), 2)


def way_in_words(one: Measured) -> str:
    """The pull with its direction, such as ``right 3.0``; of one that is not seen, 0."""
    size = pull_in_words(one, size=True)
    return size if size in ("0", "none") else f"{'right' if one.pull > 0 else 'left'} {size}"


def _seen(value: float) -> float:
    """What is above rounding."""
    return value if abs(value) > ROUNDING else 0.0


class DivergenceTable(widgets.HTML):
    """A row for each divergence: its value, by another way, and its pull as a bar."""

    def __init__(self) -> None:
        super().__init__()
        classed(self, "fv-divergences")

    def show(self, found: dict[str, Measured], chosen: str) -> None:
        """Show these, by name; the chosen one stands out."""
        head = "".join(f"<th>{name}</th>" for name in ("", "value", "pull on p", "checked by"))
        rows = "".join(_row(name, one, name == chosen) for name, one in found.items())
        self.value = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(name: str, one: Measured, chosen: bool) -> str:
    pull = 0.0 if math.isnan(one.pull) else max(-1.0, min(1.0, one.pull / LONGEST))
    left = 50 + 50 * min(pull, 0.0)
    bar = f'<i style="left:{left:.1f}%;width:{50 * abs(pull):.1f}%"></i>'
    classes = ' class="fv-chosen"' if chosen else ""
    return (
        f'<tr{classes} title="{escape(name_in_words(name, one.why))}">'
        f"<th>{escape(MEASURES[name].symbol)}</th><td>{escape(value_in_words(one))}</td>"
        f'<td><span class="fv-pull">{bar}</span>{escape(pull_in_words(one))}</td>'
        f'<td title="{escape(one.checked)}">{escape(other_in_words(one))}</td></tr>'
    )

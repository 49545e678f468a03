"""What a panel says in words: estimates with their errors, and messages.

Numbers have three significant digits, whole ones are written whole, and nothing but zero is
written as zero. What follows a ± is a standard error and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from typing import Literal

import ipywidgets as widgets

from flowviz import arguments
from flowviz.widgets.layout import classed

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def format_number(value: float, digits: int = 3) -> str:
    """``value`` to so many significant digits, the undefined in words.

    A whole number that comes as one, not as a float, is written whole.

    >>> format_number(-0.04162), format_number(2.0), format_number(2), format_number(float("inf"))
    ('−0.0416', '2.00', '2', '∞')
    """
    if arguments.is_whole(value):
        return f"{int(value):,}".replace("-", "−")
    if not math.isfinite(value):
        return _not_finite(value)
    if value == 0:
        return "0"
    exponent = _exponent(value, digits)
    if -4 <= exponent < 6:
        return _fixed(value, max(0, digits - 1 - exponent))
    return (
        f"{_fixed(value / 10.0**exponent, digits - 1)}·10{str(exponent).translate(_SUPERSCRIPTS)}"
    )


def format_alike(values: Iterable[float], digits: int = 3) -> list[str]:
    """Numbers side by side, with the decimals that the largest needs for so many digits.

    One that would vanish so has its own first digit.

    >>> format_alike([0.8412, -0.0131, 0.0002])
    ['0.841', '−0.013', '0.0002']
    """
    given = list(values)
    exponent = _exponent(max((abs(v) for v in given if math.isfinite(v)), default=0.0), digits)
    if not -4 <= exponent < 6:
        return [format_number(value, digits) for value in given]
    decimals = max(0, digits - 1 - exponent)
    return [
        _fixed(value, decimals)
        if math.isfinite(value) and round(value, decimals)
        else format_number(float(value), 1)
        for value in given
    ]


def format_angle(radians: float) -> str:
    """An angle in multiples of π: as a fraction with a small denominator, or with two decimals.

    >>> format_angle(-0.75 * math.pi), format_angle(2 * math.pi), format_angle(1.0)
    ('−3π/4', '2π', '0.32π')
    """
    if not math.isfinite(radians):
        return _not_finite(radians)
    turns = radians / math.pi
    for under in (1, 2, 3, 4, 6, 8, 12):
        over = round(turns * under)
        if abs(turns * under - over) < 1e-6:
            if over == 0:
                return "0"
            sign, times = "−" if over < 0 else "", "" if abs(over) == 1 else str(abs(over))
            return f"{sign}{times}π" + (f"/{under}" if under > 1 else "")
    return f"{format_alike([turns, 1.0])[0]}π"


def format_bound(value: float, share_outside: float) -> str:
    """A number of which a part could not be measured: it is at least so much.

    Args:
        value: what was measured; rounded down, so that what is written is a bound too.
        share_outside: the share of the mass, 0 … 1, that lies where nothing was measured.

    >>> format_bound(1.4666, 0.0213)
    '≥ 1.4, 2 % outside'
    """
    if not math.isfinite(value):
        return format_number(value)
    percent = 100 * share_outside
    share = "under 1" if percent < 1 else "over 99" if percent > 99 else f"{percent:.0f}"
    step = 10.0 ** (_exponent(value, 2) - 1) if value else 1.0
    down = math.floor(value / step + 1e-9) * step
    return f"≥ {format_number(float(down), 2)}, {share} % outside"


def format_estimate(value: float, error: float | None = None) -> str:
    """An estimate and its standard error, the value to the digits that the error leaves.

    The error has one significant digit, two if the first is a 1.

    Raises:
        ValueError: a negative error: what follows ± is a standard error.

    >>> format_estimate(0.04162, 0.0041)
    '0.042 ± 0.004'
    >>> format_estimate(1234.6, 12.3)
    '1,235 ± 12'
    """
    if error is None or not math.isfinite(value):
        return format_number(value)
    if math.isnan(error):
        return f"{format_number(value)} ± unknown"
    if math.isinf(error):
        return f"{format_number(value)} ± ∞"
    if error < 0:
        raise ValueError(f"a standard error is not negative, got {error!r}")
    if error == 0:
        return f"{format_number(value)} ± 0"
    digits = 2 if f"{error:.1e}".startswith("1.") else 1
    size = max(_exponent(value, 3), _exponent(error, digits))
    last = _exponent(error, digits) - digits + 1  # the power of ten of the last digit shown
    if -4 <= size < 6:
        return f"{_or_zero(value, -last)} ± {_fixed(error, -last)}"
    scale = 10.0**size
    both = f"{_or_zero(value / scale, size - last)} ± {_fixed(error / scale, size - last)}"
    return f"({both})·10{str(size).translate(_SUPERSCRIPTS)}"


def _exponent(value: float, digits: int) -> int:
    """The power of ten of the first digit of ``value`` after rounding to ``digits``."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2]) if value else -400


def _fixed(value: float, decimals: int) -> str:
    rounded = round(value, decimals)
    text = f"{abs(rounded):,.{max(0, decimals)}f}"
    return f"−{text}" if rounded < 0 else text


def _or_zero(value: float, decimals: int) -> str:
    """As :func:`_fixed`, and "0" for what vanishes beside its error."""
    return _fixed(value, decimals) if round(value, decimals) else "0"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return "∞" if value > 0 else "−∞"


UNMEASURED = "–"
"""In the place of a number that is not measured yet."""


class Readout(widgets.HTML):
    """Name, and value ± standard error.

    What it shows is in :attr:`name`, :attr:`text` and :attr:`unit` as well, as plain text.

    Args:
        name: what is measured, such as ``KL(p*‖p)``.
        unit: written after the value.
        help: tooltip.
    """

    def __init__(
        self,
        name: str,
        value: float | None = None,
        error: float | None = None,
        *,
        unit: str = "",
        help: str = "",
    ) -> None:
        super().__init__()
        self.add_class("fv-readout")
        self.name, self.unit, self.help = name, unit, help
        self.show(value, error)

    def show(self, value: float | None, error: float | None = None, *, detail: str = "") -> None:
        """Show a number; None stands for not measured yet.

        Args:
            value: what was measured.
            error: its standard error where it is an estimate from samples. An error of any other
                kind (a grid's, an integrator's) is no standard error: it goes into ``detail``.
            detail: added to the tooltip.

        Raises:
            ValueError: a negative error.
        """
        text = UNMEASURED if value is None else format_estimate(value, error)
        self.show_text(text, detail=detail)

    def show_bound(self, value: float, share_outside: float, *, detail: str = "") -> None:
        """Show what is a lower bound, as :func:`format_bound` writes it."""
        self.show_text(format_bound(value, share_outside), detail=detail)

    def show_text(self, text: str, *, detail: str = "") -> None:
        """Show words in the place of the number."""
        unit = f' <span class="fv-unit">{escape(self.unit)}</span>' if self.unit else ""
        help_ = "; ".join(filter(None, (self.help, detail)))
        title = f' title="{escape(help_)}"' if help_ else ""
        self.text = text
        self.value = (
            f'<div class="fv-readout-body"{title}><div class="fv-readout-name">'
            f"{escape(self.name)}</div>"
            f'<div class="fv-readout-value">{escape(text)}{unit}</div></div>'
        )


class Note(widgets.HTML):
    """A line of quiet text, such as ``step 900 of 2,000 · 118 steps/s · CPU``."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.add_class("fv-note")
        self.show(text)

    def show(self, text: str) -> None:
        self.text = text
        self.value = escape(text)


Kind = Literal["error", "info"]


class Message(widgets.HBox):
    """What the user must know now, where the user is looking, until it is dismissed."""

    def __init__(self) -> None:
        self.text = ""
        self._body = classed(widgets.HTML(), "fv-message-body")
        dismiss = classed(widgets.Button(description="✕", tooltip="Dismiss"), "fv-dismiss")
        dismiss.on_click(lambda _: self.clear())
        super().__init__([self._body, dismiss])
        self.add_class("fv-message")
        self.clear()

    def show(self, text: str, kind: Kind = "info") -> None:
        """Show ``text``, replacing what stood there."""
        if kind not in ("error", "info"):
            raise ValueError(f"kind={kind!r} is not allowed: 'error' or 'info'")
        self.text = text
        (self.add_class if kind == "error" else self.remove_class)("fv-error")
        role = "alert" if kind == "error" else "status"
        self._body.value = f'<div role="{role}">{escape(text)}</div>'
        self.layout.display = None

    def clear(self) -> None:
        self.text = ""
        self._body.value = ""
        self.layout.display = "none"

"""What a panel says in words: estimates with their errors, what a method needs, messages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Literal

import ipywidgets as widgets

from flowviz.widgets.layout import classed

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def format_number(value: float, digits: int = 3) -> str:
    """``value`` to so many significant digits, the infinite and the undefined in words.

    >>> format_number(-0.04162), format_number(float("inf"))
    ('−0.0416', 'infinite')
    """
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

    >>> format_alike([0.8412, -0.0131])
    ['0.841', '−0.013']
    """
    given = list(values)
    exponent = _exponent(max((abs(v) for v in given if math.isfinite(v)), default=0.0), digits)
    if not -4 <= exponent < 6:
        return [format_number(value, digits) for value in given]
    decimals = max(0, digits - 1 - exponent)
    return [_fixed(v, decimals) if math.isfinite(v) else _not_finite(v) for v in given]


def format_estimate(value: float, error: float | None = None) -> str:
    """An estimate and its standard error, the value to the digits that the error leaves.

    The error has one significant digit, two if the first is a 1.

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
        return f"{format_number(value)} ± infinite"
    error = abs(error)
    if error == 0:
        return f"{format_number(value)} ± 0"
    digits = 2 if f"{error:.1e}".startswith("1.") else 1
    size = max(_exponent(value, 3), _exponent(error, digits))
    last = _exponent(error, digits) - digits + 1  # the power of ten of the last digit shown
    if -4 <= size < 6:
        return f"{_fixed(value, -last)} ± {_fixed(error, -last)}"
    scale = 10.0**size
    both = f"{_fixed(value / scale, size - last)} ± {_fixed(error / scale, size - last)}"
    return f"({both})·10{str(size).translate(_SUPERSCRIPTS)}"


def _exponent(value: float, digits: int) -> int:
    """The power of ten of the first digit of ``value`` after rounding to ``digits``."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2]) if value else -400


def _fixed(value: float, decimals: int) -> str:
    rounded = round(value, decimals)
    text = f"{abs(rounded):,.{max(0, decimals)}f}"
    return f"−{text}" if rounded < 0 else text


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return "infinite" if value > 0 else "−infinite"


class Readout(widgets.HTML):
    """Name, and value ± standard error.

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

    def show(self, value: float | None, error: float | None = None) -> None:
        """Show a number, and its error if it is an estimate; None stands for not measured yet."""
        self.show_text("–" if value is None else format_estimate(value, error))

    def show_text(self, text: str) -> None:
        """Show words in the place of the number."""
        unit = f' <span class="fv-unit">{escape(self.unit)}</span>' if self.unit else ""
        title = f' title="{escape(self.help)}"' if self.help else ""
        self.text = text
        self.value = (
            f'<div class="fv-readout-body"{title}><div class="fv-readout-name">'
            f"{escape(self.name)}</div>"
            f'<div class="fv-readout-value">{escape(text)}{unit}</div></div>'
        )


class Needs(widgets.HTML):
    """What a method needs, each lit or struck through.

    Args:
        needs: each requirement and whether it is needed, such as ``{"samples of p*": True}``.
    """

    def __init__(self, needs: Mapping[str, bool]) -> None:
        super().__init__()
        self.add_class("fv-needs")
        self.show(needs)

    def show(self, needs: Mapping[str, bool]) -> None:
        chips = [
            f'<li class="fv-need">{escape(name)}</li>'
            if needed
            else f'<li class="fv-need fv-struck"><span class="fv-unseen">does not need </span>'
            f"<s>{escape(name)}</s></li>"
            for name, needed in needs.items()
        ]
        self.value = f'<span>needs</span><ul class="fv-need-list">{"".join(chips)}</ul>'


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

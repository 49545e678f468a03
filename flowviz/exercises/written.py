"""Numbers as people write them."""

from __future__ import annotations


def read_number(text: str) -> float | str | None:
    """The number that is written, with a point or a comma or as a fraction.

    None for none, else the text itself.

    >>> read_number("0,5"), read_number("−1/2"), read_number("four")
    (0.5, -0.5, 'four')
    """
    text = text.strip()
    if not text:
        return None
    above, *below = text.replace("−", "-").replace(",", ".").split("/")
    try:
        number = float(above)
        return number / float(*below) if below else number
    except (TypeError, ValueError, ZeroDivisionError):
        return text

"""Numbers as people write them."""

from __future__ import annotations


def read_number(text: str) -> float | str | None:
    """The number that is written, with a point or a comma; None for none, else the text itself."""
    text = text.strip()
    if not text:
        return None
    try:
        return float(text.replace("−", "-").replace(",", "."))
    except ValueError:
        return text

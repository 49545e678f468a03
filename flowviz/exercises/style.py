"""The style of what asks and answers."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

CARD = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (_HERE.parent / "widgets" / "tokens.css", _HERE / "card.css")
)

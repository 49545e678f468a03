"""The design's tokens as Python values, read from the style sheet that the pages use."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

Theme = Literal["light", "dark"]

_CSS = Path(__file__).with_name("tokens.css")
_RULE = re.compile(r"([^{}]+)\{([^}]*)\}")
_TOKEN = re.compile(r"(--fv-[\w-]+):\s*([^;]+);")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@cache
def tokens(theme: Theme) -> dict[str, str]:
    """Every token of a theme by name: ``tokens("dark")["--fv-ink"]`` is ``"#e8edf3"``.

    Raises:
        ValueError: there is no such theme.
    """
    if theme not in ("light", "dark"):
        raise ValueError(f"theme={theme!r} is not allowed: 'light' or 'dark'")
    found: dict[str, str] = {}
    for selector, body in _RULE.findall(_COMMENT.sub("", _CSS.read_text(encoding="utf-8"))):
        if selector.strip() == ".fv" or (theme == "dark" and '[data-theme="dark"]' in selector):
            found.update(_TOKEN.findall(body))
    return found

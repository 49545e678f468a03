"""A cell that is run again ends the panels of its former run: their jobs, threads and widgets."""

from __future__ import annotations

import sys
from typing import Any

_made: dict[str, tuple[str, list[Any]]] = {}
"""By cell: the execution that made its panels, and the panels."""


def begin(panel: Any) -> str:
    """Note that a panel is made in the cell that runs, after ending those of a former run.

    Returns:
        The cell's name; "" outside of a notebook.
    """
    cell, execution = _running()
    if not cell:
        return ""
    before, panels = _made.get(cell, ("", []))
    if before != execution:
        for former in list(panels):
            former.close()
        panels = []
    _made[cell] = (execution, [*panels, panel])
    return cell


def end(cell: str, panel: Any) -> None:
    """Forget a panel that is closed."""
    if cell in _made:
        execution, panels = _made[cell]
        _made[cell] = (execution, [one for one in panels if one is not panel])


def _running() -> tuple[str, str]:
    """The cell that runs and its execution, as the front end names them."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return "", ""
    try:
        parent = kernel.get_parent() or {}
    except LookupError:  # no request is being answered
        return "", ""
    cell = (parent.get("metadata") or {}).get("cellId", "")
    return str(cell or ""), str((parent.get("header") or {}).get("msg_id", ""))

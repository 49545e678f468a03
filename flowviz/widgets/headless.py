"""Running without widgets: ``FLOWVIZ_HEADLESS=1``, for graders and for converting notebooks.

What runs notebooks without a page (nbgrader, nbconvert, papermill) waits for widgets in vain, or
stores states that nobody can use. With the variable set, what would be a widget is displayed as a
picture or a text, and none opens a comm.
"""

from __future__ import annotations

import os

import comm

HEADLESS = "FLOWVIZ_HEADLESS"


def headless() -> bool:
    """Whether nothing is displayed as a widget."""
    return os.environ.get(HEADLESS) == "1"


def without_comms() -> None:
    """Where it is headless, let no widget of this process open a comm from now on.

    Call it before a widget is made: all of ipywidgets gets its comms from ``comm.create_comm``.
    """
    if headless():
        comm.create_comm = comm.DummyComm

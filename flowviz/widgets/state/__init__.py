"""The declared state of a panel: one plain object with types, ranges, defaults and link names.

A panel declares what it can be set to, and everything else follows from the declaration: the
controls, the link, the JSON file and the messages about bad values.

>>> class State(PanelState):
...     layers = Integer(4, 1, 12, label="Layers")
...     rate = Real(0.003, 1e-4, 0.1, log=True, label="Learning rate")
>>> state = State(layers=6)
>>> state.to_query()
'layers=6'
>>> State.from_query("layers=6&rate=fast")
({'layers': 6}, ["rate='fast' is not allowed: a number from 0.0001 to 0.1"])
"""

from flowviz.widgets.state.field import Field
from flowviz.widgets.state.fields import Choice, Integer, Points, Real, Text, Toggle
from flowviz.widgets.state.panel_state import PanelState
from flowviz.widgets.state.written import MAX_QUERY_BYTES

__all__ = [
    "MAX_QUERY_BYTES",
    "Choice",
    "Field",
    "Integer",
    "PanelState",
    "Points",
    "Real",
    "Text",
    "Toggle",
]

"""Choosing a flow of the catalogue: the settings, the controls, and the flow that they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
from torch import Generator

from flowviz.compute import device
from flowviz.flows import Flow, catalog
from flowviz.flows.bijection import estimated
from flowviz.panels.parts.layer_names import counted_in_words
from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import classed, folded, stack
from flowviz.widgets.readouts import Note
from flowviz.widgets.state import Choice, Integer, PanelState, Real

WIDTHS = {"16,16": "16, 16", "32,32": "32, 32", "64,64": "64, 64", "128,128": "128, 128"}


FIRST = ("rq_spline_coupling", "real_nvp", "planar", "cnf")
"""The menu offers these first: one of each kind, which train well or show most."""
ENTRIES = {
    name: catalog.entry(name)
    for name in dict.fromkeys((*FIRST, *catalog.names()))
    if catalog.entry(name).allows(2)
}


def flow_field(default: str) -> Choice:
    """The setting that names the family."""
    return Choice(
        default,
        {name: entry.title for name, entry in ENTRIES.items()},
        headings={n: "Start here" if n in FIRST else e.family for n, e in ENTRIES.items()},
        label="Flow",
        help="The family of the layers",
    )


class FlowState(PanelState):
    """The settings that name a flow and its start."""

    flow = flow_field("rq_spline_coupling")
    layers = Integer(4, 1, 32, label="Layers", help="How many layers carry base to data")
    hidden = Choice("64,64", WIDTHS, label="Network", help="Hidden widths of the conditioners")
    bins = Integer(8, 2, 32, label="Bins", help="Pieces of each spline")
    spread = Real(
        1.0, 0.0, 4.0, step=0.1, label="Initial scale", help="Factor on the random start's weights"
    )
    seed = Integer(0, 0, 2**31 - 1, label="Seed", help="Of the start and of all draws")


FLOW_SETTINGS = ("flow", "layers", "hidden", "bins", "spread", "seed")
"""The settings after whose change a new flow is made."""


def make_flow(settings: Any) -> Flow:
    """The untrained flow that the settings name, in evaluation mode, on the device in use."""
    flow = catalog.make(
        settings.flow, layers=settings.layers, seed=settings.seed, **_options(settings)
    )
    for parameter in flow.parameters():
        parameter.data.mul_(settings.spread)
    noise = Generator(device=device()).manual_seed(settings.seed)
    for layer in estimated(flow):
        layer.generator = noise
    return flow.to(device()).eval()


def adam_rate(settings: Any, rate: float) -> float:
    """Adam's learning rate for the chosen family where the setting says ``rate``."""
    return rate * ENTRIES[settings.flow].pace


def flow_code(settings: Any) -> str:
    """The line of Python that makes that flow."""
    arguments = [repr(settings.flow), f"layers={settings.layers}", f"seed={settings.seed}"]
    arguments += [f"{name}={value!r}" for name, value in _options(settings).items()]
    lines = [f"flow = flowviz.flows.catalog.make({', '.join(arguments)})"]
    if settings.spread != 1:
        lines += [
            "for parameter in flow.parameters():",
            f"    parameter.data.mul_({settings.spread:g})",
        ]
    return "\n".join(lines)


def flow_controls(
    settings: Any, controls: Controls, names: Sequence[str] = FLOW_SETTINGS
) -> widgets.VBox:
    """The named controls, those out of sight that the chosen family does not have."""
    # In boxes: a widget of our own does not follow classes that come after its first display.
    boxes = {name: stack(controls[name]) for name in names}
    if "flow" in boxes:
        speed = classed(_saying(settings, speed_in_words), "fv-flow-speed")
        boxes["flow"].children += (speed,)
    if "layers" in boxes:
        boxes["layers"].children += (_saying(settings, layers_in_words),)

    def show_options(_: Any = None) -> None:
        options = catalog.entry(settings.flow).options
        for name in {"hidden", "bins"}.intersection(names):
            box = boxes[name]
            (box.remove_class if name in options else box.add_class)("fv-not-used")

    settings.observe(show_options, names=["flow"])
    show_options()
    return classed(stack(*boxes.values()), "fv-flow-controls")


def training_settings(settings: Any, controls: Controls, *own: widgets.Widget) -> widgets.Widget:
    """What few need, folded away: how it is trained, and of the flow what is not in sight.

    Args:
        own: the controls of the training.
    """
    return folded(
        "Training settings",
        *own,
        flow_controls(settings, controls, ("hidden", "bins", "spread", "seed")),
        about_flow(settings),
    )


def about_flow(settings: Any) -> Note:
    """Where the chosen family is from, and what it can do."""
    return _saying(settings, family_in_words)


def speed_in_words(entry: catalog.Entry) -> str:
    """Which way a family is quick: what takes a number of passes that does not grow with D."""
    quick = {(True, False): "quick sampling", (False, True): "quick densities"}
    both = "quick both ways" if entry.fast_forward else "slow both ways"
    return quick.get((entry.fast_forward, entry.fast_inverse), both)


def layers_in_words(entry: catalog.Entry) -> str:
    """How a family's layers are counted where it has more than are asked for."""
    return counted_in_words(entry.name)


def family_in_words(entry: catalog.Entry) -> str:
    """A family in a few sentences."""
    inverse = "a formula" if entry.exact_inverse else "found by iteration"
    exact = "exact" if entry.exact_logabsdet else "estimated"
    samples, densities = (
        "quick" if fast else "slow" for fast in (entry.fast_forward, entry.fast_inverse)
    )
    pace = (
        f" Its weights are large: Adam's rate is {entry.pace:g} times the learning rate."
        if entry.pace != 1
        else ""
    )
    return (
        f"{entry.title}: {entry.reference}. Sampling is {samples}, densities are {densities}; "
        f"the inverse is {inverse}, log|det J| {exact}.{pace}"
    )


def _saying(settings: Any, words: Callable[[catalog.Entry], str]) -> Note:
    """A line on the family that is chosen; none where there is nothing to say."""
    note = Note()

    def say(_: Any = None) -> None:
        note.show(words(catalog.entry(settings.flow)))
        note.layout.display = None if note.text else "none"

    settings.observe(say, names=["flow"])
    say()
    return note


def _options(settings: Any) -> dict[str, Any]:
    """What the chosen family takes of the network's widths, the spline's bins and the solver."""
    given = {
        "hidden": tuple(int(width) for width in settings.hidden.split(",")),
        "bins": settings.bins,
        # A few fixed steps train three times as quickly as adaptive ones, to the same fit.
        "solver": "rk4",
        "steps": 8,
    }
    options = catalog.entry(settings.flow).options
    return {name: value for name, value in given.items() if name in options}

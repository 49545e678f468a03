"""Turning a layer's own numbers by hand: a slider for each parameter of a small layer."""

from __future__ import annotations

import copy
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import torch
from torch import Generator, Tensor, nn

from flowviz.flows import Bijection, Flow
from flowviz.flows.programs import place
from flowviz.panels.parts.layer_names import layer_names
from flowviz.widgets.controls import Controls
from flowviz.widgets.layout import button, classed, stack
from flowviz.widgets.slider import Slider
from flowviz.widgets.state import Field

MOST_SCALARS = 8
"""A layer that depends on more numbers than this has no sliders."""

BOUND = 20.0
"""The largest |value| that an adjusted parameter may have."""

REACH = 4.0
"""Sliders go from −REACH to REACH, further where the value lies; ``turning.js`` has the same."""

_KEY = re.compile(r"[0-9]{1,3}(\.[A-Za-z_][A-Za-z0-9_]*)+(\.[0-9]{1,3})*")
_SYMBOLS = {"u": "v, free", "z0": "centre z₀", "raw_alpha": "α, raw", "raw_s": "α + β, raw"}
_MADE_OF = {
    "u": "The layer takes v + c w, with the c that keeps w·v above −1: else it could not go back",
    "raw_alpha": "The layer takes α = log(1 + exp of this), above 0",
    "raw_s": "The layer takes α + β = log(1 + exp of this), above 0: else it could not go back",
}
"""What a layer makes of a number that is free, so that it stays invertible."""

Values = tuple[tuple[str, float], ...]


class Adjustments(Field):
    """Parameters set by hand: names such as ``1.w.0`` (layer 1, ``w``, entry 0) to numbers."""

    def __init__(self, *, label: str = "", help: str = "") -> None:
        super().__init__((), label=label, help=help)

    def coerce(self, value: Any) -> Values:
        pairs = dict(value).items() if not isinstance(value, str) else ()
        if isinstance(value, str) or len(pairs) > 100:
            raise ValueError
        for name, number in pairs:
            if not isinstance(name, str) or not _KEY.fullmatch(name):
                raise ValueError
            if isinstance(number, (bool, str)) or not abs(number) <= BOUND:  # false for NaN too
                raise ValueError
        return tuple(sorted((name, round(float(number), 4) + 0.0) for name, number in pairs))

    def allowed(self) -> str:
        return (
            f"at most 100 names such as 1.w.0 (layer, parameter, entry), "
            f"each with a number from -{BOUND:g} to {BOUND:g}"
        )

    def parse(self, text: str) -> list[tuple[str, float]]:
        pairs = (pair.split(",") for pair in text.split(";") if pair)
        return [(name, float(number)) for name, number in pairs]

    def format(self, value: Values) -> str:
        return ";".join(f"{name},{number:g}" for name, number in value)

    def plain(self, value: Values) -> dict[str, float]:
        return dict(value)


@dataclass(frozen=True)
class Scalar:
    """One number of a layer.

    Attributes:
        key: ``layer.parameter.entry``, the layer counted from 1; entries from 0.
        label: as a person reads it.
        help: what it is to the layer.
        tensor, entry: where it is: ``tensor.flatten()[entry]``.
    """

    key: str
    label: str
    help: str
    tensor: Tensor
    entry: int

    @classmethod
    def of(cls, key: str, name: str, parameter: nn.Parameter, entry: int) -> Scalar:
        """The entry of a parameter of that name, worded."""
        help = _MADE_OF.get(name.rpartition(".")[2], f"Parameter {key} of the flow")
        return cls(key, _label(name, parameter, entry), help, parameter, entry)

    def get(self) -> float:
        return float(self.tensor.detach().flatten()[self.entry])

    def set(self, value: float) -> None:
        # Through .data: a step that is under way must not be told of an in-place change.
        self.tensor.data[tuple(_index(self.tensor, self.entry))] = value


def scalars(flow: Flow, layer: int) -> list[Scalar]:
    """The numbers that a layer depends on; none where they are more than eight.

    Args:
        layer: 1 … K.
    """
    bijection = _layers(flow)[layer - 1]
    parameters = dict(bijection.named_parameters())
    if not 0 < sum(p.numel() for p in parameters.values()) <= 2 * MOST_SCALARS:
        return []
    used = _used(bijection)
    found = [
        Scalar.of(f"{layer}.{name}{_suffix(p, entry)}", name, p, entry)
        for name, p in parameters.items()
        for entry in range(p.numel())
        if used[name].flatten()[entry]
    ]
    return found if len(found) <= MOST_SCALARS else []


def adjustable(flow: Flow) -> list[int]:
    """The layers (1 … K) that have sliders."""
    return [layer for layer in range(1, len(flow.bijections) + 1) if scalars(flow, layer)]


def find(flow: Flow, key: str) -> Scalar | None:
    """The scalar of that key; None where the flow has none."""
    layer, *parts = key.split(".")
    if not 1 <= int(layer) <= len(flow.bijections):
        return None
    name = ".".join(part for part in parts if not part.isdigit())
    index = [int(part) for part in parts if part.isdigit()]
    parameter = dict(flow.bijections[int(layer) - 1].named_parameters()).get(name)
    if parameter is None or len(index) != parameter.ndim:
        return None
    entry = 0
    for i, length in zip(index, parameter.shape, strict=True):
        if i >= length:
            return None
        entry = entry * length + i
    return Scalar.of(key, name, parameter, entry)


def _layers(flow: Flow) -> list[Bijection]:
    return list(flow.transform)


def _used(bijection: Bijection) -> dict[str, Tensor]:
    """For each parameter, which entries the map depends on (of a triangle, one half)."""
    generator = Generator().manual_seed(0)
    probe = copy.deepcopy(bijection).cpu().eval()
    for parameter in probe.parameters():
        parameter.data.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    z = torch.randn(16, bijection.dim, generator=generator).to(next(probe.parameters()).dtype)
    image, logabsdet = probe(z)
    weight = torch.randn(image.shape, generator=generator).to(image)
    names, parameters = zip(*probe.named_parameters(), strict=True)
    gradients = torch.autograd.grad(
        (image * weight).sum() + logabsdet.sum(), parameters, materialize_grads=True
    )
    return {name: gradient != 0 for name, gradient in zip(names, gradients, strict=True)}


def _suffix(parameter: nn.Parameter, entry: int) -> str:
    return "".join(f".{i}" for i in _index(parameter, entry))


def _label(name: str, parameter: nn.Parameter, entry: int) -> str:
    last = name.rpartition(".")[2]
    words = _SYMBOLS.get(last, last.replace("_", " "))
    index = ",".join(str(i + 1) for i in _index(parameter, entry))
    return f"{words} [{index}]" if index else words


def _index(parameter: Tensor, entry: int) -> list[int]:
    index: list[int] = []
    for length in reversed(parameter.shape):
        entry, i = divmod(entry, length)
        index.insert(0, i)
    return index


class AdjustLayer:
    """The section "Adjust a layer": a layer, and a slider for each of its numbers.

    Args:
        settings: a panel's state with an ``adjustments`` field, which the sliders write.
        controls: the panel's, so that the section can be hidden as ``adjustments``.
        flow: the flow in use.

    Attributes:
        widget: the section; out of sight where no layer of the flow is small enough.
    """

    def __init__(self, settings: Any, controls: Controls, flow: Callable[[], Flow]) -> None:
        self._settings = settings
        self._flow = flow
        self._following = False
        self._scalars: list[Scalar] = []
        self._followed: Any = None
        self._layers: tuple[list[str], list[int]] = ([], [])
        self._before: dict[str, list[float]] = {}
        self._given, self._turned_to = 0, settings.adjustments
        self.layer = classed(
            widgets.Dropdown(
                options=[("1", 1)], description="Adjust a layer", tooltip="Whose numbers to turn"
            ),
            "fv-control",
        )
        self.sliders = [self._slider() for _ in range(MOST_SCALARS)]
        undo = button("Undo adjustments", self._undo, help="Back to the numbers before")
        self._undo_button = undo
        # The page comes to know the flow when one comes near its numbers.
        self.widget = classed(stack(self.layer, *self.sliders, undo), "fv-turns")
        controls.put("adjustments", self.widget)
        self.layer.observe(lambda _: self._follow(), names=["value"])

    @property
    def given(self) -> int:
        """Goes up with the adjustments, save where a slider was turned: a page knows of that."""
        if self._settings.adjustments != self._turned_to:
            self._given, self._turned_to = self._given + 1, self._settings.adjustments
        return self._given

    def apply(self, flows: Sequence[Flow], adjustments: Values, *, fresh: bool) -> None:
        """Bring flows of one kind in line with the adjustments.

        What was adjusted and no longer is gets back the value that it had.

        Args:
            fresh: whether the flows have just been made, without any adjustment.

        Raises:
            ValueError: names that the flows do not have; the others are in force.
        """
        if fresh:
            self._before = {}
        wanted = dict(adjustments)
        for key in [key for key in self._before if key not in wanted]:
            for flow, value in zip(flows, self._before.pop(key), strict=False):
                if scalar := find(flow, key):
                    scalar.set(value)
        unknown = []
        for key, value in wanted.items():
            found = [scalar for flow in flows if (scalar := find(flow, key))]
            if not found:
                unknown.append(key)
                continue
            self._before.setdefault(key, [scalar.get() for scalar in found])
            for scalar in found:
                scalar.set(value)
        if unknown:
            raise ValueError(
                f"The flow has no parameter {', '.join(unknown)} to adjust: a layer's number "
                "(from 1), its parameter and its entry are meant, as in 1.w.0."
            )

    def show(self, flow: Flow) -> None:
        """Bring the choice of layers and the sliders in line with the flow."""
        names = layer_names(flow)
        if names != self._layers[0]:
            self._layers = names, adjustable(flow)
            options = [(f"{number} · {names[number - 1]}", number) for number in self._layers[1]]
            adjusted = {int(key.partition(".")[0]) for key, _ in self._settings.adjustments}
            self._following = True
            self.layer.options = options
            self.layer.value = next(
                (layer for layer in self._layers[1] if layer in adjusted),
                self._layers[1][0] if options else None,
            )
            self._following = False
        self.widget.layout.display = None if self._layers[1] else "none"
        self._follow(flow)

    def places(self, flow: Flow) -> dict[str, int]:
        """Which of the numbers that the flow has learned each slider turns, by the slider's key."""
        self._follow(flow)
        shown = zip(self.sliders, self._scalars, strict=False)
        return {slider.key: place(flow, one.tensor) + one.entry for slider, one in shown}

    def turning(self, flow: Flow) -> list[dict[str, Any]]:
        """For a page without a kernel: all layers with sliders, and the numbers that they turn."""
        return [
            {
                "title": f"{layer} · {name}",
                "numbers": [
                    {"label": one.label, "place": place(flow, one.tensor) + one.entry}
                    for one in found
                ],
            }
            for layer, name in enumerate(layer_names(flow), 1)
            if (found := scalars(flow, layer))
        ]

    def _slider(self) -> Slider:
        slider = Slider(min=-REACH, max=REACH, step=0.01, key=f"slider {uuid.uuid4().hex}")
        slider.observe(lambda change: self._turned(slider, change["new"]), names=["value"])
        return slider

    def _follow(self, flow: Flow | None = None) -> None:
        if self._following:
            return
        flow = flow or self._flow()
        layer = self.layer.value
        if (layer, id(flow)) != self._followed:
            self._scalars = scalars(flow, layer) if layer in self._layers[1] else []
            self._followed = layer, id(flow)
        self._following = True
        for slider, scalar in _beside(self.sliders, self._scalars):
            slider.layout.display = "none" if scalar is None else None
            if scalar is None:
                continue
            value = scalar.get()
            far = max(REACH, math.ceil(abs(value))) if math.isfinite(value) else REACH
            if (slider.min, slider.max) != (-far, far):
                slider.min, slider.max = -far, far
            slider.description = scalar.label
            slider.tooltip = scalar.help
            if abs(slider.value - value) > 0.005:
                slider.value = value
        self._following = False
        self._undo_button.layout.display = None if self._settings.adjustments else "none"

    def _turned(self, slider: Slider, value: float) -> None:
        position = self.sliders.index(slider)
        if self._following or position >= len(self._scalars):
            return
        self._given = self.given
        now: Mapping[str, float] = dict(self._settings.adjustments)
        turned = {**now, self._scalars[position].key: value}
        # Before it is so: what is drawn for it asks at once what was given.
        self._turned_to = type(self._settings).adjustments.coerce(turned)
        self._settings.adjustments = turned

    def _undo(self) -> None:
        self._settings.adjustments = {}


def adjustment_code(adjustments: Values) -> list[str]:
    """The lines of Python that set the adjusted parameters."""
    if not adjustments:
        return []
    lines = ["parameters = dict(flow.transform.layers.named_parameters())"]
    for key, value in adjustments:
        layer, _, rest = key.partition(".")
        parts = rest.split(".")
        name = ".".join(part for part in parts if not part.isdigit())
        index = ", ".join(part for part in parts if part.isdigit()) or "()"
        lines.append(f"parameters['{int(layer) - 1}.{name}'].data[{index}] = {value:g}")
    return lines


def _beside(sliders: list[Any], found: list[Scalar]) -> Iterator[tuple[Any, Scalar | None]]:
    for index, slider in enumerate(sliders):
        yield slider, found[index] if index < len(found) else None

"""A flow's pass as a file: what the page's engine plays."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowviz.flows.programs.kernels import Map, Repeat, Step
from flowviz.flows.programs.listing import Listing
from flowviz.flows.programs.lowering import Lowering
from flowviz.flows.programs.operators import RULES
from flowviz.flows.programs.tidying import buffers, fused, living, split
from flowviz.flows.programs.views import Operand, View

FORMAT, VERSION = "flowviz.program", 1

Given = Mapping[str, Tensor]
Outputs = Mapping[str, Tensor | Sequence[Tensor]]


@dataclass(frozen=True)
class Program:
    """A pass in a few kinds of kernel.

    Attributes:
        header: sizes, kernels and places, as JSON has them.
        block: the numbers of parameters and constants, float32.
    """

    header: dict[str, Any]
    block: np.ndarray

    def without_parameters(self) -> Program:
        """The program alone: whoever plays it sets the parameters before.

        All programs of a flow have the same parameters, in the same order.
        """
        first = sum(math.prod(parameter["shape"]) for parameter in self.header["parameters"])
        moved = {
            "parameters": [{**p, "at": None} for p in self.header["parameters"]],
            "constants": [{**c, "at": c["at"] - first} for c in self.header["constants"]],
        }
        return Program({**self.header, **moved}, self.block[first:])

    def parameters(self) -> np.ndarray:
        """The numbers of the parameters, one after the other, float32."""
        first = sum(math.prod(parameter["shape"]) for parameter in self.header["parameters"])
        return self.block[:first]

    def to_bytes(self) -> bytes:
        """The file: the header's length, the header, the block."""
        text = json.dumps(self.header, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        head = text.encode()
        head += b" " * (-len(head) % 8)
        dtype = {"float32": "<f4", "float16": "<f2"}[self.header["dtype"]]
        return struct.pack("<Q", len(head)) + head + self.block.astype(dtype).tobytes()


def written(
    function: Callable[[Given, Given], Outputs],
    inputs: Given,
    parameters: Given,
    said: Mapping[str, Any],
) -> Program:
    """The program of ``function(inputs, parameters)``, for inputs of these sizes.

    Args:
        function: to named results.
        inputs: examples.
        parameters: what may be others later; those that want no gradient the function may move.
        said: more of the header.

    Raises:
        Unlowered: an operator has no kernel.
        Unsteady: the operations can be others next time.
    """
    given, learned = ({k: _apart(t) for k, t in ts.items()} for ts in (inputs, parameters))
    listing = Listing([*given.values(), *learned.values()])
    with listing:
        outputs = function(given, learned)
    views = [listing.view(name) for name in listing.inputs]
    start, weights = views[: len(inputs)], views[len(inputs) :]
    noise = [listing.view(name) for name in listing.noise]
    lowering = Lowering(listing, RULES, buffers(v.operand for v in (*views, *noise)))
    ends = {
        name: [lowering.at(listing.name(t)) for t in _listed(value)]
        for name, value in outputs.items()
    }
    wanted = buffers(v.operand for vs in ends.values() for v in vs)
    wanted |= {
        view.buffer
        for view, tensor in zip(weights, learned.values(), strict=True)
        if not tensor.requires_grad
    }
    once, each = split(living(lowering.steps, wanted), buffers(v.operand for v in (*start, *noise)))
    each = living(fused(each), wanted)
    left = {buffer for step in each for buffer in buffers(step.reads.values())}
    once = living(fused(once), wanted | left)

    order = _Numbered(lowering)
    header = {
        "format": FORMAT,
        "version": VERSION,
        **said,
        "dtype": "float32",
        "inputs": {n: order.view(v) for n, v in zip(inputs, start, strict=True)},
        "noise": [order.view(v) for v in noise],
        "parameters": [
            {
                "name": name,
                "shape": list(view.shape),
                "buffer": order(view.buffer),
                "trainable": learned[name].requires_grad,
            }
            for name, view in zip(parameters, weights, strict=True)
        ],
        "once": [order.step(step) for step in once],
        "each": [order.step(step) for step in each],
        "outputs": {name: [order.view(v) for v in vs] for name, vs in ends.items()},
    }
    for name, value in outputs.items():
        if isinstance(value, Tensor):
            header["outputs"][name] = header["outputs"][name][0]
    block = Block()
    for parameter, tensor in zip(header["parameters"], parameters.values(), strict=True):
        parameter["at"] = block.add(tensor)
    header["constants"] = [
        {"buffer": new, "at": block.add(lowering.constants[old]), "size": lowering.sizes[old]}
        for old, new in order.numbers.items()
        if old in lowering.constants
    ]
    header["buffers"] = [lowering.sizes[old] for old in order.numbers]
    return Program(header, block.numbers())


class Block:
    """The numbers of a program's file."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._size = 0

    def add(self, tensor: Tensor) -> int:
        """Put a tensor's numbers at the end; where they begin."""
        start = self._size
        part = tensor.detach().cpu().contiguous().reshape(-1).to(torch.float32).numpy().copy()
        self._parts.append(part)
        self._size += part.size
        return start

    def numbers(self) -> np.ndarray:
        """All of them."""
        return np.concatenate([np.zeros(0, np.float32), *self._parts])


class _Numbered:
    """Buffers by new numbers, in the order in which they are first spoken of."""

    def __init__(self, lowering: Lowering) -> None:
        self.numbers: dict[int, int] = {}

    def __call__(self, buffer: int) -> int:
        return self.numbers.setdefault(buffer, len(self.numbers))

    def view(self, view: View) -> list[Any]:
        return [self(view.buffer), view.offset, list(view.shape), list(view.strides)]

    def operand(self, operand: Operand) -> list[Any]:
        buffer, offset, strides = operand
        return [self(buffer), offset, list(strides)]

    def step(self, step: Step) -> dict[str, Any]:
        """A kernel as the header has it."""
        if isinstance(step, Map):
            return {
                "op": "map",
                "shape": list(step.shape),
                "in": [self.operand(operand) for operand in step.inputs],
                "numbers": [_number(number) for number in step.numbers],
                "do": [list(instruction) for instruction in step.instructions],
                "out": [[self.operand(operand), value] for operand, value in step.outputs],
            }
        if isinstance(step, Repeat):
            return {
                "op": "repeat",
                "most": step.most,
                "body": [self.step(inner) for inner in step.body],
                "shape": list(step.going.shape),
                "going": self.operand(step.going.operand),
            }
        operands = {name: self.operand(o) for name, o in (step.reads | step.writes).items()}
        settings = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in step.settings.items()
        }
        return {"op": step.op, **settings, **operands}


def _number(value: float) -> Any:
    """A literal as JSON has it, which knows no infinities."""
    if math.isfinite(value):
        return int(value) if value == int(value) and abs(value) < 2**53 else value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _listed(value: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


def _apart(tensor: Tensor) -> Tensor:
    """A copy in memory of its own, which wants a gradient where the tensor does."""
    copy = tensor.detach().clone(memory_format=torch.contiguous_format)
    return copy.requires_grad_(tensor.requires_grad)

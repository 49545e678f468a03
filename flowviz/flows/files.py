"""Flows in files: the weights, and in the header how the flow is made that they belong to."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flowviz import arguments, atomic
from flowviz.flows import catalog
from flowviz.flows.flow import Flow
from flowviz.flows.recipe import Recipe

KEY = "flowviz"
"""Of the recipe in the header."""


def save(flow: Flow, path: str | os.PathLike[str]) -> None:
    """Write a flow of the catalogue to a file, from which :func:`load` makes it again.

    The file is in the safetensors format, which holds no code. Of a standardised flow
    (:meth:`Flow.standardised`) the scales are part of it; of a trainer, ``trainer.averaged`` is
    the flow to keep. A file that was there is replaced once the new one is whole.

    Raises:
        TypeError: ``flow`` is no flow.
        ValueError: it was put together or changed by hand, so that nothing says how to make it
            again; its weights can be kept by way of ``state_dict``.
        OSError: the file cannot be written.
    """
    from safetensors.torch import save as in_bytes

    recipe = _recipe(flow)
    header = json.dumps(
        {**dataclasses.asdict(recipe), "dtype": str(flow.like.dtype).removeprefix("torch.")},
        default=_plain,
    )
    # Clones: two names of one tensor are refused.
    tensors = {k: t.detach().cpu().contiguous().clone() for k, t in flow.state_dict().items()}
    with atomic.replacing(path) as file:
        file.write_bytes(in_bytes(tensors, {KEY: header}))


def load(path: str | os.PathLike[str]) -> Flow:
    """The flow that :func:`save` wrote, on the CPU and in evaluation mode.

    Raises:
        ValueError: the file is damaged, in another format (pickled files can run code and are
            never opened), or was not written by :func:`save`.
        OSError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    source = Path(path)
    with source.open("rb") as file:
        head = file.read(2)
    try:
        with safe_open(str(source), framework="pt") as opened:
            header = (opened.metadata() or {}).get(KEY)
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        if head == b"PK" or head.startswith(b"\x80"):
            raise ValueError(
                f"{source} is a pickled file, which can run code when it is opened: only the "
                "safetensors files of flowviz.flows.save are read"
            ) from None
        raise ValueError(f"{source} is damaged, or no safetensors file: {error}") from error
    if header is None:
        raise ValueError(
            f"{source} does not say what flow its weights are of: flowviz.flows.save did not "
            "write it"
        )
    try:
        return _filled(header, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        words = str(error).splitlines()[-1].strip()
        raise ValueError(f"{source} is not what flowviz.flows.save wrote: {words}") from error


def _recipe(flow: Flow) -> Recipe:
    """How to make the flow again.

    Raises:
        ValueError: that would not make this flow.
    """
    recipe = arguments.instance("flow", flow, Flow).recipe
    hint = "its weights alone can be kept: flow.state_dict()"
    if recipe is None:
        raise ValueError(
            f"the flow was put together by hand: only those of catalog.make can be saved; {hint}"
        )
    if _plan(_made(recipe)) != _plan(flow):
        raise ValueError(f"the flow is no longer what catalog.make({recipe.name!r}) made; {hint}")
    return recipe


def _plan(flow: Flow) -> list[Any]:
    """What a flow consists of, but for the numbers."""
    kinds = [(name, type(module)) for name, module in flow.named_modules()]
    return [*kinds, *((name, tensor.shape) for name, tensor in flow.state_dict().items())]


def _made(recipe: Recipe) -> Flow:
    """A flow of the recipe, its numbers yet to come."""
    # With a seed the global generator stays as it is.
    flow = catalog.make(recipe.name, recipe.dim, recipe.layers, seed=0, **recipe.options)
    if not recipe.data:
        return flow
    sizes = recipe.dim, flow.context
    data, context = ((torch.zeros(n), torch.ones(n)) for n in sizes)
    return flow._standardised(data, context if recipe.context else None)


def _filled(header: str, tensors: dict[str, Tensor]) -> Flow:
    """The flow of a file's header, with the file's numbers."""
    fields = json.loads(header)
    dtype = getattr(torch, fields.pop("dtype"))
    options = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.pop("options").items()
    }
    flow = _made(Recipe(options=options, **fields)).to(dtype)
    flow.load_state_dict(tensors)
    return flow.eval()


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise ValueError(f"an option of the flow cannot be written to a file: {value!r}")

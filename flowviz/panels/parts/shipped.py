"""Weights of the presets, trained beforehand: what a visitor lands on is there at once.

They lie in one file, ``python -m flowviz.panels.pretrain`` makes it, and each set has a key: a
hash of all that it depends on, the start of the flow included. Weights under another key are not
used; the panel then trains.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flowviz.flows import Flow

FILE = Path(__file__).parents[1] / "weights" / "presets.safetensors"

VERSION = 1
"""Counted up where training itself changes, so that weights from before are not used."""


def key(panel: str, settings: Mapping[str, Any], start: Flow) -> str:
    """The name of the weights of a panel in these settings, trained from that flow on."""
    found = hashlib.sha256(json.dumps([VERSION, panel, settings], sort_keys=True).encode())
    for name, tensor in start.state_dict().items():
        found.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return found.hexdigest()[:16]


def load(name: str) -> list[Mapping[str, Any]] | None:
    """The state of each model, in order, or None where there are no weights of that name."""
    found = _index().get(name)
    if found is None:
        return None
    from safetensors import safe_open

    with safe_open(str(FILE), framework="pt") as file:
        return [{name: file.get_tensor(stored) for name, stored in model} for model in found]


@cache
def _index() -> dict[str, list[list[tuple[str, str]]]]:
    """By key, for each model, its parameters' names and what they are called in the file."""
    if not FILE.is_file():
        return {}
    from safetensors import safe_open

    index: dict[str, dict[int, list[tuple[str, str]]]] = {}
    with safe_open(str(FILE), framework="pt") as file:
        for stored in file.keys():  # noqa: SIM118 (it is no mapping)
            name, model, parameter = stored.split("/", 2)
            index.setdefault(name, {}).setdefault(int(model), []).append((parameter, stored))
    return {name: [models[i] for i in sorted(models)] for name, models in index.items()}

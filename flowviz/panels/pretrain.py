"""``python -m flowviz.panels.pretrain``: train the presets' flows and write their weights.

To be run again where a test says that a preset has no weights: after a change of a preset, of a
family's start, or (with ``shipped.VERSION`` counted up) of training itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flowviz import panels
from flowviz.panels.parts import shipped


def presets() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The presets that come trained: their panel, label and settings."""
    for name in panels.names():
        for label, values in panels.entry(name).load().presets:
            if values.get("trained"):
                yield name, label, dict(values)


def train(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The tensors of a preset, by their names in the file."""
    steps = values["trained"]
    panel: Any = panels.make(name, **{**values, "trained": 0})
    trainers = panel.fit.make(None, 0)
    for _ in range(steps):
        for trainer in trainers:
            snapshot = trainer.step()
            if snapshot is None or snapshot.failure:
                raise RuntimeError(f"{name}: {snapshot and snapshot.failure}")
    key = panel.fit.key(steps)
    tensors = {
        f"{key}/{i}/{parameter}": tensor.detach().cpu().contiguous()
        for i, trainer in enumerate(trainers)
        for parameter, tensor in trainer.averaged.state_dict().items()
    }
    panel.close()
    return tensors


def main() -> None:
    """Train all of them, and replace the file."""
    import torch
    from safetensors.torch import save_file

    # As the dashboard's kernels do: sums over threads round otherwise, and over 1,200 steps that
    # decides which modes a reverse run leaves out.
    torch.set_num_threads(1)
    tensors: dict[str, Any] = {}
    for name, label, values in presets():
        started = time.monotonic()
        tensors.update(train(name, values))
        print(f"{name}, {label}: {time.monotonic() - started:.1f} s")
    shipped.FILE.parent.mkdir(exist_ok=True)
    save_file(tensors, str(shipped.FILE))
    print(f"{shipped.FILE}: {shipped.FILE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

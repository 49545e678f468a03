"""Where the numbers are computed: CUDA, then MPS, then the CPU."""

from __future__ import annotations

import os

import torch


def device() -> torch.device:
    """The device that panels and the trainer use by default.

    CUDA where there is one, then MPS, then the CPU; the environment variable
    ``FLOWVIZ_DEVICE`` (``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``) overrides it.

    Raises:
        ValueError: ``FLOWVIZ_DEVICE`` names a device that torch does not know or cannot use.
    """
    wanted = os.environ.get("FLOWVIZ_DEVICE", "").strip()
    if not wanted:
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        chosen = torch.device(wanted)
        if chosen.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError(f"flowviz does not compute on {chosen.type!r}")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"FLOWVIZ_DEVICE={wanted!r} cannot be used here; "
            f"allowed are 'cpu', 'cuda', 'cuda:<index>' and 'mps' where torch offers them"
        ) from error
    return chosen

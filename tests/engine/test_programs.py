"""Programs, played by the page's engine, against PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz.flows import Flow, catalog
from flowviz.flows.programs import passes
from tests.engine.engine_checks import dims_of, random_flow
from tests.engine.programs import by_torch, noise_of, play

POINTS = 50
KINDS = ["forward", "inverse", "descent", passes.REVERSE]
"""The density by itself is what the descent begins with."""
SLACK = 8.0
"""A page's float32 may be so much less exact than PyTorch's, which rounds in another order."""
WITH_PROGRAM = [name for name in catalog.names() if not catalog.entry(name).page]


def density(x: Tensor) -> Tensor:
    """Of a target that is no normal and not normalised."""
    return -0.5 * (x.square().sum(-1) - 1).square() + torch.sin(x[..., 0])


def flow_of(name: str) -> Flow:
    """A random one, its first statistics set."""
    layers = 1 if catalog.entry(name).family == "Continuous time" else 2
    flow = random_flow(name, dims_of(name, 2)[0], scale=0.5, dtype=torch.float32, layers=layers)
    generator = torch.Generator().manual_seed(5)
    flow.train().log_prob(torch.randn(64, flow.dim, generator=generator))
    return flow.eval()


@pytest.mark.parametrize("name", WITH_PROGRAM)
def test_a_page_computes_what_pytorch_does(name: str, tmp_path: Path) -> None:
    flow = flow_of(name)
    z = torch.randn(POINTS, flow.dim, generator=torch.Generator().manual_seed(7))
    jobs, wanted = [], []
    for kind in KINDS:
        log_density = density if kind == passes.REVERSE else None
        program = flow.program(kind, log_density)
        noise = noise_of(program, POINTS, seed=3)
        jobs.append({"program": program, "n": POINTS, "inputs": {"z": z}, "noise": noise})
        torch.manual_seed(3)
        single = by_torch(flow, kind, z, log_density)
        # Draws of another dtype are others: there PyTorch's own float32 is what can be had.
        double = single if noise else by_torch(flow.double(), kind, z, log_density)
        flow.float()
        wanted.append((kind, single, double))
    for (kind, single, double), got in zip(wanted, play(jobs, tmp_path), strict=True):
        assert got.keys() == double.keys()
        for output, exact in double.items():
            for k, (page, torchs, true) in enumerate(
                zip(got[output], single[output], exact, strict=True)
            ):
                # Gradients that nearly vanish are differences of others that do not.
                scale = np.abs(true).max(initial=0) + 1e-2
                error, own = (
                    np.abs(page - true).max(initial=0),
                    np.abs(torchs - true).max(initial=0),
                )
                bar = SLACK * own + (1e-5 if true is not torchs else 1e-4) * scale
                assert error <= bar, f"{kind}: {output} {k} off by {error:.1e}, PyTorch {own:.1e}"

"""Our Adam is torch's Adam."""

from __future__ import annotations

import pytest
import torch

from flowviz.objectives import forward_kl
from flowviz.training import Adam
from tests.engine.engine_checks import points, random_flow


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_fifty_steps_equal_those_of_torch(dtype: torch.dtype) -> None:
    flows = [random_flow("real_nvp", 2, 0.3, dtype=dtype) for _ in range(2)]
    settings = {"betas": (0.8, 0.99), "eps": 1e-7}
    ours = Adam(flows[0].parameters(), 3e-3, **settings)
    theirs = torch.optim.Adam(flows[1].parameters(), 3e-3, **settings)
    for step in range(50):
        x = points(32, 2, seed=step, dtype=dtype)
        for flow, optimizer in zip(flows, (ours, theirs), strict=True):
            optimizer.zero_grad()
            forward_kl(flow, x).value.backward()
            optimizer.step()
    tolerance = 1e-10 if dtype == torch.float64 else 2e-4
    for a, b in zip(*(flow.parameters() for flow in flows), strict=True):
        assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def test_parameters_without_a_gradient_stay() -> None:
    moved, still = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = Adam([moved, still], 0.1)
    moved.sum().backward()
    optimizer.step()
    assert torch.allclose(moved, torch.full((3,), 0.9)) and torch.equal(still, torch.ones(3))
    optimizer.zero_grad()
    assert moved.grad is None
    optimizer.step()
    assert torch.allclose(moved, torch.full((3,), 0.9))


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="nothing to train"):
        Adam([])
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(
            ValueError, match=f"learning rate must be a finite number > 0, got {rate}"
        ):
            Adam([torch.nn.Parameter(torch.ones(1))], rate)
    weights = [torch.nn.Parameter(torch.ones(1))]
    for bad in ((2, 3), (0.9, 1.0), (-0.1, 0.9), (0.9,), 0.9, "ab", (torch.nan, 0.9)):
        with pytest.raises(ValueError, match="betas must be two numbers ≥ 0 and < 1, got"):
            Adam(weights, betas=bad)  # type: ignore[arg-type]
    for eps in (-1, float("nan"), "a"):
        with pytest.raises(ValueError, match=f"eps must be a finite number > 0, got {eps!r}"):
            Adam(weights, eps=eps)  # type: ignore[arg-type]
    for parameters in (3, ["a"], "ab"):
        with pytest.raises(TypeError, match="parameters must be a list of Tensors, got"):
            Adam(parameters)  # type: ignore[arg-type]

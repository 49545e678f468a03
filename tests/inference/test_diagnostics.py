"""ESS, R̂ and k̂ against an independent implementation and against what is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from flowviz.inference import effective_sample_size, pareto_k, r_hat


def autoregressive(phi: float, draws: int, chains: int, seed: int = 0) -> Tensor:
    """x_t = φ x_{t−1} + noise, stationary, ``[S, C, 1]``."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(draws, chains, 1, generator=generator, dtype=torch.float64)
    x = [noise[0]]
    for step in noise[1:]:
        x.append(phi * x[-1] + math.sqrt(1 - phi**2) * step)
    return torch.stack(x)


CHAINS = {
    "independent": autoregressive(0.0, 500, 4),
    "correlated": autoregressive(0.9, 1000, 4),
    "strongly correlated": autoregressive(0.99, 2000, 2),
    "anticorrelated": autoregressive(-0.6, 501, 3),
    "one chain": autoregressive(0.5, 300, 1),
    "apart": autoregressive(0.3, 400, 4) + torch.arange(4.0)[:, None].double(),
    "other scales": autoregressive(0.3, 400, 4) * torch.tensor([1.0, 1, 1, 4])[:, None].double(),
    "ties": autoregressive(0.5, 400, 4).round(),
    "heavy tails": torch.tan(autoregressive(0.5, 400, 4)),
}


@pytest.mark.parametrize("kind", CHAINS)
def test_chains_against_arviz(kind: str) -> None:
    stats = pytest.importorskip("arviz_stats.base").array_stats
    chains = CHAINS[kind]
    array = chains.squeeze(-1).numpy()
    axes = {"chain_axis": 1, "draw_axis": 0}
    expected = float(stats.ess(array, method="bulk", **axes))
    assert float(effective_sample_size(chains)) == pytest.approx(expected, rel=0.02)
    if kind == "one chain":
        return  # That implementation wants two for its R̂; halves of one are compared here.
    expected = float(stats.rhat(array, method="rank", **axes))
    assert float(r_hat(chains)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("freedom", [1.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("n", [100, 1000, 20_000])
def test_pareto_against_arviz(freedom: float, n: int) -> None:
    stats = pytest.importorskip("arviz_stats.base").array_stats
    torch.manual_seed(n)
    # Pareto weights of tail index 1/ν.
    log_weights = -torch.rand(n, dtype=torch.float64).log() / freedom
    # There, the argument is the log-likelihood of a point left out: minus the log-weight.
    _, expected = stats.psislw(-log_weights.numpy())
    assert pareto_k(log_weights) == pytest.approx(float(expected), abs=0.02)
    if n == 20_000:
        assert pareto_k(log_weights) == pytest.approx(1 / freedom, abs=0.2)


def test_what_is_known_of_autoregressive_chains() -> None:
    """The integrated autocorrelation time of φ is (1 + φ)/(1 − φ)."""
    for phi in (0.0, 0.5, 0.9):
        chains = autoregressive(phi, 20_000, 4, seed=1)
        expected = chains.shape[0] * 4 * (1 - phi) / (1 + phi)
        assert float(effective_sample_size(chains)) == pytest.approx(expected, rel=0.15)
        assert float(r_hat(chains)) < 1.01
    assert float(r_hat(CHAINS["apart"])) > 1.5
    assert float(r_hat(CHAINS["other scales"])) > 1.05, "the folded R̂ sees scales"


def test_coordinates_are_judged_one_by_one() -> None:
    both = torch.cat([CHAINS["independent"], CHAINS["apart"][:500].repeat(2, 1, 1)[:500]], -1)
    assert effective_sample_size(both).shape == r_hat(both).shape == (2,)
    assert torch.equal(r_hat(both)[:1], r_hat(CHAINS["independent"]))


def test_edges() -> None:
    constant = torch.ones(100, 2, 1)
    assert effective_sample_size(constant).isnan().all() and r_hat(constant).isnan().all()
    assert pareto_k(torch.zeros(100)) == -math.inf
    one_of_all = torch.cat([torch.full((99,), -math.inf), torch.zeros(1)])
    assert math.isfinite(pareto_k(one_of_all))
    for bad in (torch.zeros(7, 2, 1), torch.zeros(100, 2), torch.zeros(100, 0, 1)):
        for function in (effective_sample_size, r_hat):
            with pytest.raises(ValueError, match=r"\[S, C, D\], S ≥ 8"):
                function(bad)
    with pytest.raises(ValueError, match="N ≥ 25"):
        pareto_k(torch.zeros(24))
    with pytest.raises(ValueError, match="NaN or infinity"):
        pareto_k(torch.full((50,), math.nan))

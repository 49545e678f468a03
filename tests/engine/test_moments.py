"""One rule on what never varies, for all that scales data by its columns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from flowviz.flows import catalog
from flowviz.moments import moments, moments_of_density, standardised
from flowviz.targets import from_points


def columns(roundings: float) -> Tensor:
    """A plain column, and one whose standard deviation is so many roundings of its size."""
    plain = torch.arange(100).double()
    sign = torch.where(torch.arange(100) % 2 == 0, 1.0, -1.0).double()
    return torch.stack([plain, 1024.0 + sign * 1024 * roundings * 2**-52], -1)


def test_what_rounding_makes_of_a_column_is_no_spread() -> None:
    mean, std = moments("x", columns(4))
    assert mean[1] == 1024 and std[1] == 0
    assert standardised("x", columns(4))[:, 1].abs().max() < 1e-11
    with pytest.raises(ValueError, match="column 2 of x is 1024 in every row: it has no density"):
        moments_of_density("x", columns(4))


@pytest.mark.parametrize("roundings", [16, 1000])
def test_all_agree_on_what_varies(roundings: int) -> None:
    """Formerly each had its own idea: 1e-12 of the size for points, 8 roundings for flows."""
    x = columns(roundings)
    expected = (x - x.mean(0)) / x.std(0)
    assert torch.equal(expected, standardised("x", x))
    assert torch.equal(from_points(x, standardise=True).points, expected)
    flow = catalog.make("nice").double()
    log_det = x.std(0).log().sum()
    scaled = flow.standardised(x).log_prob(x)
    assert torch.allclose(scaled, flow.log_prob(expected) - log_det, rtol=1e-9)


def test_the_units_of_single_precision() -> None:
    x = torch.full((50, 1), 1e6) + torch.tensor([[0.0], [0.0625]]).repeat(25, 1)
    assert moments("x", x)[1] == 0 and moments("x", x.double())[1] > 0.03
    assert math.isclose(
        moments("x", 1e30 * torch.tensor([[1.0], [-1.0]]))[1], 2**0.5 * 1e30, rel_tol=1e-6
    )

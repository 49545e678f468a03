"""Warped grids and densities against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from flowviz.flows import Flow, catalog, jacobian
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import PLU, Diagonal
from flowviz.flows.plane import grid_trace, log_density


def test_a_linear_map_scales_every_cell_by_its_determinant():
    flow = catalog.make("plu", seed=0)
    flow.bijections[0].log_diagonal.data = torch.tensor([0.7, -0.2])
    trace = grid_trace(flow, extent=2.0, cells=6)
    assert trace.corners.shape == (2, 7, 7, 2)
    torch.testing.assert_close(trace.logabsdet, torch.full((1, 6, 6), 0.5))
    torch.testing.assert_close(trace.measured()[1], torch.full((6, 6), 0.5))
    torch.testing.assert_close(trace.measured()[0], torch.zeros(6, 6), atol=1e-5, rtol=0)


def test_rows_go_up_in_y():
    scale = Diagonal(2)
    scale.shift.data = torch.tensor([10.0, 20.0])
    trace = grid_trace(Flow(StandardNormal(2), [scale]), extent=1.0, cells=2)
    torch.testing.assert_close(trace.corners[1, 0, 2], torch.tensor([11.0, 19.0]))
    torch.testing.assert_close(trace.corners[1, 2, 0], torch.tensor([9.0, 21.0]))


def test_measured_areas_approach_the_determinant():
    flow = catalog.make("real_nvp", layers=2, seed=1)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(1.5)
    flow.double()
    errors = []
    for cells in (20, 40, 80):
        trace = grid_trace(flow, extent=2.0, cells=cells)
        errors.append(float((trace.measured() - trace.total()).abs().max()))
    # The shoelace area is exact to second order in the cell's side.
    assert errors[1] < errors[0] / 3 and errors[2] < errors[1] / 3
    assert errors[2] < 1e-3


def test_totals_add_up_to_the_log_determinant_of_the_whole_flow():
    flow = catalog.make("rq_spline_coupling", layers=3, seed=2).double()
    trace = grid_trace(flow, extent=1.5, cells=4)
    side = 3.0 / 4
    centre = torch.tensor([-1.5 + 2.5 * side, -1.5 + 0.5 * side], dtype=torch.double)
    exact = torch.linalg.slogdet(jacobian(flow.transform, centre)).logabsdet
    torch.testing.assert_close(trace.total()[-1, 0, 2], exact.detach())


def test_the_density_of_the_identity_is_the_base():
    flow = Flow(StandardNormal(2), [PLU(2)])
    image = log_density(flow, (-1.0, 1.0, -2.0, 2.0), resolution=4)
    corner = -0.5 * (0.75**2 + 1.5**2) - math.log(2 * math.pi)
    assert image.shape == (4, 4)
    assert float(image[0, 0]) == pytest.approx(corner, abs=1e-6)


@pytest.mark.parametrize(("extent", "cells"), [(0.0, 4), (-1.0, 4), (1.0, 0)])
def test_impossible_grids_are_refused(extent, cells):
    with pytest.raises(ValueError, match="extent > 0 and cells ≥ 1"):
        grid_trace(catalog.make("plu"), extent, cells)


def test_a_flow_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="dimension 2, this one has 3"):
        grid_trace(catalog.make("plu", dim=3))

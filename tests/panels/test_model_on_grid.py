"""What is read off a model on the grid."""

from __future__ import annotations

import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import Diagonal
from flowviz.panels.parts import model_on_grid
from flowviz.widgets.readouts import Readout


class Boastful(Flow):
    """Twice as dense as it is."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return super().log_prob(x, context) + torch.log(torch.tensor(2.0))


def test_what_integrates_to_more_than_1_has_no_divergence() -> None:
    grid = model_on_grid.ModelOnGrid(targets.make("two_moons"), model_on_grid.FEW_CELLS)
    readouts = (Readout("KL(p*‖p)"), Readout("KL(p‖p*)"))
    layer = Diagonal(2)
    layer.log_scale.data.fill_(-0.5)
    honest = grid.measure(Flow(StandardNormal(2), [layer]))
    assert honest.no_density == "" and "nats" in model_on_grid.in_words(honest)
    model_on_grid.show(readouts, honest)
    assert "density" not in readouts[0].text
    boastful = grid.measure(Boastful(StandardNormal(2), [layer]))
    said = boastful.no_density
    assert said.startswith(("p is no density: ∫p is 1.9", "p is no density: ∫p is 2.0"))
    model_on_grid.show(readouts, boastful)
    assert [readout.text for readout in readouts] == [said, said]
    assert model_on_grid.in_words(boastful) == said

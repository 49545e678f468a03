"""Weights that come with flowviz: every preset's are there, and anyone gets them by training."""

from __future__ import annotations

import pytest
import torch

from flowviz import panels
from flowviz.panels import pretrain
from flowviz.panels.parts import shipped

TRAINED = list(pretrain.presets())
TOLERANCE = 2e-3
"""On another processor sums round otherwise: a start changed by 1e-6 ends 4e-5 away."""
SMALLEST = next(one for one in TRAINED if one[1] == "Two far modes, small flow")


@pytest.mark.parametrize("name", sorted({name for name, _, _ in TRAINED}))
def test_every_trained_preset_has_its_weights_and_another_state_has_none(name):
    panel = panels.make(name)
    for _, label, values in (one for one in TRAINED if one[0] == name):
        panel.state = {**values, "trained": 0}
        steps = values["trained"]
        assert shipped.load(panel.fit.key(steps)), f"{label}: run python -m flowviz.panels.pretrain"
        assert shipped.load(panel.fit.key(steps + 1)) is None
        panel.update(seed=panel.settings.seed + 1)
        assert shipped.load(panel.fit.key(steps)) is None
    panel.close()


def test_the_file_is_small_and_holds_nothing_else():
    assert shipped.FILE.stat().st_size < 1_500_000
    assert len(shipped._index()) == len(TRAINED)


def test_training_a_preset_anew_gives_its_weights():
    name, _, values = SMALLEST
    tensors = pretrain.train(name, values)
    key = next(iter(tensors)).partition("/")[0]
    models = shipped.load(key)
    assert len(tensors) == sum(len(model) for model in models)
    for index, model in enumerate(models):
        for parameter, weights in model.items():
            torch.testing.assert_close(
                tensors[f"{key}/{index}/{parameter}"], weights, atol=TOLERANCE, rtol=0
            )

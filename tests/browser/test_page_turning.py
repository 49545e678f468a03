"""In a saved page a small layer's numbers have sliders, which its flow's program answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from flowviz import panels
from flowviz.panels.parts.adjust_layer import find
from tests.browser.test_page import OpenPage, opened, states_of


def test_a_turned_number_moves_the_picture_and_training_goes_on_from_it(
    open_page: OpenPage, tmp_path: Path
) -> None:
    panel = panels.make(
        "trajectories",
        flow="planar",
        layers=2,
        adjustments={"2.b": 0.5},
        particles=500,
        trained=0,
        steps=20_000,
    )
    page, requests = opened(open_page, panel.to_html(), tmp_path)
    page.get_by_text("Adjust a layer", exact=True).click()
    menu = page.get_by_role("combobox", name="Adjust a layer")
    assert menu.locator("option").all_inner_texts() == ["1 · planar layer", "2 · planar layer"]
    menu.select_option(index=1)
    slider = page.get_by_role("slider", name="b", exact=True)
    assert slider.input_value() == "0.5"
    slider.fill("-1.2")
    flow = panel.model.flow
    find(flow, "2.b").set(-1.2)
    u = torch.tensor(panel.stage.particles[0].states[0])
    wanted = flow.trace(u).states.detach().reshape(-1, 2).numpy()
    assert np.abs(states_of(page, "particles") - wanted).max() < 1e-4
    page.get_by_role("button", name="One training step").click()
    page.wait_for_function("flowviz.run.get('step') === 1 && !flowviz.run.get('running')")
    assert float(slider.input_value()) == pytest.approx(-1.2, abs=0.02)
    page.click(".fv-run-train")
    page.wait_for_function("flowviz.run.get('step') >= 3")
    assert slider.is_disabled(), "what is trained is not turned meanwhile"
    page.click(".fv-run-train")
    page.wait_for_function("!flowviz.run.get('running')")
    assert slider.is_enabled()
    assert len(requests) == 1, "the page itself"

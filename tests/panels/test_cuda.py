"""Every panel with its flow on an NVIDIA GPU. Skipped without one."""

from __future__ import annotations

import pytest
import torch

from flowviz import panels
from flowviz.flows.recording import WARM_UP

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

SMALL = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64, "steps": WARM_UP + 5}
TRAINED = [n for n in panels.names() if "trained" in panels.entry(n).load().State.fields()]


@pytest.mark.parametrize("name", TRAINED)
def test_panels_draw_and_train_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWVIZ_DEVICE", "cuda")
    panel = panels.make(name, **SMALL)
    try:
        fit = panel.fit
        fit.toggle()
        assert panel.jobs.wait(60)
        assert fit.done == panel.settings.trained == WARM_UP + 5
        assert all(trainer.flow.like.is_cuda for trainer in fit.trainers)
        assert all(flow.like.is_cuda for flow in fit.flows)
        run = panel.screen.run
        assert run.status == "CUDA"
        assert run.moments[0] == 0 and run.moments[-1] == WARM_UP + 5
        assert panel._message.text == ""
        exec(panel.code(), {})
        panel.apply_preset(0)  # the weights that come with flowviz
        assert panel.jobs.wait(60)
        assert panel.header.preset == 0 and panel._message.text == ""
    finally:
        panel.close()

"""Every panel with its flow on an NVIDIA GPU. Skipped without one."""

from __future__ import annotations

import pytest
import torch

from flowviz import panels
from flowviz.flows.recording import WARM_UP

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

SMALL = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64, "steps": 30}


@pytest.mark.parametrize("name", panels.names())
def test_panels_draw_and_train_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWVIZ_DEVICE", "cuda")
    panel = panels.make(name, **SMALL)
    try:
        fit = panel.fit if hasattr(panel, "fit") else panel.model.fit
        fit.train_to(WARM_UP + 5)
        assert panel.jobs.wait(60)
        assert fit.done == WARM_UP + 5
        assert all(trainer.flow.like.is_cuda for trainer in fit.trainers)
        assert "CUDA" in fit._note.text
        assert panel._message.text == ""
        exec(panel.code(), {})
    finally:
        panel.close()

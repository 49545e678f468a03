"""The marked point's sliders, the twin of its handles."""

from __future__ import annotations

import numpy as np
import pytest

from flowviz import panels
from flowviz.widgets.stage import Handles


@pytest.mark.parametrize("name", ["trajectories", "jacobian_volume", "ratio_travels"])
def test_the_point_is_set_by_sliders_that_its_handle_moves(name):
    panel = panels.make(name, flow="dense", layers=1, trained=0)
    assert panel.jobs.wait(60)
    stage = panel.u if name == "ratio_travels" else panel.stage
    across, up = panel.controls["point"].children
    across.value = -0.55
    up.value = 1.25
    assert panel.jobs.wait(60)
    assert panel.settings.point == ((-0.55, 1.25),)
    np.testing.assert_allclose(stage.handles[0].points, [[-0.55, 1.25]], atol=1e-6)

    label = stage.handles[0].labels[0]
    stage.handles = [Handles([[0.75, -0.321]], labels=[label]), *stage.handles[1:]]
    assert panel.jobs.wait(60)
    assert (across.value, up.value) == panel.settings.point[0] == (0.75, -0.321)
    panel.close()

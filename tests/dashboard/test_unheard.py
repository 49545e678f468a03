"""What a panel's widgets say before a page asks for them, and from then on."""

from __future__ import annotations

import comm
import ipywidgets as widgets
import pytest
from ipykernel.comm.comm import BaseComm
from ipykernel.kernelbase import Kernel

from flowviz.dashboard.unheard import unheard


@pytest.fixture
def said(monkeypatch):
    heard = []

    def publish(self, kind, **content):
        heard.append((kind, self.comm_id))

    monkeypatch.setattr(BaseComm, "publish_msg", publish)
    monkeypatch.setattr(Kernel, "initialized", lambda: True)
    monkeypatch.setattr(Kernel, "instance", object)
    return heard


def test_widgets_say_nothing_before_a_page_asks_and_everything_afterwards(said):
    with unheard():
        slider = widgets.IntSlider()
        slider.value = 3
    assert said == []
    slider.value = 4
    assert said == [("comm_msg", slider.model_id)]


def test_a_panel_that_cannot_be_built_leaves_comms_as_they_were(said):
    made = comm.create_comm
    with pytest.raises(ValueError), unheard():
        raise ValueError("not this one")
    assert comm.create_comm is made


def test_a_page_that_has_asked_hears_of_all_that_is_made(said, monkeypatch):
    asks = BaseComm(target_name="jupyter.widget.control", primary=False)
    monkeypatch.setattr(widgets.Widget, "_control_comm", None)
    widgets.Widget.handle_control_comm_opened(asks, {"metadata": {"version": "1.0.0"}})
    asks.handle_close({})  # as a page does once it has been told
    made = comm.create_comm
    with unheard():
        assert comm.create_comm is made

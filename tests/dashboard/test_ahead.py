"""Panels that are made before there is a page, and what it is told when it opens one."""

from __future__ import annotations

import re

import comm
import ipywidgets as widgets
import pytest
from ipykernel.comm.comm import BaseComm
from ipywidgets.widgets.widget import _instances as known

from flowviz import panels
from flowviz.dashboard import Dashboard, ahead


@pytest.fixture
def told(monkeypatch):
    """The widgets that a page is told of, in that order: their names and what it hears of them."""
    heard = {}

    def publish(self, kind, data=None, **content):
        if kind == "comm_open":
            heard[self.comm_id] = data["state"]

    monkeypatch.setattr(BaseComm, "publish_msg", publish)
    monkeypatch.setattr(comm, "create_comm", BaseComm)
    monkeypatch.setattr(ahead, "_made", {})
    return heard


def names_in(state: object) -> set[str]:
    return set(re.findall(r"IPY_MODEL_(\w+)", repr(state)))


@pytest.mark.parametrize("name", panels.names())
def test_nobody_knows_of_a_panel_until_it_is_taken_and_then_its_parts_come_first(told, name):
    before = set(known), set(comm.get_comm_manager().comms)
    ahead.make(name)
    assert (set(known), set(comm.get_comm_manager().comms)) == before
    told.clear()
    panel = ahead.take(name)
    assert panel.name == name and panel.widget.model_id in told
    assert set(told) == set(known) - before[0] == set(comm.get_comm_manager().comms) - before[1]
    heard = set()
    for model, state in told.items():
        assert names_in(state) <= heard, "nothing is made of what the page has not heard of"
        heard.add(model)
    assert panel.widget._repr_mimebundle_() is not None, "it can be displayed"
    panel.close()


def test_a_panel_made_ahead_is_as_it_is_made_anew_and_lives(told):
    ahead.make("limits")
    panel, new = ahead.take("limits"), panels.make("limits")
    assert (panel.state, panel.words(), panel.numbers()) == (new.state, new.words(), new.numbers())
    panel.update(cap=100.0)
    panel.jobs.wait()
    assert panel.words() != new.words()
    assert ahead.take("limits") is None, "two pages do not share it"
    panel.close()
    new.close()


def test_the_dashboard_takes_it_where_the_link_names_no_state(told):
    for name in ("limits", "divergences"):
        ahead.make(name)
    waiting = {name: made.panel for name, made in ahead._made.items()}
    dashboard = Dashboard("panel=limits&token=x")
    dashboard.open("limits")
    dashboard.open("divergences", "divergence=wasserstein")
    assert dashboard.panels["limits"] is waiting["limits"]
    assert dashboard.panel is not waiting["divergences"]
    assert dashboard.panel.settings.divergence == "wasserstein"
    dashboard.close()


def test_widgets_that_are_made_later_are_none_of_its_own(told):
    ahead.make("limits")
    late = widgets.IntSlider()
    assert late.model_id in told and late.comm is not None

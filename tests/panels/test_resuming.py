"""A link that is trained again says so, and while training a link says how far it is."""

from __future__ import annotations

import re
import time

import pytest

from flowviz import panels
from flowviz.panels.parts import fit as fit_module

SMALL = {"target": "two_moons", "flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64}


@pytest.fixture
def make():
    made = []

    def make_(**settings):
        made.append(panels.make("trajectories", **SMALL, **settings))
        return made[-1]

    yield make_
    for panel in made:
        panel.close()


def heard(panel, trait: str) -> list:
    """What the run bar's trait becomes from now on."""
    values: list = []
    panel.show.run.observe(lambda change: values.append(change["new"]), names=[trait])
    return values


def until(true, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_is_trained_again_says_so_with_the_seconds(make):
    panel = make()
    said = heard(panel, "status")
    panel.update(trained=100)
    panel.jobs.wait(60)
    assert said[0].startswith("training 100 steps again")
    assert any(re.match(r"training 100 steps again, about \d+ s · CPU", words) for words in said)
    assert panel.settings.trained == 100 and "again" not in said[-1]


def test_pause_skips_the_rest_of_it_and_train_is_no_repetition(make):
    panel = make(trained=20_000)
    until(lambda: panel.fit.done > 3)
    panel.fit.toggle()
    panel.jobs.wait(60)
    done = panel.fit.done
    assert panel.settings.trained == done < 20_000
    said = heard(panel, "status")
    panel.fit.step_once()
    panel.jobs.wait(60)
    assert panel.fit.done == done + 1
    assert said and not any("again" in words for words in said)


def test_while_training_the_link_says_how_far_it_is(make, monkeypatch):
    monkeypatch.setattr(fit_module, "NOTED", 0.05)
    panel = make(steps=20_000)
    drawn, lit, links = [], [], []
    redraw = panel.redraw
    panel.redraw = lambda: (drawn.append(panel.fit.done), redraw())
    panel.header.observe(lambda change: lit.append(change["new"]), names=["preset"])
    panel.header.observe(lambda change: links.append(change["new"]), names=["query"])
    noted = []
    panel.settings.observe(lambda change: noted.append(change["new"]), names=["trained"])
    picture = panel._draw_later
    asked = []
    monkeypatch.setattr(panel.jobs, "_ask", lambda latest, *_: asked.append(latest))
    panel.fit.toggle()
    until(lambda: len(noted) > 2)
    panel.fit.toggle()
    panel.jobs.wait(60)
    assert noted == sorted(noted) and set(noted[:-1]) <= set(drawn), "what is noted was drawn"
    assert asked and picture not in asked, "a picture is drawn a second time"
    assert all(any(f"trained={step}" in link for link in links) for step in noted)
    assert set(lit) <= {-1}
    again = make(trained=noted[0])
    again.jobs.wait(60)
    assert again.settings.trained == noted[0]


def test_a_link_trained_again_is_as_good_until_it_is_there(make, monkeypatch):
    monkeypatch.setattr(fit_module, "NOTED", 0.0)
    panel = make(trained=20_000)
    until(lambda: panel.fit.done > 50)
    assert "trained=20000" in panel.link()

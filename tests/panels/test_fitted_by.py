"""What a panel fits a flow to samples by: flow matching in continuous time, else the likelihood."""

from __future__ import annotations

import re
from collections.abc import Iterator

import ipywidgets as widgets
import pytest

from flowviz.flows import catalog
from flowviz.panels import Trajectories
from flowviz.panels.parts.fitted_by import EVERY
from flowviz.training.flow_matching import FlowMatching
from flowviz.training.objective import MaximumLikelihood

SMALL = {"target": "two_moons", "hidden": "16,16", "particles": 500, "batch": 256, "trained": 0}


@pytest.fixture
def panel():
    made = Trajectories(flow="cnf", layers=1, **SMALL)
    assert made.jobs.wait(60)
    yield made
    made.close()


def train(panel: Trajectories, steps: int) -> None:
    panel.update(trained=steps)
    assert panel.jobs.wait(60)


def holding(widget: widgets.Widget, child: widgets.Widget) -> Iterator[widgets.Widget]:
    """The boxes that a widget stands in itself."""
    for one in getattr(widget, "children", ()):
        if one is child:
            yield widget
        yield from holding(one, child)


def test_an_ode_is_matched_and_its_likelihood_said_beside(panel):
    train(panel, EVERY + 10)
    trainer = panel.fit.trainers[0]
    assert isinstance(trainer.objective, FlowMatching)
    assert panel.fit.history.losses[-1][0] < panel.fit.history.losses[0][0]
    assert trainer.optimizer.learning_rate == pytest.approx(
        panel.settings.rate * catalog.entry("cnf").pace
    )
    title = panel.model.loss.title
    told = re.fullmatch(
        r"flow matching, squared speed · −log p (\S+) ± \S+ nats at step (\d+)", title
    )
    assert told, title
    target = panel.model.target
    x = target.sample(4000)
    nats = float(-panel.model.flow.log_prob(x).detach().mean())
    assert float(told[1].replace("−", "-")) == pytest.approx(nats, abs=0.25)
    assert EVERY <= int(told[2]) <= panel.fit.done
    assert "flow_matching(target, batch=256)" in panel.code()
    assert "learning_rate=0.015" in panel.code()


def test_the_likelihood_can_be_chosen_and_is_another_fit(panel):
    train(panel, 10)
    panel.settings.objective = "likelihood"
    assert panel.jobs.wait(60)
    assert panel.fit.done == 0 == panel.settings.trained, "the numbers of one are not the other's"
    train(panel, 5)
    assert isinstance(panel.fit.trainers[0].objective, MaximumLikelihood)
    assert panel.model.loss.title == "−log p in nats"
    assert "maximum_likelihood(target, batch=256)" in panel.code()
    panel.settings.batch = 128
    assert isinstance(panel.fit.trainers[0].objective, MaximumLikelihood) and panel.fit.done == 5


def test_where_there_is_no_choice_none_is_offered_or_counts(panel):
    (box,) = holding(panel.widget, panel.controls["objective"])
    assert "fv-not-used" not in box._dom_classes
    assert "objective" in panel.settings.trained_on()
    panel.settings.flow = "real_nvp"
    assert panel.jobs.wait(60)
    assert "fv-not-used" in box._dom_classes
    assert "objective" not in panel.settings.trained_on()
    train(panel, 3)
    assert isinstance(panel.fit.trainers[0].objective, MaximumLikelihood)
    panel.settings.objective = "likelihood"
    assert panel.jobs.wait(60)
    assert panel.fit.done == 3, "it was that already"


def test_a_page_trains_by_what_the_kernel_does(panel):
    sent = panel.model.in_page()
    assert (
        sent["flows"][0]["objective"] == "matching_descent"
        and "matching_descent" in sent["programs"]
    )
    panel.settings.objective = "likelihood"
    sent = panel.model.in_page()
    assert sent["flows"][0]["objective"] == "descent" and "matching_descent" not in sent["programs"]

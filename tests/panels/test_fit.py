"""Training in a panel: what runs, what is shown of it, what is kept and what is forgotten."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from flowviz.flows.programs import numbers
from flowviz.panels import KLComparison, Trajectories
from flowviz.panels.parts import fit as fit_module
from flowviz.panels.parts import shipped
from flowviz.panels.parts.fit import MOMENTS
from flowviz.panels.parts.handover import moments_of
from flowviz.widgets.readouts import format_number
from tests.unpacked import unpacked

SMALL = {"flow": "real_nvp", "layers": 2, "hidden": "16,16", "batch": 64}
ENDLESS = 20_000


@pytest.fixture
def make():
    """``make(**state)``: a small Trajectories; ``make(KLComparison, **state)``: two in lockstep."""
    made = []

    def make_(cls=Trajectories, **state):
        few = {"particles": 500} if cls is Trajectories else {}
        made.append(settle(cls(**{**SMALL, "steps": 10, **few, **state})))
        return made[-1]

    yield make_
    for panel in made:
        panel.close()


def settle(panel):
    assert panel.jobs.wait(60), "the panel did not come to rest"
    return panel


def train(panel):
    panel.fit.toggle()
    return settle(panel)


def running(panel, steps=3):
    """Let it run so far."""
    panel.fit.toggle()
    until(lambda: panel.fit.done >= steps)


def until(so) -> None:
    deadline = time.monotonic() + 20
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def bar(panel):
    return panel.screen.run


def particles(panel) -> np.ndarray:
    return panel.screen.stages[0].particles[0].states.copy()


def film(panel) -> list[int]:
    """The steps of the film, the same on every stage and on the run bar."""
    steps = list(bar(panel).moments)
    for stage in panel.screen.stages:
        assert [moment.step for moment in stage.film] == steps
    return steps


def filmed(panel, at: int) -> np.ndarray:
    """The particles of a moment."""
    marks = panel.screen.stages[0].film[at].marks
    return next(mark for mark in marks if mark.kind == "particles").states


# ---- a run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Trajectories, KLComparison])
def test_a_run_changes_the_picture_and_reset_brings_it_back(make, cls):
    panel = make(cls)
    before = particles(panel)
    assert bar(panel).status == "not trained · CPU" and film(panel) == []
    train(panel)
    assert panel.fit.history.steps == list(range(1, 11))
    assert panel.settings.trained == panel.fit.done == bar(panel).step == bar(panel).steps == 10
    reached = f"loss {format_number(np.mean(panel.fit.history.losses))}"
    reached = reached if cls is Trajectories else "trained"
    assert bar(panel).status == f"{reached} · CPU" and not bar(panel).running
    assert not np.allclose(particles(panel), before, atol=1e-3)
    panel.fit.press_reset()
    assert np.array_equal(particles(panel), before)
    assert panel.settings.trained == panel.fit.done == bar(panel).step == 0
    assert bar(panel).status == "not trained · CPU" and film(panel) == []
    assert panel.fit.history.steps == []
    train(panel)  # the same again
    assert panel.fit.done == 10


def test_what_is_shown_is_the_averaged_flow(make):
    panel = train(make())
    (trainer,) = panel.fit.trainers
    u = torch.from_numpy(particles(panel)[0])
    with torch.no_grad():
        averaged, trained = (f.trace(u).states for f in (trainer.averaged, trainer.flow))
    np.testing.assert_allclose(particles(panel), averaged, atol=1e-6)
    assert not np.allclose(averaged, trained, atol=1e-3)
    both = train(make(KLComparison))
    assert list(both.models.flows) == [trainer.averaged for trainer in both.fit.trainers]


def test_the_first_steps_are_drawn_one_by_one(make, monkeypatch):
    monkeypatch.setattr(fit_module, "FIRST_SECOND", 60.0)
    panel = make(steps=30)
    drawn, said = [], []
    redraw = panel.redraw
    monkeypatch.setattr(panel, "redraw", lambda: (drawn.append(panel.fit.done), redraw()))
    bar(panel).observe(lambda change: said.append(change["new"]), names=["status"])
    train(panel)
    assert drawn[:20] == list(range(1, 21))
    assert drawn[-1] == 30, "and the last one"
    assert said[0] == "preparing · CPU" and "steps/s · CPU" in said[1]


def test_pause_stops_within_a_step_and_a_second_press_queues_nothing(make):
    panel = make(KLComparison, steps=ENDLESS)
    running(panel)
    done = panel.fit.done
    panel.fit.toggle()
    settle(panel)
    assert 3 <= panel.fit.done <= done + 3
    assert [trainer.steps for trainer in panel.fit.trainers] == [panel.fit.done] * 2
    panel.fit.toggle()  # a press, and another before the first is through
    panel.fit.toggle()
    settle(panel)
    assert not panel.jobs.running and bar(panel).status == "paused · CPU"


def test_lockstep_survives_a_pause_and_the_same_seed_gives_the_same_numbers(make):
    panel, whole = make(KLComparison), train(make(KLComparison))
    panel.fit.step_once()
    settle(panel)
    assert [trainer.steps for trainer in panel.fit.trainers] == [1, 1]
    train(panel)
    assert panel.fit.history.losses == whole.fit.history.losses
    assert panel.numbers() == whole.numbers()
    assert np.array_equal(particles(panel), particles(whole))


def test_train_goes_on_after_the_last_step(make):
    panel = train(make())
    trainers, said = panel.fit.trainers, []
    bar(panel).observe(lambda change: said.append(change["new"]), names=["status"])
    train(panel)
    assert said[0] == "going on from step 10 · CPU"
    assert panel.fit.trainers is trainers
    assert panel.fit.done == panel.settings.trained == bar(panel).steps == 20
    panel.fit.press_reset()
    assert (bar(panel).step, bar(panel).steps) == (0, 10)
    train(panel)
    assert panel.fit.done == 10


@pytest.mark.parametrize("cls", [Trajectories, KLComparison])
def test_who_waits_for_the_end_hears_of_it_when_all_else_says_so(make, cls):
    """As a prediction does, whose reason must not stand beside a bar that still runs."""
    panel = make(cls)
    ends = []

    def look(changed):
        if panel.settings.trained == panel.settings.steps:
            ends.append((bar(panel).running, bar(panel).step, bar(panel).status))

    panel.settings.on_change(look)
    train(panel)
    assert ends and all(not runs and step == 10 for runs, step, _ in ends)
    assert all("steps/s" not in status for *_, status in ends)


def test_no_step_is_made_beyond_those_that_a_link_can_say(make, monkeypatch):
    monkeypatch.setattr(Trajectories, "presets", ())
    monkeypatch.setattr(Trajectories.State.trained, "max", 2)
    panel = make()
    for _ in range(3):
        panel.fit.step_once()
        settle(panel)
    assert panel.fit.done == panel.settings.trained == 2
    assert not panel._message.text


def test_a_run_that_fails_says_so_and_can_be_begun_anew(make):
    panel = train(make(KLComparison))

    def broken(flow, generator):
        raise FloatingPointError("the flow yields NaN")

    panel.fit.trainers[1].objective = broken
    panel.update(steps=20)
    train(panel)
    assert "Training stopped at step 11: the flow yields NaN" in panel._message.text
    assert bar(panel).status == "stopped · CPU"
    panel.fit.press_reset()
    train(panel)
    assert panel.fit.done == 20


def test_a_target_without_samples_is_said_and_nothing_runs(make, monkeypatch):
    panel = make()
    monkeypatch.setattr(type(panel.model.target), "has_samples", False)
    train(panel)
    assert "a fit needs samples, and Eight Gaussians has none" in panel._message.text
    assert panel.fit.done == 0 and not bar(panel).running


def test_hidden_training_has_no_buttons_and_a_link_still_trains(make):
    panel = make(hide=["training"], trained=4)
    assert bar(panel).hidden == ["train", "step", "reset"]
    assert panel.fit.done == 4
    panel.update(hide=[])
    assert bar(panel).hidden == []


# ---- what the settings say -----------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Trajectories, KLComparison])
def test_a_link_brings_the_trained_flow_back_and_fewer_steps_begin_anew(make, cls):
    panel = train(make(cls))
    again = make(cls, seed=11)
    assert again.restore(panel.link()) == []
    settle(again)
    assert again.state == panel.state and again.numbers() == panel.numbers()
    assert np.array_equal(particles(again), particles(panel))
    again.update(trained=4)
    settle(again)
    assert again.fit.done == again.settings.trained == 4
    assert film(again)[-1] == 4


@pytest.mark.parametrize(
    "change", [{"target": "banana"}, {"flow": "maf"}, {"layers": 3}, {"seed": 9}]
)
@pytest.mark.parametrize("cls", [Trajectories, KLComparison])
def test_another_target_or_flow_forgets_the_run_that_it_interrupts(make, cls, change):
    panel = make(cls, steps=ENDLESS)
    running(panel)
    panel.update(**change)
    settle(panel)
    assert not panel.jobs.running and film(panel) == []
    assert panel.fit.done == panel.settings.trained == len(panel.fit.history.steps) == 0
    assert bar(panel).status == "not trained · CPU"
    fresh = make(cls, steps=ENDLESS, **change)
    assert np.array_equal(particles(panel), particles(fresh))
    assert panel.numbers() == fresh.numbers()


def test_a_state_wins_over_the_run_that_it_interrupts(make):
    panel = make(KLComparison, steps=ENDLESS)
    running(panel)
    panel.update(layers=3, trained=5)
    settle(panel)
    assert panel.fit.done == panel.settings.trained == 5
    fresh = make(KLComparison, steps=ENDLESS, layers=3, trained=5)
    assert panel.numbers() == fresh.numbers()


def test_a_preset_wins_over_a_run_whose_last_picture_is_still_being_drawn(make, monkeypatch):
    panel = make(KLComparison, steps=ENDLESS)
    begun, go_on = threading.Event(), threading.Event()
    running(panel)
    redraw = panel.redraw

    def slowly():
        if not begun.is_set() and not panel.fit.running:
            begun.set()
            assert go_on.wait(20)
        redraw()

    monkeypatch.setattr(panel, "redraw", slowly)
    panel.fit.toggle()
    assert begun.wait(20)
    threading.Timer(0.5, go_on.set).start()
    panel.apply_preset(1)
    settle(panel)
    assert panel.settings.trained == panel.fit.done == bar(panel).step == bar(panel).steps == 600
    assert panel.header.preset == 1 and "pretrained" in bar(panel).status


def test_the_bar_does_not_wait_for_the_pictures_of_a_reset(make, monkeypatch):
    panel = train(make(KLComparison))
    redraw, told = panel.redraw, []

    def look():
        told.append((bar(panel).step, bar(panel).status, panel.header.drawing))
        redraw()

    monkeypatch.setattr(panel, "redraw", look)
    panel.fit.press_reset()
    assert told == [(0, "not trained · CPU", True)] and not panel.header.drawing


def test_rate_and_batch_hold_from_the_next_step_on(make):
    panel = train(make())
    (trainer,) = panel.fit.trainers
    panel.update(rate=1e-4, batch=128, steps=20)
    assert panel.fit.trainers == [trainer] and trainer.optimizer.learning_rate == 1e-4
    train(panel)
    assert panel.fit.done == 20


def test_a_preset_is_not_lit_while_it_runs_nor_after(make):
    panel = make(KLComparison)
    panel.apply_preset(1)
    settle(panel)
    assert panel.header.preset == 1 and bar(panel).step == 600
    running(panel, 603)
    until(lambda: panel.header.preset == -1)
    panel.fit.toggle()
    settle(panel)
    assert panel.header.preset == -1
    panel.apply_preset(1)
    settle(panel)
    assert panel.header.preset == 1 and panel.fit.done == 600


# ---- the film ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Trajectories, KLComparison])
def test_the_film_goes_from_the_start_to_now_and_is_thinned_as_it_grows(make, cls):
    panel = make(cls)
    start = particles(panel)
    train(panel)
    assert film(panel) == list(range(11))
    # In half precision.
    np.testing.assert_allclose(filmed(panel, 0), start, atol=1e-5)
    np.testing.assert_allclose(filmed(panel, -1), particles(panel), atol=1e-5)
    panel.update(steps=100)
    train(panel)
    steps = film(panel)
    assert 20 <= len(steps) <= MOMENTS
    assert steps[0] == 0 and steps[-1] == 100
    assert steps == sorted(set(steps))
    np.testing.assert_allclose(filmed(panel, -1), particles(panel), atol=1e-5)


def test_the_film_is_gone_while_it_runs_and_back_at_the_pause(make):
    panel = make(steps=ENDLESS, trained=5)
    assert film(panel) == [0, 5]
    running(panel, 8)
    assert bar(panel).running and film(panel) == []
    panel.fit.toggle()
    settle(panel)
    steps = film(panel)
    assert steps[0] == 0 and steps[-1] == panel.fit.done and len(steps) > 2


def test_a_film_in_the_making_gives_way_to_a_picture_and_is_made_after_it(make, monkeypatch):
    monkeypatch.setattr(fit_module, "REST", 0.05)
    panel = train(make())
    moment, describe, order = panel.fit._moment, panel._describe, []

    def touched(flows):
        if not order:
            panel.settings.point = ((0.5, 0.5),)
        order.append("moment")
        return moment(flows)

    panel.fit._moment = touched
    panel._describe = lambda **_: (order.append("picture"), describe())
    panel.fit.film_again()
    until(lambda: bar(panel).moments == list(range(11)))
    assert order == ["moment", "picture", *["moment"] * 11]


def test_a_film_that_takes_longer_than_the_rest_is_made_once(make, monkeypatch):
    monkeypatch.setattr(fit_module, "REST", 0.2)
    panel = make()
    moment, made = panel.fit._moment, []

    def slow(flows):
        made.append(flows)
        time.sleep(0.05)
        return moment(flows)

    panel.fit._moment = slow
    panel.fit.toggle()
    until(lambda: bar(panel).moments == list(range(11)))
    settle(panel)
    assert len(made) == 11


def test_the_film_follows_what_is_shown_now(make, monkeypatch):
    monkeypatch.setattr(fit_module, "REST", 0.02)
    panel = train(make())
    panel.update(point=[(-1.0, 0.5)], color="radius")
    settle(panel)  # until here, the film may be that of before
    until(lambda: len(bar(panel).moments) == 11)
    settle(panel)
    for index in (0, -1):
        shown = {mark.kind: mark for mark in panel.stage.film[index].marks}
        np.testing.assert_allclose(shown["paths"].states[0], [[-1.0, 0.5]])
        assert shown["particles"].label == "distance of u from 0"
    np.testing.assert_allclose(panel.waterfall.film[-1], panel.waterfall.values, atol=1e-5)
    assert panel.model.loss.moments == film(panel)


# ---- weights that come with flowviz --------------------------------------------------------------


def test_shipped_weights_are_there_at_once_and_training_goes_on_from_them(make):
    panel = KLComparison()
    panel.apply_preset(1)
    assert not panel.jobs.running and panel.fit.done == bar(panel).step == 600
    assert bar(panel).status == "pretrained · CPU"
    stored = shipped.load(panel.fit.key(600))
    for flow, weights in zip(panel.models.flows, stored, strict=True):
        assert all(torch.equal(flow.state_dict()[name], weights[name]) for name in weights)
    settle(panel)
    covered = [model.kls[0] for model in panel.measured]
    panel.update(trained=604)
    settle(panel)
    assert panel.fit.done == panel.settings.trained == 604
    assert panel.fit.history.steps == [601, 602, 603, 604]
    assert film(panel) == [600, 604]
    for was, model in zip(covered, panel.measured, strict=True):
        assert model.kls[0] == pytest.approx(was, rel=0.05), "from there, not from 0"
    assert panel.header.preset == -1
    panel.close()


# ---- numbers turned by hand ----------------------------------------------------------------------


def test_a_number_turned_by_hand_is_turned_where_it_is_shown_and_where_training_goes_on(make):
    panel = make(flow="planar", trained=5)
    (trainer,) = panel.fit.trainers
    flows = trainer.averaged, trainer.flow
    before = [flow.bijections[0].b.item() for flow in flows]
    kept = [flow.bijections[1].b.clone() for flow in flows]
    panel.update(adjustments={"1.b": 0.5})
    settle(panel)
    assert [flow.bijections[0].b.item() for flow in flows] == [0.5, 0.5]
    assert all(torch.equal(f.bijections[1].b, b) for f, b in zip(flows, kept, strict=True))
    assert panel.fit.done == 5, "no training is forgotten"
    panel.update(adjustments={})
    settle(panel)
    assert [flow.bijections[0].b.item() for flow in flows] == before


def test_what_was_turned_before_training_is_undone_in_both_flows(make):
    panel = make(flow="planar", adjustments={"1.b": 1.5}, trained=4)
    (trainer,) = panel.fit.trainers
    start = make(flow="planar").model.flow.bijections[0].b.item()
    assert trainer.flow.bijections[0].b.item() == pytest.approx(1.5, abs=0.2)
    panel.update(adjustments={})
    settle(panel)
    for flow in (trainer.averaged, trainer.flow):
        assert flow.bijections[0].b.item() == start


# ---- a run in the page ---------------------------------------------------------------------------


def told(panel, step=30, running=False, scale=0.5):
    """What a page tells that has trained so far: the losses of the last ten steps."""
    learned = [scale * numbers(flow) for flow in flows_of(panel)]
    losses = np.linspace(3, 2, 10 * len(learned), dtype=np.float32)
    content = {"kind": "trained", "step": step, "running": running, "status": "loss 2.000"}
    return content, [part.astype(np.float32).tobytes() for part in (*learned, losses, losses / 9)]


def flows_of(panel):
    return [panel.model.flow] if isinstance(panel, Trajectories) else list(panel.models.flows)


@pytest.mark.parametrize("cls", [Trajectories, KLComparison])
def test_what_a_page_has_trained_is_gone_on_from(make, cls):
    panel = make(cls, compute="page")
    assert bar(panel).status == "not trained · in this page"
    wanted = [0.5 * numbers(flow) for flow in flows_of(panel)]
    version = panel._beside.version
    panel._beside._hear(None, *told(panel))
    settle(panel)
    for flow, learned in zip(flows_of(panel), wanted, strict=True):
        np.testing.assert_allclose(numbers(flow), learned, atol=1e-6)
    assert panel.settings.trained == panel.fit.done == bar(panel).step == 30
    assert bar(panel).status == "loss 2.000 · in this page"
    assert panel.fit.history.steps == list(range(21, 31))
    assert panel.fit.history.losses[-1][-1] == 2
    assert panel._beside.version == version, "the page has that already"
    panel.update(compute="kernel")
    panel.update(trained=33)
    settle(panel)
    assert panel.fit.done == 33 and panel.fit.history.steps[-1] == 33
    assert panel._beside.version > version and not panel._beside.trains


def test_a_page_and_the_kernel_hand_over_what_training_goes_on_from(make):
    panel = make(KLComparison, trained=5)
    left = panel.fit.moments()
    assert [one["count"] for one in left] == [5, 5]
    content, buffers = told(panel)
    kept = [one[name] for one in left for name in ("weights", "first", "second")]
    panel.update(compute="page")
    panel._beside._hear(None, {**content, "counts": [30, 30]}, [*buffers, *kept])
    settle(panel)
    assert not panel._message.text
    for trainer, one, shown in zip(panel.fit.trainers, left, panel.models.flows, strict=True):
        assert trainer.flow is not shown and trainer.steps == 30
        now = moments_of(trainer)
        assert now.count == 30 and {**now.in_page(), "count": 5} == one
    bad = [*buffers, *kept[:2], np.float32([-1]).tobytes(), *kept[3:]]
    panel._beside._hear(None, {**content, "step": 40, "counts": [40, 40]}, bad)
    assert panel._message.text and panel.fit.done == 30


def test_what_a_page_tells_amiss_changes_nothing_and_is_said(make):
    panel = make(compute="page")
    before = numbers(panel.model.flow)
    content, buffers = told(panel)
    for bad, parts in (
        ({"kind": "trained"}, buffers),
        (content, buffers[1:]),
        (content, [buffers[0][:-4], *buffers[1:]]),
        (content, [buffers[0], buffers[0], *buffers[1:]]),
        ({**content, "step": 3}, buffers),
        ({**content, "step": 10**9}, buffers),
        ({**content, "step": "<b>"}, buffers),
        (content, [np.full(len(before), np.nan, np.float32).tobytes(), *buffers[1:]]),
        (content, [b"x", *buffers[1:]]),
    ):
        panel.message("")
        panel._beside._hear(None, bad, parts)
        assert panel._message.text, bad
        assert panel.fit.done == 0 and np.array_equal(numbers(panel.model.flow), before)


def test_a_page_is_given_the_flow_and_told_where_it_cannot_train(make, monkeypatch):
    panel = make(flow="planar")
    sent = []
    monkeypatch.setattr(panel._beside, "send", lambda *parts: sent.append(parts))
    panel._beside._hear(None, {"kind": "flows", "training": False, "code": True}, None)
    answer, (live,) = sent[-1]
    live = unpacked(live)
    assert "export default" in answer["code"] and set(live["programs"]) == {
        "forward",
        "inverse",
    }
    (key, at), *_ = live["flows"][0]["turned"].items()
    scalar = panel.model._adjust._scalars[0]
    assert numbers(panel.model.flow)[at] == pytest.approx(scalar.get()) and key.startswith("slider")
    panel._beside._hear(None, {"kind": "flows", "training": True}, None)
    assert {"target", "training"} < set(unpacked(sent[-1][1][0]))
    panel.update(flow="contractive_roulette")
    settle(panel)
    panel._beside._hear(None, {"kind": "flows", "training": False}, None)
    assert sent[-1][1] == [] and not panel._message.text
    panel._beside._hear(None, {"kind": "flows", "training": True}, None)
    assert "so the kernel does" in panel._message.text

"""Predictions: a choice, a number, a drawing; committed first, the reason after the experiment."""

from __future__ import annotations

import numpy as np
import pytest

from flowviz.exercises import predict, predict_drawing, predict_number
from flowviz.exercises.drawing import total_variation
from flowviz.panels.parts.fit import FitState
from flowviz.widgets.state import Integer

# ------------------------------------------------------------------ a choice, and what all share


def ask():
    return predict("Which?", ["a", "b", "c"], "b", "because")


def test_the_answer_is_not_on_the_page_before_the_commitment():
    asked = ask()
    state = asked.get_state()
    assert state["answer"] == -1 and state["why"] == "" and state["verdict"] == ""


@pytest.mark.parametrize("option, verdict", [("b", "right"), ("c", "wrong")])
def test_a_commitment_reveals_the_reason_and_stays(option, verdict):
    asked = ask()
    asked.commit(option)
    assert (asked.verdict, asked.answer, asked.why) == (verdict, 1, "because")
    chosen = asked.chosen
    asked.chosen = 0
    asked.committed = False
    assert (asked.chosen, asked.committed, asked.verdict) == (chosen, True, verdict)
    with pytest.raises(ValueError, match="committed already"):
        asked.commit("a")


def test_nothing_is_committed_without_a_choice():
    asked = ask()
    asked.committed = True
    assert not asked.committed and asked.why == ""
    asked.chosen, asked.committed = 7, True
    assert not asked.committed and asked.why == ""


class Lab:
    """A panel as far as a prediction knows one: settings that change."""

    class State(FitState):
        steps = Integer(100, 1, 1000)

    def __init__(self):
        self.settings = self.State()


def test_the_reason_waits_for_the_experiment():
    asked = predict("Which one?", ["a", "b", "c"], "b", "because", experiment="Press Train.")
    panel = Lab()
    assert asked.tried_in(panel) is panel
    asked.commit("b")
    assert asked.committed and (asked.verdict, asked.answer, asked.why) == ("", -1, "")
    panel.settings.update({"trained": 99})
    assert asked.verdict == ""
    panel.settings.update({"trained": 100})
    assert (asked.verdict, asked.answer, asked.why) == ("right", 1, "because")


def test_an_experiment_before_the_commitment_gives_nothing_away():
    asked = predict("Which one?", ["a", "b"], "b", "because", experiment="Move it.")
    panel = asked.tried_in(Lab(), lambda settings: settings.steps != 100)
    panel.settings.update({"trained": 100})
    assert not asked.tried
    panel.settings.update({"steps": 200})
    assert asked.tried and asked.why == "" and asked.verdict == ""
    asked.commit("a")
    assert (asked.verdict, asked.why) == ("wrong", "because")


def test_a_question_asked_again_in_another_run_hears_of_the_experiment():
    first, again = (predict("Twice?", ["a", "b"], "b", "", experiment="Try.") for _ in range(2))
    panel = first.tried_in(Lab())
    again.commit("b")
    panel.settings.update({"trained": 100})
    assert again.verdict == "right"


def test_a_page_that_was_loaded_again_brings_the_answer_back():
    asked = predict("Which one?", ["a", "b"], "b", "because", experiment="Press Train.")
    asked.set_state({"chosen": 1, "committed": True, "tried": True})
    assert (asked.verdict, asked.why) == ("right", "because")
    asked.ask_again()
    assert not asked.committed and (asked.chosen, asked.verdict, asked.why) == (-1, "", "")
    asked.commit("a")
    assert asked.verdict == "", "the experiment is to be made again"


def test_a_predictions_text_is_the_question_and_the_options():
    data, _ = ask()._repr_mimebundle_()
    assert data["text/plain"] == "Which?\n○ a\n○ b\n○ c"
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.mark.parametrize(
    "options, answer, complaint",
    [
        (["a"], "a", "two or more"),
        ("ab", "a", "two or more"),
        (["a", "a"], "a", "different"),
        (["a", "b"], "c", "'c' is not among the options"),
    ],
)
def test_an_impossible_question_is_refused(options, answer, complaint):
    with pytest.raises(ValueError, match=complaint):
        predict("?", options, answer, "")


# ------------------------------------------------------------------ a number


def ask_number(**options):
    return predict_number(
        "How much?",
        1.386,
        0.02,
        "because",
        slips={0.0: "That is at u.", -1.386: "The sign."},
        **options,
    )


@pytest.mark.parametrize(
    "said, verdict, heading, why",
    [
        ("1,39", "right", "You predicted it: 1.39 nats.", "because"),
        ("4,17/3", "right", "You predicted it: 1.39 nats.", "because"),
        (1.4, "right", "You predicted it: 1.39 nats.", "because"),
        ("0", "wrong", "You said 0 nats; it is 1.39 nats.", "That is at u.\nbecause"),
        ("−1.386", "wrong", "You said −1.39 nats; it is 1.39 nats.", "The sign.\nbecause"),
        ("2", "wrong", "You said 2.00 nats; it is 1.39 nats.", "because"),
    ],
)
def test_a_number_is_compared_and_its_mistake_named(said, verdict, heading, why):
    asked = ask_number(unit="nats")
    asked.commit(said)
    assert (asked.verdict, asked.heading, asked.why) == (verdict, heading, why)


@pytest.mark.parametrize("said", ["", "much", "inf", "nan", "1 2", "1/0", "1/2/3", "/2"])
def test_what_is_no_number_is_not_committed(said):
    asked = ask_number()
    asked.set_state({"text": said, "committed": True})
    assert not asked.committed and asked.verdict == ""


def test_the_number_stays_hidden_and_the_commitment_fixed_until_the_experiment_is_made():
    asked = ask_number(experiment="Press Train.")
    panel = asked.tried_in(Lab())
    asked.commit("0")
    asked.text = "1.386"
    assert asked.text == "0" and asked.why == asked.heading == ""
    panel.settings.update({"trained": 100})
    assert asked.verdict == "wrong"
    asked.ask_again()
    assert (asked.text, asked.committed, asked.heading) == ("", False, "")


def test_a_number_that_the_page_kept_comes_back():
    asked = ask_number(experiment="Press Train.")
    asked.set_state({"text": "1.386", "committed": True, "tried": True})
    assert asked.verdict == "right"
    assert asked._repr_mimebundle_()[0]["text/plain"] == "How much?\n○ a number"


def test_an_impossible_number_is_refused():
    with pytest.raises(ValueError, match="must be positive"):
        predict_number("?", 1.0, 0.0, "")
    with pytest.raises(ValueError, match=r"the slip 1.01 is within 0.1 of the answer"):
        predict_number("?", 1.0, 0.1, "", slips={1.01: "no"})


# ------------------------------------------------------------------ a drawing


def normal(centre, n=4000, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2)) + centre


def ask_drawing(**options):
    return predict_drawing(
        "Where?",
        normal((1.5, 0)),
        "because",
        slips=[(normal((-1.5, 0)), "The wrong side.")],
        **options,
    )


def test_the_total_variation_is_the_distance_of_the_shares():
    window = (0.0, 2.0, 0.0, 1.0)
    left, right = np.array([[0.5, 0.5]]), np.array([[1.5, 0.5]])
    both, outside = np.concatenate([left, right]), np.array([[9.0, 9.0]])
    cases = [(left, left, 0), (left, right, 1), (left, both, 0.5), (left, outside, 1)]
    for a, b, wanted in [*cases, (outside, outside, 0)]:
        assert total_variation(a, b, window, cells=2) == pytest.approx(wanted)
        assert total_variation(b, a, window, cells=2) == pytest.approx(wanted)
    # Two Gaussians at a distance d have the total variation 2 Φ(d/2) − 1: here 0.383 for d = 1.
    a, b = normal((-0.5, 0), 100_000), normal((0.5, 0), 100_000, seed=1)
    measured = total_variation(a, b, (-5.0, 5.0, -5.0, 5.0), cells=20)
    assert measured == pytest.approx(0.383, abs=0.02)


def test_a_drawing_is_scored_and_the_truth_laid_over_it():
    asked = ask_drawing()
    assert asked.drawing == "points" and not asked.particles
    asked.commit(normal((1.5, 0.3), 300, seed=1))
    distance = total_variation(asked.drawn, normal((1.5, 0)), asked.window)
    assert asked.verdict == "right" and 0.1 < distance < 0.3
    assert asked.heading.startswith("Close: the total variation") and f"{distance:.2f}" in (
        asked.heading
    )
    assert asked.drawing == "off" and len(asked.drawn) == 300
    assert asked.particles[0].states.shape == (1, 4000, 2)


@pytest.mark.parametrize(
    "centre, heading, why",
    [
        ((-1.5, 0.2), "Elsewhere", "The wrong side.\nbecause"),
        ((0.1, 1), "In part", "because"),
        ((-2, -3), "Elsewhere", "because"),
    ],
)
def test_a_wrong_drawing_is_told_apart(centre, heading, why):
    asked = ask_drawing()
    asked.commit(normal(centre, 300, seed=2))
    assert asked.verdict == "wrong" and asked.heading.startswith(heading) and asked.why == why


def test_an_even_disc_where_there_is_a_gaussian_is_right():
    way = np.random.default_rng(3)
    radius, angle = 2 * np.sqrt(way.random(500)), 2 * np.pi * way.random(500)
    disc = np.stack([1.5 + radius * np.cos(angle), radius * np.sin(angle)], 1)
    asked = ask_drawing()
    asked.commit(disc)
    assert asked.verdict == "right", asked.heading


def test_a_drawing_waits_for_the_experiment_and_may_be_asked_for_again():
    asked = ask_drawing(experiment="Press Train.")
    asked.committed = True
    assert not asked.committed, "nothing is drawn"
    asked.commit(normal((1.5, 0), 100))
    asked.drawn = np.zeros((50, 2))
    assert len(asked.drawn) == 100 and asked.verdict == "" and not asked.particles
    asked.tried = True
    assert asked.verdict == "right" and asked.particles
    asked.ask_again()
    assert len(asked.drawn) == 0 and asked.drawing == "points" and not asked.particles
    assert not asked.committed and asked.why == ""


def test_the_samples_are_not_on_the_page_before_the_commitment():
    state = ask_drawing().get_state()
    assert not state["particles"] and state["why"] == "" and state["drawing"] == "points"


def test_a_drawing_that_the_page_kept_comes_back():
    asked = ask_drawing(experiment="Press Train.")
    points = normal((1.5, 0), 200).astype(np.float32)
    asked.set_state({"drawn": memoryview(points.tobytes()), "committed": True, "tried": True})
    assert asked.verdict == "right" and len(asked.drawn) == 200


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"samples": np.zeros((40, 3))}, "samples must be 20 points or more"),
        ({"samples": np.zeros((4, 2))}, "samples must be 20 points or more"),
        ({"tolerance": 1.0}, "between 0 and 1"),
        ({"slips": [(normal((1.5, 0.1)), "hm")]}, "the slip 'hm' is within 0.45"),
    ],
)
def test_an_impossible_drawing_is_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        predict_drawing("?", why="", **{"samples": normal((1.5, 0)), **options})

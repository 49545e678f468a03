"""Checks where a page has no cell to write in, checks for graders, and how much is answered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flowviz.exercises import answered, check, grade, predict, progress
from flowviz.exercises.fields import Fields
from flowviz.exercises.grading import NotRight
from flowviz.exercises.registry import Entry, _judge
from flowviz.exercises.submission import read_choice
from tests.exercises.test_kl import forward_by_parts

# ------------------------------------------------------------------ a page without cells


def answers(*texts: str) -> str:
    fields = check("best_gaussian", (..., ...)).fields
    fields.texts = list(texts)
    return fields.answer


def test_on_a_page_numbers_have_fields_and_programmes_a_place(monkeypatch):
    assert check("best_gaussian", (..., ...)).fields is None
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    asked = check("best_gaussian", (..., ...))
    assert asked.verdict == "open" and asked.fields.labels == ["mean", "standard deviation"]
    assert "application/vnd.jupyter.widget-view+json" in asked._repr_mimebundle_()[0]
    assert "Not answered yet" in asked.fields.answer
    assert "Right" in answers("−1", "1,803") and "Right" in answers("-1.000", " 1.803 ")
    assert "is the variance" in answers("-1", "3.25")
    assert "“√3” is no number" in answers("-1", "√3")
    assert "Not answered yet" in answers("-1", "")
    assert "<b>" not in answers("<b>", "1")
    programme = check("forward_kl", None)
    assert programme.verdict == "open" and "flowviz --lab" in programme.reason
    assert check("forward_kl", forward_by_parts).passed


def trap(submission: object) -> str:
    """A judge of a choice."""
    from flowviz.exercises.result import Wrong

    if read_choice(submission, ("yes", "no")) == "yes":
        raise Wrong("a density may exceed 1.")
    return "so it is."


def test_a_choice_has_radio_buttons_on_a_page():
    entry = Entry("trap", "A trap", f"{__name__}:trap", options=("yes", "no"))
    fields = Fields("trap", (), entry.options, lambda given: _judge(entry, given))
    assert "choose one of the options" in fields.answer and fields.options == ["yes", "no"]
    for text, words in (("yes", "may exceed 1"), ("no", "so it is"), ("perhaps", "none of them")):
        fields.texts = [text]
        assert words in fields.answer
    assert _judge(entry, " No ").passed and _judge(entry, None).verdict == "open"
    assert "“yes”, “no”" in _judge(entry, 3).reason


# ------------------------------------------------------------------ graders


def test_a_grader_gets_a_failure_for_all_that_is_not_right(capsys):
    assert grade("best_gaussian", (-1, 3.25**0.5)) is None
    assert "✓" in capsys.readouterr().out
    for submission, words in (((-1, 3.25), "is the variance"), (None, "Not answered yet")):
        with pytest.raises(NotRight, match=words) as failed:
            grade("best_gaussian", submission)
        assert failed.value._render_traceback_() == [str(failed.value)]
    with pytest.raises(ValueError, match="there is no exercise 'gaussian'"):
        grade("gaussian", None)


# ------------------------------------------------------------------ how much is answered


@pytest.fixture
def nothing_answered(monkeypatch):
    monkeypatch.setattr(answered, "_line", None)
    monkeypatch.setattr(answered, "_answered", [])


@pytest.mark.usefixtures("nothing_answered")
def test_the_line_knows_what_a_page_has_no_cell_for(monkeypatch):
    line = progress("One lesson", 7)
    check("forward_kl", None)
    assert line.elsewhere == [], "here is a cell"
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    for _ in range(2):
        check("forward_kl", None)
    check("best_gaussian", None)
    assert line.elsewhere == ["check forward_kl"]


@pytest.mark.usefixtures("nothing_answered")
def test_the_line_counts_predictions_and_tasks_and_forgets_what_is_asked_again():
    line = progress("One lesson", 7)
    assert line.answered == [] and "0 of 7 answered" in line._repr_mimebundle_()[0]["text/plain"]
    asked = predict("Counted?", ["a", "b"], "a", "")
    asked.commit("b")
    check("best_gaussian", (-1, 3.25))
    assert line.answered == ["predict Counted?"]
    for _ in range(2):
        check("best_gaussian", (-1, 3.25**0.5))
    assert line.answered == ["predict Counted?", "check best_gaussian"]
    check("best_gaussian", (-1, 3.25))  # a done task stays done
    again = progress("One lesson", 7)  # the cell is run again
    assert again.answered == line.answered
    asked.ask_again()
    assert again.answered == ["check best_gaussian"] and again.forgotten == ["predict Counted?"]
    asked.commit("a")
    assert again.forgotten == [] and len(again.answered) == 2
    assert progress("Another lesson", 5).answered == []


@pytest.mark.usefixtures("nothing_answered")
def test_answers_count_before_there_is_a_line():
    answered.add("check a")
    answered.remove("check b")
    assert progress("A lesson", 3).answered == ["check a"]


def test_importing_exercises_does_not_load_torch():
    code = "import sys, flowviz.exercises; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"

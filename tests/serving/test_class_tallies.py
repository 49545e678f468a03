"""What the answers of a class come to, how long they are held, and the file that keeps them."""

from __future__ import annotations

import sqlite3

import pytest

from flowviz import panels
from flowviz.serving import paths
from flowviz.serving.classroom import memory
from flowviz.serving.classroom.archive import Archive
from flowviz.serving.classroom.memory import HOUR, Full, Memory
from flowviz.serving.classroom.tallies import CELLS, tally
from flowviz.serving.classroom.tasks import Tasks
from flowviz.serving.questions import Question

CHOICE = Question("choice", "Which?", "", options=("a", "b", "c"), answer="b")
NUMBER = Question("number", "How many?", "", answer=2.0)
DRAWING = Question("drawing", "Where?", "", window=(-1.0, 1.0, -1.0, 1.0))


@pytest.fixture(scope="module")
def tasks() -> Tasks:
    return Tasks()


@pytest.fixture(scope="module")
def choice(tasks) -> str:
    return next(text for text, asked in tasks.questions.items() if asked.kind == "choice")


# ------------------------------------------------------------------ what there is to answer


def test_every_prediction_of_the_lessons_and_every_goal_can_be_answered(tasks):
    asked = sum(
        source.count("predict(")
        + source.count("predict_number(")
        + source.count("predict_drawing(")
        for source in (path.read_text() for path in paths.lessons())
    )
    assert len(tasks.questions) == asked, "one is not read, or two ask the same"
    assert {asked.kind for asked in tasks.questions.values()} == {"choice", "number", "drawing"}
    for panel in tasks.panels:
        goals = panels.entry(panel.name).load().goals
        assert panel.sentences == tuple(goal.sentence for goal in goals)


# ------------------------------------------------------------------ tallies


def counted(question, *answers, with_right=False):
    made = tally(question)
    for answer in answers:
        made.add(made.read(answer))
    return made.shown(with_right)


def test_options_are_counted():
    assert counted(CHOICE, 1, 1, 2) == {"counts": [0, 2, 1]}


def test_a_histogram_has_round_edges_and_keeps_what_is_far_off_at_its_ends():
    shown = counted(NUMBER, *[0.5] * 20, 0.93, 1e6, -1e6)
    edges = [shown["start"] + i * shown["width"] for i in range(len(shown["counts"]) + 1)]
    assert shown["below"] == shown["above"] == 1 and sum(shown["counts"]) == 21
    assert edges[0] <= 0.5 and edges[-1] > 0.93 and len(edges) < 15
    assert shown["width"] in (0.02, 0.05, 0.1)
    assert counted(NUMBER, 0.5)["counts"] == [1]


def test_the_right_number_stretches_the_axis_only_where_it_may_be_seen():
    def reach(shown):
        return shown["start"] + len(shown["counts"]) * shown["width"]

    assert reach(counted(NUMBER, 0.5, 0.6)) < 1
    assert reach(counted(NUMBER, 0.5, 0.6, with_right=True)) >= 2


def test_drawings_are_one_density_each_of_the_same_weight():
    corner = [-0.99, 0.99] * 20
    centre = [0.01, -0.01] * 400
    density = counted(DRAWING, corner, centre)["density"]
    middle = CELLS // 2 * CELLS + CELLS // 2
    assert density[0] == density[middle] == 255, "the longer drawing weighs more"
    assert sum(map(bool, density)) == 2


@pytest.mark.parametrize("question", [CHOICE, NUMBER, DRAWING], ids=lambda asked: asked.kind)
def test_what_is_taken_back_leaves_nothing(question):
    made = tally(question)
    answer = made.read({"choice": 2, "number": 0.1, "drawing": [0.3, 0.2] * 20}[question.kind])
    before = made.shown(False)
    made.add(answer)
    assert made.shown(False) != before
    made.remove(answer)
    assert made.shown(False) == before


@pytest.mark.parametrize(
    ("question", "given", "complaint"),
    [
        (CHOICE, 3, "0 to 2"),
        (CHOICE, -1, "0 to 2"),
        (CHOICE, True, "0 to 2"),
        (CHOICE, 1.0, "0 to 2"),
        (NUMBER, float("inf"), "a number"),
        (NUMBER, float("nan"), "a number"),
        (NUMBER, [1], "a number"),
        (DRAWING, 1, "a list of coordinates"),
        (DRAWING, [0.1] * 39, "20 to 500 points"),
        (DRAWING, [0.1] * 1002, "20 to 500 points"),
        (DRAWING, ["0.1"] * 40, "a list of coordinates"),
        (DRAWING, [5.0] * 40, "outside the picture"),
    ],
)
def test_what_is_no_answer_is_refused_in_words(question, given, complaint):
    with pytest.raises(ValueError, match=complaint):
        tally(question).read(given)


# ------------------------------------------------------------------ memory


def test_a_browser_that_answers_again_replaces_its_answer(tasks, choice):
    held = Memory(tasks)
    held.answer("a", choice, 0, now=0)
    held.answer("b", choice, 0, now=1)
    held.answer("a", choice, 1, now=2)
    assert held.answered(choice) == 2
    assert held.tally(choice).shown(False)["counts"][:2] == [1, 1]
    assert held.reach("a", "limits", 1, now=3) and not held.reach("a", "limits", 1, now=4)
    assert held.reached("limits") == [0, 1, 0] and held.students == 2


def test_after_an_hour_an_answer_is_forgotten(tasks, choice):
    held = Memory(tasks)
    held.answer("a", choice, 0, now=0)
    held.answer("b", choice, 1, now=HOUR / 2)
    held.reach("a", "limits", 0, now=0)
    assert held.forget(HOUR - 1) == (set(), set())
    assert held.forget(HOUR) == ({choice}, {"limits"})
    assert held.tally(choice).shown(False)["counts"][:2] == [0, 1]
    assert held.reached("limits") == [0, 0, 0] and held.students == 1


@pytest.mark.parametrize(
    ("task", "panel", "goal"), [("Who are you?", "limits", 3), ("", "../etc", 0), (None, "", -1)]
)
def test_only_what_is_ours_is_held(tasks, task, panel, goal):
    held = Memory(tasks)
    with pytest.raises(ValueError, match="no lesson asks"):
        held.answer("a", task, 0, now=0)
    with pytest.raises(ValueError, match=r"panel"):
        held.reach("a", panel, goal, now=0)
    assert held.students == 0


def test_a_class_is_bounded(tasks, choice, monkeypatch):
    monkeypatch.setattr(memory, "MOST_STUDENTS", 2)
    held = Memory(tasks)
    held.answer("a", choice, 0, now=0)
    held.reach("b", "limits", 0, now=0)
    with pytest.raises(Full, match="at most 2 students"):
        held.answer("c", choice, 0, now=0)
    held.answer("b", choice, 1, now=0)


# ------------------------------------------------------------------ the file


def test_what_is_kept_is_there_again_and_holds_no_browsers_name(tasks, choice, tmp_path):
    file = tmp_path / "class.sqlite"
    first = Archive(file, "Flows")
    held = Memory(tasks, first)
    held.answer("a", choice, 0, now=0)
    held.answer("a", choice, 1, now=1)
    held.reach("secret-name", "limits", 2, now=2)
    assert held.forget(10 * HOUR) == (set(), set()), "what is kept is kept"
    first.close()
    assert b"secret-name" not in file.read_bytes()

    again = Memory(tasks, Archive(file, "Flows"))
    assert again.tally(choice).shown(False)["counts"][:2] == [0, 1]
    assert again.reached("limits") == [0, 0, 1]
    again.answer("a", choice, 2, now=3)
    assert again.answered(choice) == 1, "the browser is known again"


def test_answers_to_what_is_asked_no_more_stay_in_the_file(tasks, tmp_path):
    file = Archive(tmp_path / "class.sqlite", "Flows")
    file.answer("a", "An old question?", 0, at=0)
    file.reach("a", "limits", 7, at=0)
    assert Memory(tasks, file).students == 0


def test_a_file_that_is_not_of_this_class_is_refused_in_words(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("my notes " * 1000)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as made:
        made.execute("CREATE TABLE mine (x)")
    Archive(tmp_path / "class.sqlite", "Flows").close()
    for file, name, complaint in (
        (text, "Flows", "is no SQLite file"),
        (other, "Flows", "was not written by flowviz"),
        (tmp_path / "class.sqlite", "Bayes", "of the class 'Flows', not of 'Bayes'"),
    ):
        with pytest.raises(ValueError, match=complaint):
            Archive(file, name)
    for folder in (tmp_path, tmp_path / "none" / "class.sqlite"):
        with pytest.raises(OSError, match="no file in a folder"):
            Archive(folder, "Flows")
    assert text.read_text().startswith("my notes")

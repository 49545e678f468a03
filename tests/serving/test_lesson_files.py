"""The lessons for a class: their cells, and what a grader makes of them."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from flowviz.serving import cli, lesson_files, paths

LESSONS = paths.lessons()


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[bool, Path]:
    """All lessons as they are written with (True) and without (False) solutions."""
    made = {}
    for solutions in (False, True):
        made[solutions] = tmp_path_factory.mktemp("class") / "new" / "folder"
        said: list[str] = []
        written = lesson_files.export(made[solutions], solutions=solutions, say=said.append)
        assert [path.name for path in written] == [path.name for path in LESSONS]
        assert len(said) == len(LESSONS) and all("3 tasks" in line for line in said)
    return made


def cells(path: Path, *, grade: bool) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return [cell for cell in marked if cell.metadata.nbgrader.grade == grade]


@pytest.mark.parametrize("solutions", [False, True])
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_task_cells_carry_nbgraders_metadata(folders, lesson, solutions):
    path = folders[solutions] / lesson.name
    answers, checks = cells(path, grade=False), cells(path, grade=True)
    assert len(answers) == len(checks) == 3
    for answer, check in zip(answers, checks, strict=True):
        name = answer.metadata.nbgrader.grade_id
        assert answer.metadata.nbgrader == {
            "grade": False, "grade_id": name, "locked": False, "schema_version": 3,
            "solution": True, "task": False,
        }  # fmt: skip
        assert check.metadata.nbgrader == {
            "grade": True, "grade_id": f"{name}-check", "locked": True, "points": 1,
            "schema_version": 3, "solution": False, "task": False,
        }  # fmt: skip
        assert re.fullmatch(r"[\w-]+", name)
        assert f'grade("{name}", ' in check.source
        marks = answer.source.count("### BEGIN SOLUTION"), answer.source.count("### END SOLUTION")
        assert marks == ((1, 1) if solutions else (0, 0))
    every = {cell.metadata.nbgrader.grade_id for cell in (*answers, *checks)}
    assert len(every) == 6


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_nothing_of_the_solutions_is_left_where_there_are_none(folders, lesson):
    ours, theirs = (
        "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        for path in (lesson, folders[False] / lesson.name)
    )
    assert "<details>" in ours and "<details>" not in theirs
    solved = "\n".join(cell.source for cell in cells(folders[True] / lesson.name, grade=False))
    lines = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", solved, re.DOTALL)
    for line in "".join(lines).splitlines():
        if not line.strip().startswith("#") and len(line.strip()) > 12:
            assert line not in theirs
    assert theirs.count("check(") == 0 and "from flowviz.exercises import grade" in theirs


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_without_what_nbgrader_takes_out_a_task_says_what_is_to_be_answered(folders, lesson):
    """Between the marks it writes a line that fails, in what it hands to the students."""
    for empty, solved in zip(
        *(cells(folders[with_] / lesson.name, grade=False) for with_ in (False, True)), strict=True
    ):
        left = re.sub(r" *### BEGIN SOLUTION.*### END SOLUTION", "", solved.source, flags=re.DOTALL)
        begun = empty.source.partition(" ...  #" if "def " in empty.source else "\0")[0]
        assert left.rstrip() == begun, "the head, or the options and the answer's name"


def graded(path: Path, *, only_tasks: bool) -> tuple[int, int]:
    """The points that nbgrader would give, and the largest number of them.

    As in its documentation: a graded cell has its points unless there is an error in its outputs,
    and a value in them would be read as points.
    """
    notebook = nbformat.read(path, as_version=4)
    if only_tasks:
        wanted = [cell for cell in notebook.cells if cell.cell_type == "code"]
        notebook.cells = wanted[:1] + [cell for cell in wanted if "nbgrader" in cell.metadata]
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    points = most = 0
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            kinds = [output.output_type for output in cell.outputs]
            assert "execute_result" not in kinds
            assert not any(output.get("name") == "stderr" for output in cell.outputs)
            most += mark.points
            points += 0 if "error" in kinds else mark.points
        elif not mark or mark.solution:
            failed = [o for o in cell.get("outputs", []) if o.output_type == "error"]
            assert not failed, failed
    return points, most


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_headless_a_solved_lesson_has_all_points_and_an_empty_one_none(
    folders, lesson, monkeypatch
):
    monkeypatch.setenv("FLOWVIZ_HEADLESS", "1")
    whole = lesson == LESSONS[0]
    assert graded(folders[True] / lesson.name, only_tasks=not whole) == (3, 3)
    assert graded(folders[False] / lesson.name, only_tasks=True) == (0, 3)


def test_a_wrong_answer_has_no_points_and_says_why(folders, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWVIZ_HEADLESS", "1")
    notebook = nbformat.read(folders[True] / "04_forward_and_reverse_kl.ipynb", as_version=4)
    task = next(cell for cell in notebook.cells if "standard_deviation = " in cell.source)
    task.source = "mean, standard_deviation = -1.0, 3.25"
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    assert graded(tmp_path / "wrong.ipynb", only_tasks=True) == (2, 3)


def test_a_functions_head_stands_before_its_solution_and_the_reason_in_it():
    task = lesson_files.Task(
        "forward_kl",
        "def loss(flow, x): ...  # your code",
        "loss",
        "def loss(flow, x):\n    u, logabsdet = flow.inverse(x)\n    return -logabsdet.mean()",
        "The gradient\nreaches $\\phi$.",
    )
    assert lesson_files._solved(task).splitlines() == [
        "def loss(flow, x):",
        "    ### BEGIN SOLUTION",
        "    # The gradient reaches $\\phi$.",
        "    u, logabsdet = flow.inverse(x)",
        "    return -logabsdet.mean()",
        "    ### END SOLUTION",
    ]


def test_the_command_lists_writes_and_refuses_in_words(tmp_path, capsys):
    assert cli.main(["lessons"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert "04_forward_and_reverse_kl: Forward and reverse KL" in listed
    assert len(listed) == len(LESSONS)

    one = ["lessons", "04_forward_and_reverse_kl", "--export", str(tmp_path / "class")]
    assert cli.main(one) == 0
    assert "Forward and reverse KL, 3 tasks to be solved" in capsys.readouterr().out
    (written,) = (tmp_path / "class").iterdir()
    written.write_text("a student's work")
    for arguments, complaint in (
        (one, "is there already, and nothing is overwritten"),
        (["lessons", "04_kl", "--export", str(tmp_path)], "there is no lesson '04_kl'"),
        (["lessons", "--export", str(written)], "is a file, not a folder"),
        (["lessons", "--solutions"], "say where to: flowviz lessons --export DIR"),
    ):
        assert cli.main(arguments) == 1
        said = capsys.readouterr()
        assert complaint in said.err and said.out == ""
    assert written.read_text() == "a student's work"

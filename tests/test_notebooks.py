"""What is committed of the notebooks. That they run is shown by nbval, in the same pytest run."""

from __future__ import annotations

import ast
import math
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import flowviz
from flowviz import exercises, panels
from flowviz.exercises.registry import options
from flowviz.serving import course, paths

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.name[:2].isdigit()]
CHECKED = "nbval-check-output"
ABSOLUTE = re.compile(r"(?<![\w.:/])/(home|root|work|tmp|usr|opt|Users|var)/|\b[A-Z]:\\\\")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_plain_pytest_command_runs_the_notebooks(pytestconfig):
    options = pytestconfig.option
    assert options.nbval_lax and options.nbval_current_env
    assert options.nbval_cell_timeout <= 120
    assert "notebooks" in pytestconfig.getini("testpaths")
    assert {"dashboard", "index"} < {path.stem for path in NOTEBOOKS} and LESSONS


@each_notebook
def test_only_deterministic_outputs_are_committed(path):
    notebook = read(path)
    assert "widgets" not in notebook.metadata, "saved widget state: a figure leaves 5 MB there"
    assert notebook.metadata.kernelspec.name == "python3"
    assert path.stat().st_size < 100_000
    for cell in code(notebook):
        checked = CHECKED in cell.metadata.get("tags", ())
        assert bool(cell.outputs) == checked, cell.id
        # nbval takes an output without a count for one that nobody produced.
        assert (cell.execution_count is not None) == checked, cell.id
        for output in cell.outputs:
            assert output.output_type == "stream" and output.name == "stdout", cell.id


@each_notebook
def test_no_cell_begins_with_a_remark_for_the_tests(path):
    for cell in code(read(path)):
        assert "nbval" not in cell.source.lower(), cell.id


def test_an_output_that_is_not_what_its_tagged_cell_prints_is_found(tmp_path):
    lesson = read(FOLDER / "04_forward_and_reverse_kl.ipynb")
    lesson.cells = [cell for cell in code(lesson) if cell.id in ("imports", "gaussian-table")]
    nbformat.write(lesson, tmp_path / "true.ipynb")
    output = lesson.cells[1].outputs[0]
    output.text = output.text.replace("15.31", "15.32")
    nbformat.write(lesson, tmp_path / "false.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 3 passed" in done.stdout, done.stdout
    assert "false.ipynb::Cell 1" in done.stdout


@each_notebook
def test_no_absolute_path_is_in_it(path):
    for cell in read(path).cells:
        text = cell.source + "".join(output.get("text", "") for output in cell.get("outputs", []))
        assert not ABSOLUTE.search(text), cell.id


@each_notebook
def test_a_cell_holds_one_panel_at_most(path):
    for cell in code(read(path)):
        assert len(re.findall(r"panels\.\w+\(", cell.source)) <= 1, cell.id


@each_lesson
def test_a_lesson_has_the_form_of_the_course(path):
    notebook = read(path)
    sources = [cell.source for cell in code(notebook)]
    assert sum("import " in source for source in sources) == 1, "one import cell"
    assert "import " in sources[0]
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in ("**Afterwards you can**", "**Try.**", "**Explain.**", "Where this", "References"):
        assert part in words, part
    asked = [name for source in sources for name in re.findall(r"\b(predict\w*)\(", source)]
    assert "predict" in asked and {"predict_number", "predict_drawing"} & {*asked}
    assert sum("check(" in source for source in sources) == 3
    assert words.count("<details>") == words.count("</details>") == 3
    assert notebook.metadata.title == notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    assert notebook.metadata.question.endswith("?")
    told = re.search(r"takes about (\d+ minutes|an hour)", notebook.cells[0].source)[1]
    assert notebook.metadata.minutes == (60 if told == "an hour" else int(told.split()[0]))
    counted = f'progress("{notebook.metadata.title}", total={len(asked) + 3})'
    assert sources[0].endswith(f"\n{counted}"), counted


@each_lesson
def test_a_predictions_answer_is_folded_away_with_its_source(path):
    for cell in code(read(path)):
        if re.search(r"\bpredict\w*\(", cell.source):
            assert cell.metadata.jupyter.source_hidden is True, cell.id


@each_lesson
def test_a_prediction_with_an_experiment_is_answered_by_the_panel_that_follows(path):
    sources = [cell.source for cell in code(read(path))]
    asked = [i for i, source in enumerate(sources) if "experiment=" in source]
    assert asked
    for i in asked:
        name = re.match(r"(\w+) = predict\w*\(", sources[i])
        assert name and sources[i].endswith(f"\n{name[1]}"), "it is displayed"
        assert sources[i + 1].startswith(f"{name[1]}.tried_in(")


PRESSED = {"Play", "Train"}
"""On every run bar; its page writes them."""


def named(words: str) -> set[str]:
    """What a lesson names in italics: what to press, to open or to set."""
    italics = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", re.sub(r"\$[^$]*\$", "", words))
    return {part.strip() for name in italics for part in name.split("→")} - PRESSED


def written(widget: Any) -> str:
    """All that the widgets of a panel have to write, each on a line."""
    traits = [getattr(widget, name) for name in widget.keys]
    mine = "\n".join(map(str, traits))
    return "\n".join([mine, *map(written, getattr(widget, "children", ()))])


@each_lesson
def test_panels_in_a_lesson_are_compact_have_what_it_names_and_land_ready(path):
    """Ready: untrained or on shipped weights."""
    cells = read(path).cells
    for above, cell in pairwise(cells):
        if cell.cell_type != "code":
            continue
        calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
        made = [call for call in calls if ast.unparse(call.func) == "flowviz.panels.make"]
        if not made:
            continue
        panel = eval(ast.unparse(made[0]), {"flowviz": flowviz})
        assert panel.settings.compact, cell.id
        fit = getattr(panel, "fit", None)
        assert fit is None or (fit.settled and fit.done == panel.settings.trained), cell.id
        texts = written(panel.widget)
        assert not {name for name in named(above.source) if name not in texts}, cell.id
        panel.close()


def tasks(path: Path) -> list[tuple[str, str]]:
    """Each task cell's source with the code of the solution that is folded away below it."""
    cells = read(path).cells
    found = []
    for task, below in pairwise(cells):
        if task.cell_type == "code" and "\ncheck(" in task.source:
            solution = re.search(r"<details>.*?```python\n(.*?)```", below.source, re.DOTALL)
            assert solution, f"{task.id}: the solution belongs right below the task"
            found.append((task.source, solution[1]))
    return found


@each_lesson
def test_the_folded_solutions_pass_and_the_empty_tasks_are_open(path):
    for task, solution in tasks(path):
        written, _, call = task.rpartition("\ncheck(")
        for source, verdict in ((written, "open"), (solution, "right")):
            names = {"check": exercises.check, "math": math, "torch": torch}
            exec(source, names)
            result = eval(f"check({call}", names)
            assert result.verdict == verdict, result


@each_lesson
def test_the_options_of_a_task_stand_in_its_cell_and_nowhere_else(path):
    words = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    told = re.sub(r"<details>.*?</details>", "", words, flags=re.DOTALL)
    for task, _ in tasks(path):
        offered = options(re.search(r'check\("(\w+)"', task)[1])
        assert re.findall(r'^# "(.*)"$', task, re.MULTILINE) == list(offered)
        assert not any(f'"{option}"' in told for option in offered), offered


class Listening(NotebookClient):
    """Runs a notebook and notes whether a widget opened a comm."""

    opened = 0

    def handle_comm_msg(self, outs, msg, cell_index):
        self.opened += msg["msg_type"] == "comm_open"
        super().handle_comm_msg(outs, msg, cell_index)


@each_lesson
def test_headless_a_lesson_runs_and_is_graded_without_a_widget(path, monkeypatch):
    monkeypatch.setenv("FLOWVIZ_HEADLESS", "1")
    lesson = read(path)
    answers = dict(tasks(path))
    for cell in code(lesson):
        if cell.source in answers:
            call = cell.source.rpartition("\ncheck(")[2]
            cell.source = f"{answers[cell.source]}\ncheck({call}"
    client = Listening(lesson, timeout=120, kernel_name="python3")
    client.execute()
    bundles = [output.get("data", {}) for cell in code(lesson) for output in cell.outputs]
    assert client.opened == 0
    outputs = [output for cell in code(lesson) for output in cell.outputs]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert not any("widget" in kind for data in bundles for kind in data)
    words = [data.get("text/plain", "") for data in bundles]
    assert sum(text.startswith("✓ ") for text in words) == 3, words
    pictures = [data for data in bundles if "image/png" in data]
    assert len(pictures) == sum("panels.make(" in cell.source for cell in code(lesson))
    assert all(data["text/plain"].strip() for data in pictures)


def test_headless_the_dashboard_is_a_text(monkeypatch):
    monkeypatch.setenv("FLOWVIZ_HEADLESS", "1")
    notebook = read(paths.dashboard())
    client = Listening(notebook, timeout=120, kernel_name="python3")
    client.execute()
    (output,) = code(notebook)[0].outputs
    assert client.opened == 0 and set(output.data) == {"text/plain"}
    assert "Trajectories" in output.data["text/plain"]


def test_the_lessons_use_every_exercise():
    used = {
        name
        for path in LESSONS
        for cell in code(read(path))
        for name in re.findall(r'check\("(\w+)"', cell.source)
    }
    assert used == set(exercises.names())


def test_the_index_lists_every_lesson_and_leads_nowhere_else():
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", read(FOLDER / "index.ipynb").cells[0].source)
    assert {*links} == {path.name for path in LESSONS} | {"dashboard.ipynb"}


def test_the_index_is_the_map_of_what_is_there():
    told = "made by `python -m flowviz.serving.course`, to be run when a lesson or panel is added"
    assert read(FOLDER / "index.ipynb").cells == course.notebook().cells, told
    for path in LESSONS:
        assert read(path).metadata.title == course.LESSONS[int(path.name[:2])]


def test_no_section_of_the_review_is_missing_from_the_map():
    numbers = [section.number for section in course.SECTIONS]
    assert numbers == sorted(numbers)
    wanted = ["1", "2.1", "2.2", "2.3.1", "2.3.2", "2.3.3", "2.3.4", "2.4", "3.1.1", "3.1.2"]
    wanted += ["3.1.3", "3.2", "3.3.1", "3.3.2", "3.4", "4.1", "4.2", "5", "6.1", "6.2"]
    assert {*wanted} <= {*numbers}
    assert {n for section in course.SECTIONS for n in section.lessons} == {*range(1, 21)}
    assert [n for _, lessons in course.WEEKS for n in lessons] == [*range(1, 21)]
    named = {title for section in course.SECTIONS for title in section.panels}
    assert named >= {panels.entry(name).title for name in panels.names()}
    for section in course.SECTIONS:
        assert section.lessons or section.remark


def test_the_server_lists_the_lessons():
    assert [path.name for path in paths.lessons()] == [path.name for path in LESSONS]

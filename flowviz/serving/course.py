"""The course's map, from which ``notebooks/index.ipynb`` is made: section, lesson, panel.

    python -m flowviz.serving.course

writes it anew. A lesson or a panel that is there is linked or named; any other is in italics, which
is said. So the map is true whichever lessons there are; run the line above after one is
added.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowviz import panels
from flowviz.serving import paths


@dataclass(frozen=True)
class Section:
    """A section of Papamakarios et al., JMLR 22(57), 2021, and where it is taught.

    Attributes:
        number: such as "2.3.1".
        title: of the section.
        lessons: their numbers in the course.
        panels: their titles.
        remark: what is said where it has no lesson of its own.
    """

    number: str
    title: str
    lessons: tuple[int, ...] = ()
    panels: tuple[str, ...] = ()
    remark: str = ""


SECTIONS = (
    Section("1", "Introduction", remark="this page"),
    Section(
        "2.1",
        "Definition and basics",
        (1, 2),
        ("Change of variables", "Trajectories", "Jacobian volume"),
    ),
    Section("2.2", "Expressive power", (3,), ("Limits",)),
    Section("2.3.1", "Forward KL and maximum likelihood", (4,), ("Forward and reverse KL",)),
    Section("2.3.2", "Reverse KL", (4,), ("Forward and reverse KL",)),
    Section("2.3.3", "Forward and reverse KL: the duality", (5,), ("The ratio travels",)),
    Section("2.3.4", "Alternative divergences", (5,), ("Divergences",)),
    Section("2.4", "Historical overview", remark="no lesson; see the lessons' references"),
    Section("3", "Finite compositions", (2,), ("Trajectories", "Jacobian volume", "Playground")),
    Section("3.1", "Autoregressive flows", (6,), ("Transformers", "Conditioners")),
    Section("3.1.1", "Implementing the transformer", (6, 7, 8), ("Transformers",)),
    Section("3.1.2", "Implementing the conditioner", (9, 10), ("Conditioners",)),
    Section("3.1.3", "Autoregressive models", (11,), ("Autoregressive models as flows",)),
    Section("3.2", "Linear flows", (12,), ("Linear flows",)),
    Section("3.3.1", "Contractive residual flows", (13,), ("Contractive residual",)),
    Section("3.3.2", "The matrix determinant lemma", (14,), ("Planar, radial, Sylvester",)),
    Section("3.4", "Practical considerations", (15,), ("Normalisation", "Multi-scale")),
    Section("4.1", "Continuous time: definition", (16, 18), ("Trajectories", "Flow matching")),
    Section(
        "4.2",
        "Continuous time: solving and training",
        (16, 17),
        ("Solvers", "Traces and gradients"),
    ),
    Section("5", "Generalizations", remark="not in the course"),
    Section("6.1", "Probabilistic modelling", (19,), ("Density estimation", "Conditional flows")),
    Section("6.2", "Inference", (20,), ("Weights", "Chains", "Posteriors")),
)

LESSONS = {
    1: "A density is mass per length",
    2: "Layers add",
    3: "Everything, except tearing",
    4: "Forward and reverse KL",
    5: "The ratio travels",
    6: "Triangles are free",
    7: "Monotone is enough",
    8: "Splines",
    9: "Masks",
    10: "Coupling",
    11: "An autoregressive model is a flow",
    12: "Linear glue",
    13: "Contract and iterate",
    14: "Small determinants",
    15: "Practicalities",
    16: "Flow in time",
    17: "The adjoint",
    18: "Flow matching",
    19: "Densities of real data",
    20: "Using a flow",
}
"""The titles, those of the lessons to come among them."""

BEFORE = {
    1: "derivatives, integrals",
    2: "lesson 1, Jacobians",
    3: "lesson 1, CDFs",
    4: "the change of variables, expectations, gradients",
    5: "lesson 4",
}
"""Of the lessons that are there: what is to be known before each."""

WEEKS = (
    ("a density, its layers, its limits", (1, 2, 3)),
    ("fitting", (4, 5)),
    ("triangles and what stands in them", (6, 7, 8)),
    ("networks for them", (9, 10, 11, 12)),
    ("residual flows and practice, or continuous time", (13, 14, 15, 16, 17, 18)),
    ("using flows, with a small project on data of one's own", (19, 20)),
)


def index() -> str:
    """The index as Markdown."""
    here = {int(path.name[:2]): path for path in paths.lessons()}
    return "\n".join(
        [
            _HEAD,
            "| lesson | the question that it answers | minutes | before it you should know |",
            "|---|---|--:|---|",
            *(_about(n, here) for n in here),
            "",
            _HOW,
            "## The map",
            "",
            "Section by section of that review. What stands in *italics* is to come.",
            "",
            "| section | lesson | panel |",
            "|---|---|---|",
            *(_row(section, here) for section in SECTIONS),
            "",
            "## A class of 90 minutes",
            "",
            "In *italics* again what is to come; until then the others have its time.",
            "",
            f"1. {_lesson(1, here)}: the prediction and the first panel.",
            f"2. {_lesson(2, here)}: drag a point, read the bars, add them up.",
            f"3. {_lesson(6, here)} and {_lesson(10, here)}, with the race of the panel "
            f"{_panel('Conditioners')}.",
            f"4. {_lesson(4, here)}: both fits of one target, side by side.",
            f"5. The meter of ∫p in the panel {_panel('Solvers')}: a likelihood that is too good "
            "is no density.",
            "6. Exit question: a reverse fit has settled at a divergence of log 2. What may it "
            "have missed, and which number would have told?",
            "",
            "## Six weeks",
            "",
            "In *italics* what is to come.",
            "",
            *(
                f"{week}. {title[0].upper()}{title[1:]}: "
                f"{', '.join(_lesson(n, here) for n in lessons)}."
                for week, (title, lessons) in enumerate(WEEKS, 1)
            ),
        ]
    )


_HEAD = (
    "# Lessons\n\n"
    "Each lesson is a notebook to work through: read, *predict*, *try* in a panel, and solve "
    "tasks that are checked at once. They follow the order of Papamakarios et al.,\n"
    "[*Normalizing flows for probabilistic modeling and inference*]"
    "(https://jmlr.org/papers/v22/19-1028.html) (JMLR 22, 2021).\n"
)

_HOW = (
    "To play without reading, open the [dashboard](dashboard.ipynb). All panels can be used in "
    "any cell: `flowviz.panels.names()` lists them.\n\n"
    "**How to work.** Run the cells from the top (*Run → Run All Cells* does it in one go). Write "
    "your answer in a task's cell in the place of `...` and run it; the check at its end says what "
    "is wrong.\n"
    "Solutions are folded away under each task. The line at a lesson's head says how much of it "
    "is answered; the browser keeps it.\n"
)


def _about(number: int, here: dict[int, Path]) -> str:
    said = paths.about(here[number])
    cells = _lesson(number, here, f"{number} · "), said.question, str(said.minutes), BEFORE[number]
    return f"| {' | '.join(cells)} |"


def _row(section: Section, here: dict[int, Path]) -> str:
    lessons = " · ".join(_lesson(n, here, f"{n} ") for n in section.lessons)
    titles = " · ".join(map(_panel, section.panels))
    return f"| {section.number} {section.title} | {lessons or section.remark} | {titles} |"


def _lesson(number: int, here: dict[int, Path], mark: str = "") -> str:
    title = f"{mark}{LESSONS[number]}"
    return f"[{title}]({here[number].name})" if number in here else f"*{title}*"


def _panel(title: str) -> str:
    there = title in {panels.entry(name).title for name in panels.names()}
    return title if there else f"*{title}*"


def notebook() -> Any:
    """The index as a notebook."""
    import nbformat.v4 as v4

    cell = v4.new_markdown_cell(source=index(), id="index")
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "title": "Lessons"}
    return v4.new_notebook(cells=[cell], metadata=metadata)


if __name__ == "__main__":
    import nbformat

    nbformat.write(notebook(), paths.notebooks() / "index.ipynb")

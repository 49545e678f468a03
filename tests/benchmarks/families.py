"""The README's tables: of families, from the catalogue, and of speed, from the results beside this.

``python tests/benchmarks/families.py`` writes them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from flowviz.flows import catalog

README = Path(__file__).parents[2] / "README.md"
RESULTS = Path(__file__).parent / "README.md"
STEP = "training step"
PAGE = "page"
"""The section of what a page takes."""
SHOWN = (
    "real_nvp",
    "rq_spline_coupling",
    "maf",
    "naf",
    "sos",
    "contractive_roulette",
    "cnf",
)
"""Families whose speed the README shows."""


class Step(NamedTuple):
    """A training step: the fastest other library's ms, flowviz's, and their ratio."""

    theirs: float
    library: str
    ours: float
    ratio: str


def section(text: str, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    return _parts(text, name)[1]


def replaced(text: str, name: str, body: str) -> str:
    """The text with ``body`` there."""
    before, _, after = _parts(text, name)
    return f"{before}\n{body.strip()}\n{after}"


def _parts(text: str, name: str) -> tuple[str, str, str]:
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    first, last = text.index(start) + len(start), text.index(end)
    return text[:first], text[first:last], text[last:]


def rows(text: str) -> list[list[str]]:
    """The cells of the lines of a Markdown table, its head included."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "|---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def steps(results: str, name: str) -> dict[str, Step]:
    """By the family's title, where another library has it."""
    head, *lines = rows(section(results, name))
    found = {}
    for cells in lines:
        ours = float(cells[head.index("flowviz")])
        others = [
            Step(float(cell[1]), library, ours, cell[2])
            for library, text in zip(head, cells, strict=True)
            if (cell := re.fullmatch(r"([\d.]+) \(([\d.]+×)\)", text))
        ]
        if cells[1] == STEP and others:
            found[cells[0]] = min(others)
    return found


def families(results: str) -> str:
    """One line for each family."""
    on_cpu, on_gpu = steps(results, "peers"), steps(results, "cuda")
    lines = [
        "| Family | One layer | Jacobian | Fast directions | Inverse, log-det | Speed | on a GPU |",
        "|---|---|---|---|---|--:|--:|",
    ]
    shown = ""
    for name in catalog.names():
        entry = catalog.entry(name)
        if entry.family != shown:
            shown = entry.family
            lines.append(f"| **{shown}** | | | | | | |")
        # A bar would end the cell.
        equation = entry.equation.replace("|", r"\vert ")
        lines.append(
            f"| {entry.title}<br>`{name}` | ${equation}$ | {entry.jacobian} | "
            f"{entry.directions_in_words()} | {entry.exactness_in_words()} | "
            f"{_times(on_cpu.get(entry.title))} | {_times(on_gpu.get(entry.title))} |"
        )
    return "\n".join(lines)


def speed(results: str) -> str:
    """Some families' training steps, and the race, beside the fastest other library."""
    on_cpu, on_gpu = steps(results, "peers"), steps(results, "cuda")
    lines = [
        "| | flowviz | the fastest other library | | on a GPU |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in SHOWN:
        title = catalog.entry(name).title
        step = on_cpu[title]
        lines.append(
            f"| {title}, a {STEP} | {step.ours:.1f} ms | {step.theirs:.1f} ms ({step.library}) | "
            f"{step.ratio} | {_times(on_gpu.get(title))} |"
        )
    (_, _, *libraries), *races = rows(section(results, "race"))
    for target, cell, *cells in races:
        ours = _seconds(cell)
        theirs, library = min(zip(map(_seconds, cells), libraries, strict=True))
        lines.append(
            f"| {target}, to a KL of 0.02 | {ours:.1f} s | {theirs:.1f} s ({library}) | "
            f"{theirs / ours:.1f}× | |"
        )
    return "\n".join(lines)


def page(results: str) -> str:
    """What a flow takes in a page, and PyTorch on the same machine."""
    _, *families = rows(section(results, PAGE))
    lines = ["| | in the page | PyTorch |", "|---|--:|--:|"]
    for title, points, theirs, steps, their_steps, *_ in families:
        lines.append(f"| {title}, 2,000 points through all layers | {points} ms | {theirs} ms |")
        lines.append(f"| {title}, {STEP}s on 256 samples | {steps}/s | {their_steps}/s |")
    return "\n".join(lines)


def _times(step: Step | None) -> str:
    return "–" if step is None else step.ratio


def _seconds(cell: str) -> float:
    """Of the median race; ∞ where it was given up."""
    found = re.match(r"([\d.]+) s", cell)
    return float(found[1]) if found else float("inf")


def written(readme: str, results: str) -> str:
    """The README with the tables as they must be."""
    readme = replaced(readme, "families", families(results))
    readme = replaced(readme, "speed", speed(results))
    return replaced(readme, PAGE, page(results))


if __name__ == "__main__":
    README.write_text(written(README.read_text(), RESULTS.read_text()))

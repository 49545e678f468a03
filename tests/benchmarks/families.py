"""The README's table of families, from the catalogue and from the peers' table in the README.

``python tests/benchmarks/families.py --write`` replaces it there; without, it is printed.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from flowviz.flows import catalog

README = Path(__file__).parents[2] / "README.md"
MARKS = ("<!-- families -->\n", "<!-- /families -->")


def speeds(readme: str, section: str) -> dict[str, str]:
    """By title: how many times faster a training step is than the fastest peer's."""
    found = {}
    rows = readme.partition(f"<!-- {section} -->")[2].partition(f"<!-- /{section} -->")[0]
    for line in rows.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 3 and cells[1] == "training step":
            ratios = [float(r) for r in re.findall(r"\(([\d.]+)×\)", " ".join(cells[3:]))]
            if ratios:
                found[cells[0]] = f"{min(ratios):.1f}×"
    return found


def table(readme: str) -> str:
    """The table in Markdown."""
    on_cpu, on_gpu = speeds(readme, "peers"), speeds(readme, "cuda")
    lines = [
        "| Family | One layer | Jacobian | Fast directions | Inverse, log-det | Speed | on a GPU |",
        "|---|---|---|---|---|--:|--:|",
    ]
    section = ""
    for name in catalog.names():
        entry = catalog.entry(name)
        if entry.family != section:
            section = entry.family
            lines.append(f"| **{section}** | | | | | | |")
        # A bar would end the cell.
        equation = entry.equation.replace("|", r"\vert ")
        lines.append(
            f"| {entry.title}<br>`{name}` | ${equation}$ | {entry.jacobian} | "
            f"{entry.directions_in_words()} | {entry.exactness_in_words()} | "
            f"{on_cpu.get(entry.title, '–')} | {on_gpu.get(entry.title, '–')} |"
        )
    return "\n".join(lines) + "\n"


def written(readme: str) -> str:
    """The README with the table as it must be."""
    start, end = (readme.index(mark) for mark in MARKS)
    return readme[: start + len(MARKS[0])] + table(readme) + readme[end:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into the README")
    readme = README.read_text()
    if parser.parse_args().write:
        README.write_text(written(readme))
    else:
        print(table(readme))


if __name__ == "__main__":
    main()

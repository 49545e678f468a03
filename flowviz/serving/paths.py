"""Where the notebooks and the page's template are, in a checkout and in an installed package."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from flowviz import atomic

PACKAGE = Path(__file__).resolve().parents[1]
TEMPLATE = PACKAGE / "serving" / "template"
"""Our Voila template: the page around the dashboard and the lessons."""
STYLES = PACKAGE / "widgets"
"""The folder of ``tokens.css``, which the template includes."""
SERVER_CONFIG = PACKAGE / "serving" / "server_config"
"""What a notebook server that shows our pages is configured by: for ``JUPYTER_CONFIG_PATH``."""
LESSONS = Path("flowviz-lessons")
"""The folder of a student's own copies of the lessons, where they work."""

_PACKAGED = PACKAGE / "notebooks"
_CHECKOUT = PACKAGE.parent / "notebooks"


def notebooks() -> Path:
    """The folder of the dashboard and the lessons.

    A wheel carries them inside the package; a source checkout has them beside it.

    Raises:
        FileNotFoundError: neither folder is there, so the installation is incomplete.
    """
    for folder in (_PACKAGED, _CHECKOUT):
        if (folder / "dashboard.ipynb").is_file():
            return folder
    raise FileNotFoundError(
        f"the notebooks are neither in {_PACKAGED} nor in {_CHECKOUT}: install flowviz again"
    )


def dashboard() -> Path:
    """The notebook that ``flowviz`` opens."""
    return notebooks() / "dashboard.ipynb"


def lessons() -> list[Path]:
    """The lesson notebooks, in the course's order."""
    return sorted(notebooks().glob("[0-9][0-9]_*.ipynb"))


def lesson_after(name: str) -> tuple[str, str] | None:
    """The file and the title of the lesson after one, whose file is called ``name`` + ".ipynb"."""
    for before, lesson in pairwise(lessons()):
        if before.stem == name:
            return lesson.name, title(lesson)
    return None


def pages() -> list[Path]:
    """The notebooks that are pages: no other that may lie in the same folder."""
    return [dashboard(), notebooks() / "index.ipynb", *lessons()]


@dataclass(frozen=True)
class About:
    """What a lesson's notebook says of itself.

    Attributes:
        title: its first heading.
        question: that it answers; "" where it does not say.
        minutes: that it takes; 0 where it does not say.
    """

    title: str
    question: str
    minutes: int


def about(notebook: Path) -> About:
    """What a notebook's metadata and its heading say."""
    import nbformat  # heavy, and not for every start

    said = nbformat.read(notebook, as_version=4).metadata
    return About(title(notebook), said.get("question", ""), said.get("minutes", 0))


def title(notebook: Path) -> str:
    """The first heading of a notebook, or its file name."""
    import nbformat  # heavy, and not for every start

    for cell in nbformat.read(notebook, as_version=4).cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return str(line[2:].strip())
    return notebook.stem


def editable_notebooks(target: Path) -> tuple[Path, list[str]]:
    """A folder of notebooks in which a student can write.

    In a source checkout it is the checkout's own; otherwise ``target``, with copies in it.

    Returns:
        The folder, and the names of the files that were copied now.
    """
    source = notebooks()
    return (source, []) if source == _CHECKOUT else (target, copy_notebooks(target))


def copy_notebooks(target: Path) -> list[str]:
    """Copy the notebooks to ``target``; what is there already is a student's work and stays.

    Returns:
        The names of the files that were copied.
    """
    target.mkdir(parents=True, exist_ok=True)
    copied = []
    for notebook in sorted(notebooks().glob("*.ipynb")):
        if not (target / notebook.name).exists():
            _copy(notebook, target / notebook.name)
            copied.append(notebook.name)
    return copied


def _copy(notebook: Path, target: Path) -> None:
    """Copy a notebook; what JupyterLab would write into it at once is in the copy already."""
    # Both are heavy, and only copying needs them.
    import nbformat
    from ipykernel.ipkernel import IPythonKernel

    copy = nbformat.read(notebook, as_version=4)
    copy.metadata.language_info = IPythonKernel.language_info
    with atomic.replacing(target) as file:
        nbformat.write(copy, file)

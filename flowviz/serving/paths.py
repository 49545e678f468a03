"""Where the notebooks and the page's template are, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
TEMPLATE = PACKAGE / "serving" / "template"
"""Our Voila template: the page around the dashboard and the lessons."""
STYLES = PACKAGE / "widgets"
"""The folder of ``tokens.css``, which the template includes."""

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
    nbformat.write(copy, target)

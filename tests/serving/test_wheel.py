"""An installed wheel holds all that ``flowviz`` needs, and runs anywhere."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tests.serving.test_pages import fetch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip('building the wheel needs hatchling: pip install -e ".[test]" brings it')
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder with the wheel in it, to be put before the checkout on the path."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True)
    return target


def test_it_holds_notebooks_scripts_styles_and_templates(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        assert f"flowviz/notebooks/{path.name}" in names
    for suffix in ("*.js", "*.css", "*.j2", "*.html", "*.json", "*.template"):
        for path in sorted((ROOT / "flowviz").rglob(suffix)):
            assert path.relative_to(ROOT).as_posix() in names
    shared = {name.partition("/data/")[2] for name in names if "/data/" in name}
    for name in ("index.html.j2", "conf.json", "page.js", "head.html", "page.css", "tokens.css"):
        assert f"share/jupyter/voila/templates/flowviz/{name}" in shared
    for name in ("package.json", "patience.js"):
        assert f"share/jupyter/labextensions/flowviz/{name}" in shared
    for name in ("jupyter_server_config.py", "voila.py"):
        assert f"flowviz/serving/server_config/{name}" in names
    assert not any(name.startswith("tests/") for name in names)


def test_it_has_the_command(installed):
    (scripts,) = installed.glob("flowviz-*.dist-info/entry_points.txt")
    assert "flowviz = flowviz.serving.cli:main" in scripts.read_text()


def test_the_installed_dashboard_runs(installed, start_flowviz):
    server = start_flowviz(env={"PYTHONPATH": str(installed)})
    reply = fetch(server.url)
    assert reply.status == 200
    assert "vnd.jupyter.widget-view+json" in reply.text, server.log()


def test_the_installed_lessons_are_copied_to_where_one_can_write(
    installed, start_flowviz, tmp_path
):
    server = start_flowviz("--lab", env={"PYTHONPATH": str(installed)})
    copied = tmp_path / "flowviz-lessons" / "dashboard.ipynb"
    ours = ROOT / "notebooks" / "dashboard.ipynb"
    assert nbformat.read(copied, 4).cells == nbformat.read(ours, 4).cells
    assert f"notebooks to {copied.parent}" in server.log()

"""What stands outside the package: Binder's files, the README's commands, the CI script."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from flowviz.serving import hosted

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_parse_and_may_be_run(script):
    path = ROOT / script
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert path.stat().st_mode & 0o111
    assert re.search(r"^set -eu", path.read_text(), re.MULTILINE)


def test_binder_ends_in_the_command_it_was_given():
    assert (ROOT / "binder/start").read_text().rstrip().endswith('exec "$@"')


def test_binder_pins_every_dependency_within_its_range():
    lines = (ROOT / "binder/requirements.txt").read_text().splitlines()
    pins = {}
    for line in lines:
        if "==" in line:
            pin = Requirement(line)
            (specifier,) = pin.specifier
            pins[pin.name.replace("_", "-")] = specifier.version
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert requirement.name in pins, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(pins[requirement.name]), str(requirement)
    assert pins["torch"].endswith("+cpu")
    assert lines[-1] == ".", "flowviz itself is installed last"


def test_binders_python_is_one_that_we_support():
    version = (ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-")
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)


@pytest.mark.parametrize(
    "name, path",
    [
        ("binder-dashboard", hosted.HOME),
        ("binder-notebooks", "lab/tree/notebooks"),
    ],
)
def test_the_binder_links_open_what_they_say(name, path):
    (url,) = re.findall(rf"^\[{name}\]: (\S+)$", README, re.MULTILINE)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "mybinder.org")
    assert re.fullmatch(r"/v2/gh/[\w-]+/flowviz/HEAD", parts.path)
    assert parse_qs(parts.query) == {"urlpath": [path]}
    assert "/" not in parts.query, "the path in the query is URL-encoded"
    target = path.partition("notebooks")[1] + path.partition("notebooks")[2]
    assert (ROOT / target).exists()
    assert f"][{name}]" in README


def commands() -> list[str]:
    return re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def test_the_readme_has_two_commands_of_one_line_each():
    dashboard, tests = commands()
    assert dashboard.endswith("&& .venv/bin/flowviz")
    # Every test is in one of the two runs.
    first, second = tests.split(" && ")[-2:]
    assert first == '.venv/bin/python -m pytest -n auto --dist loadfile -m "not alone"'
    assert second == ".venv/bin/python -m pytest -n 2 --dist loadfile -m alone"
    for command in (dashboard, tests):
        subprocess.run(["bash", "-nc", command], check=True)


def test_ci_runs_the_readmes_own_test_command():
    script = (ROOT / ".ci/run").read_text()
    (pattern,) = re.findall(r"grep -E '(\^python3[^']+)' README\.md", script)
    assert [c for c in README.splitlines() if re.search(pattern, c)] == [commands()[1]]
    assert 'FLOWVIZ_REQUIRE_BROWSER=1 bash -euc "$tests"' in script
    for check in ("ruff check", "ruff format --check", "mypy", "python -m tests.binder.check"):
        assert f".venv/bin/{check}" in script
    assert re.search(
        r"^npm install .* configurable-http-proxy@\d+\.\d+\.\d+$", script, re.MULTILINE
    )

"""What Binder makes of `binder/`: the Dockerfile that repo2docker prints for a fresh clone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowviz.serving.hub import files

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """What is committed."""
    folder = tmp_path_factory.mktemp("binder") / "flowviz"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def printed(clone) -> str:
    """What repo2docker says and prints for it."""
    return repo2docker(clone, "--user-id", "1000")


def repo2docker(clone: Path, *options: str) -> str:
    """What it says and prints, without docker."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", *options, str(clone)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_takes_our_python(printed):
    version = (ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-")
    assert f"conda environment for python={version}" in printed


def test_it_installs_what_we_pin_builds_and_starts_by_our_scripts(printed):
    steps = [
        r"^COPY .*src/ \$\{REPO_DIR\}/$",  # of which the last requirement is made
        r"^RUN .*pip install .*-r \"binder/requirements.txt\"$",
        r"^RUN \./binder/postBuild$",
        r"^ENV R2D_ENTRYPOINT=\"\$\{REPO_DIR\}/binder/start\"$",
    ]
    found = [re.search(step, printed, re.MULTILINE) for step in steps]
    assert all(found), printed
    places = [step.start() for step in found]
    assert places == sorted(places)


def test_it_makes_a_hubs_image_too_by_the_options_that_we_name(clone, tmp_path):
    _, values = files.write(tmp_path)
    text = values.read_text(encoding="utf-8")
    options = re.search(r"jupyter-repo2docker (.*?) --no-run --push", text, re.DOTALL)[1]
    said = repo2docker(clone, *options.replace("\\\n#", "").split())
    assert re.search(r"^COPY --chown=1000:1000 src/ \$\{REPO_DIR\}/$", said, re.MULTILINE)

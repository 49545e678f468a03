"""Runs the JavaScript unit tests (``tests/js``) with Node's own runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def test_javascript() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: install Node.js to run the JavaScript tests")
    files = sorted((Path(__file__).parents[1] / "js").glob("*.test.js"))
    assert files
    done = subprocess.run(
        [node, "--test", *map(str, files)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

"""The page's engine: the bytes of its WebAssembly are those of its source, and it is one module."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flowviz.widgets import esm

ENGINE = Path(esm.__file__).parent / "engine"
BUILD = Path(__file__).parents[1] / "js" / "build_kernels.js"


def test_bytes_are_of_this_source() -> None:
    """``wasm.js`` says of which source it was made: of this one."""
    source = hashlib.sha256((ENGINE / "kernels.ts").read_bytes()).hexdigest()
    assert source in (ENGINE / "wasm.js").read_text(), "run node tests/js/build_kernels.js"


def test_source_compiles_to_these_bytes() -> None:
    """Compiled anew, which takes ten seconds, ``kernels.ts`` gives the bytes of ``wasm.js``."""
    if os.environ.get("FLOWVIZ_REQUIRE_BROWSER") != "1":
        pytest.skip("the engine's kernels are compiled anew where FLOWVIZ_REQUIRE_BROWSER=1")
    node = shutil.which("node")
    if node is None or shutil.which("npx") is None:
        pytest.fail("no npx found: install Node.js to compile the engine's WebAssembly")
    done = subprocess.run([node, BUILD, "--check"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_engine_is_one_module() -> None:
    """It links, has nothing that makes code of text, and takes little of a page, packed."""
    text = esm.module(ENGINE / "index.js")
    assert "eval(" not in text
    assert "Function(" not in text
    assert len(base64.b64encode(gzip.compress(text.encode()))) < 40_000

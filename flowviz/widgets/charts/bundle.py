"""plotly.js as an ES module, from the copy that the plotly package brings.

The package itself is not imported: its figure classes cost a kernel two seconds and 80 MB, and
the charts need plotly.js only. A server that serves :func:`packed` says so by the key
:data:`CONFIG_KEY` in its page's ``jupyter-config-data``, whose value is :func:`path`.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CONFIG_KEY = "flowvizPlotly"


def path() -> str:
    """The module's address below a server's base URL; it carries the version, for caches."""
    return f"flowviz/static/plotly-{version('plotly')}.js"


@lru_cache(maxsize=1)
def module() -> bytes:
    """The source of a module whose default export is ``Plotly``."""
    spec = find_spec("plotly")
    assert spec is not None and spec.origin is not None, "plotly is a dependency of flowviz"
    source = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    # The file is made for script tags and CommonJS; this gives it the latter.
    head = b"const module = { exports: {} }; const exports = module.exports;\n"
    return head + source.read_bytes() + b"\nexport default module.exports;\n"


@lru_cache(maxsize=1)
def packed() -> bytes:
    """:func:`module`, gzipped: 1.5 MB, and always the same bytes."""
    return gzip.compress(module(), compresslevel=6, mtime=0)

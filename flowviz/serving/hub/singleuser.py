"""A user's server in a JupyterHub, with the dashboard and the lessons at ``flowviz/``.

    python -m flowviz.serving.hub.singleuser

in the place of ``jupyterhub-singleuser``, which it is, with our configuration (hosted.py) and
copies of the lessons to work in; its options are that command's. JupyterHub starts it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flowviz.serving import paths


def main() -> None:
    """Serve until the Hub says so."""
    # It starts in the user's home, where a file's name may be that of a module, as in random.py.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    prepare()
    from jupyterhub.singleuser import main as serve  # reads the environment when it is imported

    serve()


def prepare() -> None:
    """Have the server find our configuration, and the user the lessons."""
    found = os.environ.get("JUPYTER_CONFIG_PATH")
    ours = str(paths.SERVER_CONFIG)
    os.environ["JUPYTER_CONFIG_PATH"] = f"{ours}{os.pathsep}{found}" if found else ours
    # All users' pages come from one address: none of them may show another's in itself.
    os.environ.setdefault("FLOWVIZ_FRAME_ANCESTORS", "'none'")
    root = Path(os.environ.get("JUPYTERHUB_ROOT_DIR") or ".").expanduser()
    paths.copy_notebooks(root / paths.LESSONS)


if __name__ == "__main__":
    main()

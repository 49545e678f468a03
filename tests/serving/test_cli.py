"""The command: its options, its ports, and what is left when it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.sign import NotebookNotary

from flowviz.serving import cli, lab_server, paths, ports
from flowviz.widgets.charts import bundle
from tests.serving.test_pages import fetch


@pytest.fixture
def taken_port():
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_defaults():
    options = cli.parser().parse_args([])
    assert (options.port, options.host, options.theme) == (None, None, None)
    assert options.lab is None and not options.no_browser


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--port", "0"], "'0' is no port; allowed are 1 to 65535"),
        (["--port", "70000"], "'70000' is no port"),
        (["--port", "http"], "'http' is no port"),
        (["--theme", "blue"], "choose from"),
        (["dashboard.ipynb"], "invalid choice: 'dashboard.ipynb' (choose from"),
    ],
)
def test_wrong_options_are_refused_in_words(arguments, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_help_does_not_load_jupyter():
    code = "import sys; from flowviz.serving import cli; print('jupyter_server' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_taken_port_without_a_wish_gives_the_next_one_and_says_so(taken_port, capsys):
    chosen = cli.choose_port("localhost", None, taken_port)
    assert chosen > taken_port and ports.is_free("localhost", chosen)
    assert f"Port {taken_port} is in use; taking {chosen}." in capsys.readouterr().out


def test_taken_port_that_was_wished_for_ends_a_script_with_the_free_one(taken_port, capsys):
    assert cli.main(["--no-browser", "--port", str(taken_port)]) == 1
    said = capsys.readouterr().err
    found = re.search(rf"port {taken_port} is in use; (\d+) is free: run `flowviz --port \1`", said)
    assert found and ports.is_free("localhost", int(found[1]))


@pytest.mark.parametrize("answer, taken", [("", True), ("y", True), ("no", False)])
def test_taken_port_is_asked_about_at_a_terminal(taken_port, monkeypatch, answer, taken):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    if taken:
        chosen = cli.choose_port("localhost", taken_port, 8866)
        assert str(chosen) in asked[0]
    else:
        with pytest.raises(ValueError, match=f"port {taken_port} is in use"):
            cli.choose_port("localhost", taken_port, 8866)
    assert f"Port {taken_port} is in use" in asked[0]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_unknown_host_is_named(host, capsys):
    assert cli.main(["--no-browser", "--host", host]) == 1
    assert f"the host {host!r}" in capsys.readouterr().err


def test_the_notebooks_are_found():
    assert paths.dashboard().is_file()


def test_students_work_is_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "_PACKAGED", paths.notebooks())
    monkeypatch.setattr(paths, "_CHECKOUT", tmp_path / "nowhere")
    target = tmp_path / "lessons"
    folder, copied = paths.editable_notebooks(target)
    assert folder == target and "dashboard.ipynb" in copied
    (target / "dashboard.ipynb").write_text("my work")
    assert paths.editable_notebooks(target) == (target, [])
    assert (target / "dashboard.ipynb").read_text() == "my work"


def test_a_checkout_is_edited_in_place(tmp_path):
    folder, copied = paths.editable_notebooks(tmp_path / "lessons")
    assert (folder, copied) == (paths.notebooks(), [])
    assert not (tmp_path / "lessons").exists()


FETCH = "import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()"


def descendants(pid: int) -> list[psutil.Process]:
    """All processes that ``pid`` started, directly or not."""
    return psutil.Process(pid).children(recursive=True)


# One handler is there for the three signals: each of them once, and once in each state.
@pytest.mark.parametrize(
    ("how", "when"),
    [
        (signal.SIGHUP, "idle"),
        (signal.SIGINT, "starting a kernel"),
        (signal.SIGTERM, "with a kernel"),
    ],
)
def test_it_ends_and_leaves_nothing_behind(start_flowviz, tmp_path, how, when):
    temporary, runtime = tmp_path / "tmp", tmp_path / "runtime"
    temporary.mkdir()
    server = start_flowviz(
        env={"TMPDIR": str(temporary), "JUPYTER_RUNTIME_DIR": str(runtime)},
    )
    if when != "idle":
        visit = subprocess.Popen(
            [sys.executable, "-c", FETCH, server.url],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while not any(temporary.rglob("kernel-*.json")):
            assert time.monotonic() < deadline, "no kernel was started"
            time.sleep(0.05)
        if when == "with a kernel":
            assert visit.wait(timeout=60) == 0
    children = descendants(server.process.pid)
    assert children, "no kernel is ready"
    assert server.stop(how) == 0, server.log()
    if when != "idle":
        visit.wait(timeout=10)
    _, outlived = psutil.wait_procs(children, timeout=5)
    assert not outlived, "a kernel outlived the command"
    assert list(temporary.iterdir()) == [], "temporary files are left"
    assert not runtime.exists() or list(runtime.iterdir()) == [], "runtime files are left"
    assert "Traceback" not in server.log()


def test_our_own_notebooks_are_trusted_and_changed_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    copied = paths.copy_notebooks(tmp_path)
    lesson, broken, *rest = (tmp_path / name for name in copied)
    changed = nbformat.read(lesson, as_version=4)
    changed.cells[0].source += "\nmine"
    nbformat.write(changed, lesson)
    broken.write_text("{")
    lab_server.trust(tmp_path)
    notary = NotebookNotary()
    assert not notary.check_signature(nbformat.read(lesson, as_version=4))
    for path in rest:
        assert notary.check_signature(nbformat.read(path, as_version=4)), path
    assert rest


def test_lab_opens_copies_in_a_folder_of_ones_own_and_leaves_nothing_else(start_flowviz, tmp_path):
    runtime = tmp_path / "runtime"
    server = start_flowviz("--lab", "mine", env={"JUPYTER_RUNTIME_DIR": str(runtime)})
    assert server.url.startswith(f"http://localhost:{server.port}/lab?token=")
    names = {p.name for p in paths.notebooks().glob("*.ipynb")}
    assert {p.name for p in (tmp_path / "mine").iterdir()} >= names
    assert f"Copied {len(names)} notebooks to {tmp_path / 'mine'}." in server.log()
    # As in the dashboard, plotly comes by an address of the server.
    reply = fetch(f"{server.origin}/{bundle.path()}")
    assert reply.status == 200 and reply.body == bundle.module()
    assert bundle.path() in fetch(server.address("/lab")).text
    assert server.stop() == 0, server.log()
    left = {p.name for p in Path(runtime).iterdir()}
    # Jupyter's own key for its cookies outlives its servers, as for every notebook server.
    assert left <= {"jupyter_cookie_secret"}
    assert "Traceback" not in server.log()

"""What is written to a disk that has no room left: the file is named, and what was there stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from flowviz import flows
from flowviz.panels.limits import LimitsState
from flowviz.serving import cli, paths
from flowviz.widgets.stage import Stage
from tests.widgets.demo_panel import Demo

resource = pytest.importorskip("resource", reason="the system has no such limits")

ROOM = 50
"""Bytes that a file may have: fewer than anything here is long."""


@pytest.fixture
def no_room() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """``with no_room():`` a write beyond :data:`ROOM` bytes of a file fails, as on a full disk."""

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


WAYS = {
    "panel.html": lambda file: Demo().save_html(file),
    "stage.html": lambda file: Stage().save_html(file),
    "state.json": lambda file: LimitsState().save(file),
    "flow.safetensors": lambda file: flows.save(flows.catalog.make("plu", seed=0), file),
}


@pytest.mark.parametrize("name", WAYS)
def test_the_file_is_named_and_what_was_there_stays(name, tmp_path, no_room):
    file = tmp_path / name
    WAYS[name](file)
    good = file.read_bytes()
    assert len(good) > ROOM
    file.write_bytes(good[:ROOM])  # as of an earlier day
    with pytest.raises(OSError, match="File too large") as told, no_room():
        WAYS[name](file)
    assert str(told.value).endswith(f"File too large: {str(file)!r}")
    assert file.read_bytes() == good[:ROOM]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "command", [["site", "DIR"], ["lessons", "--export", "DIR"], ["hub-config", "DIR"]]
)
def test_a_command_says_so_in_one_sentence(command, tmp_path, no_room, capsys):
    folder = tmp_path / "made"
    with no_room():
        status = cli.main([part.replace("DIR", str(folder)) for part in command])
    told = capsys.readouterr().err
    assert status == 1
    assert re.fullmatch(rf"flowviz: {re.escape(str(folder))}/\S+: File too large\n", told), told
    assert list(folder.iterdir()) == [], "half a file would be taken for a whole one"


def test_a_notebook_that_was_copied_by_half_is_copied_anew(tmp_path, no_room):
    with pytest.raises(OSError, match="File too large"), no_room():
        paths.copy_notebooks(tmp_path)
    assert list(tmp_path.iterdir()) == []

"""A cell that is run again ends the panels that its former run made."""

from __future__ import annotations

import pytest

from flowviz.widgets.panel import cells
from tests.widgets.demo_panel import Demo


@pytest.fixture
def run(monkeypatch):
    """``run(cell, execution)``: from here on that cell runs."""
    monkeypatch.setattr(cells, "_made", {})

    def in_cell(cell: str, execution: str) -> None:
        monkeypatch.setattr(cells, "_running", lambda: (cell, execution))

    return in_cell


def test_the_former_panel_is_closed_and_no_other(run):
    run("a", "1")
    first, second = Demo(), Demo()
    first.count()
    run("b", "2")
    elsewhere = Demo()
    assert first.jobs.running
    run("a", "3")
    again = Demo()
    assert not first.jobs.running and first.widget.comm is None and second.widget.comm is None
    assert elsewhere.widget.comm is not None or elsewhere.widget._model_id
    assert again.picture.text == "9 layers"
    for panel in (again, elsewhere):
        panel.close()


def test_outside_of_a_notebook_nothing_is_closed(run):
    run("", "")
    first, second = Demo(), Demo()
    first.update(layers=3)
    assert first.jobs.wait(2) and first.picture.text == "3 layers"
    first.close()
    second.close()

"""What every panel of the registry keeps, whatever it shows: the contract of the base."""

from __future__ import annotations

import functools
import gzip
import os
import re
import subprocess
import sys
import threading

import ipywidgets
import pytest

from flowviz import panels
from flowviz.panels.kl_comparison import KLComparison
from flowviz.panels.parts.following import Following
from flowviz.widgets.panel.drawing import declared
from flowviz.widgets.state import Choice, Integer, PanelState, Points, Real, Text, Toggle
from tests.panels.every_tab import with_every_tab
from tests.panels.one_line import on_one_line

PATIENCE = 120
EVERY = pytest.mark.parametrize("name", panels.names())


@pytest.fixture(scope="module")
def panel_of():
    """One panel of each kind for all the tests that leave it a panel."""
    made = {}

    def get(name: str):
        if name not in made:
            made[name] = with_every_tab(panels.make(name))
        return made[name]

    yield get
    for panel in made.values():
        panel.close()


def settle(panel) -> None:
    assert panel.jobs.wait(PATIENCE)


def seen(panel) -> list:
    """The marks of the panel's pictures, as bytes and values."""
    stages = panel.screen.stages
    return [[_plain(mark.to_json()) for mark in stage.marks] for stage in stages]


def _plain(value):
    if isinstance(value, memoryview):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@EVERY
def test_what_it_is_called_is_the_registrys(name, panel_of):
    panel, entry = panel_of(name), panels.entry(name)
    assert (panel.name, panel.title, panel.summary) == (entry.name, entry.title, entry.summary)
    assert panel.header.title == entry.title
    run = panel.screen.run
    assert (len(panel.screen.pictures), run.depth + run.training) == (entry.pictures, entry.rows)
    assert panel.header.words.strip().endswith((".", "!"))


@EVERY
def test_every_preset_is_a_state_and_is_lit_in_it(name, panel_of):
    panel = panel_of(name)
    assert panel.presets
    for index, (label, _) in enumerate(panel.presets):
        panel.apply_preset(index)
        settle(panel)
        assert panel.header.preset == index, label
        assert panel.goal_list.reached == [], f"{label} is no doing of the reader's"
        assert not panel._message.text, label
        assert on_one_line(panel), label
        assert panel.restore(panel.link()) == []
        settle(panel)
        assert panel.header.preset == index, "its link brings it back"
        state = panel.state
        panel.from_json(panel.to_json())
        assert panel.state == state


@EVERY
def test_it_lands_on_its_first_preset_with_an_invitation(name):
    panel = panels.make(name)
    assert panel.header.preset == 0
    assert panel.header.invitation
    assert not panel.jobs.running, "what a visitor lands on is there at once"
    other = next(n for n in panel.settings.fields() if n == "seed")
    panel.update(**{other: 11})
    assert not panel.header.invitation
    panel.close()


@EVERY
def test_a_link_that_only_says_where_one_looks_opens_what_one_lands_on(name):
    panel = panels.make(name, seed=11)  # another fit, which begins untrained
    trains = "trained" in panel.settings.fields()
    assert not trains or not panel.fit.done
    where = next(n for n in ("position", "marked", "goal") if n in panel.settings.fields())
    assert panel.restore(f"{where}=1") == []
    settle(panel)
    assert panel.settings.seed != 11
    assert not trains or panel.settings.trained == panel.presets[0][1]["trained"] == panel.fit.done
    assert getattr(panel.settings, where) == 1
    panel.close()


def _another(field, value):
    """A value of the field that is not the present one."""
    if isinstance(field, Choice):
        return next(name for name in field.options if name not in (value, "points"))
    if isinstance(field, Toggle):
        return not value
    if isinstance(field, (Integer, Real)):
        middle = (field.min * field.max) ** 0.5 if getattr(field, "log", False) else None
        wanted = middle or field.min + (field.max - field.min) / 4
        wanted = min(wanted, 40 if field.name in ("trained", "steps") else 8)
        number = int(wanted) if isinstance(field, Integer) else wanted
        return max(number + (number == value), field.min)
    if isinstance(field, Points):
        return [[0.5, -0.4]] if field.count == 1 else [[0, 0], [1, 1], [1, 0]]
    if isinstance(field, Text):
        return "-(x^2 + 2*y^2)/2"
    return None


@EVERY
def test_every_setting_can_be_changed_without_an_error(name, caplog):
    trains = "trained" in panels.entry(name).load().State.fields()
    panel = with_every_tab(panels.make(name, **({"trained": 0} if trains else {})))
    for setting, field in panel.settings.fields().items():
        value = _another(field, getattr(panel.settings, setting))
        if value is None or setting in PanelState.VIEW:
            continue
        panel.update(**{setting: value})
        settle(panel)
        assert not panel._message.text, f"{setting}={value!r}: {panel._message.text}"
        assert not caplog.records, setting
    panel.close()


@EVERY
def test_the_same_settings_give_the_same_picture(name, panel_of):
    panel = panel_of(name)
    panel.apply_preset(0)
    settle(panel)
    other = with_every_tab(panels.make(name))
    settle(other)
    assert seen(other) == seen(panel)
    assert other.numbers() == panel.numbers()
    other.close()


@EVERY
def test_what_changes_between_two_drawings_is_in_both(name, monkeypatch):
    """One goes on from what another has made, and the change falls between them."""
    cls = panels.entry(name).load()
    drawn = dict(declared(cls))
    between, tried = [], set()

    def then_changed(draw):
        @functools.wraps(draw)
        def wrapped(panel):
            draw(panel)
            if between:
                panel.update(**between.pop())

        return wrapped

    for method in drawn:
        monkeypatch.setattr(cls, method, then_changed(getattr(cls, method)))
    panel = panels.make(name)
    settle(panel)
    for setting, field in panel.settings.fields().items():
        before, after = getattr(panel.settings, setting), None
        if not isinstance(field, (Text, Toggle)) and setting not in ("position", "trained"):
            after = _another(field, before)
        users = frozenset(method for method, of in drawn.items() if setting in of.settings)
        if after is None or len(users) < 2 or users in tried:
            continue
        tried.add(users)
        between.append({setting: before})
        panel.update(**{setting: after})
        settle(panel)
        assert not between and getattr(panel.settings, setting) == before
        ended = seen(panel), panel.numbers(), panel.words()
        with panel.jobs.lock:
            panel.redraw()
        assert ended == (seen(panel), panel.numbers(), panel.words()), setting
    panel.close()


@EVERY
def test_what_is_hidden_is_out_of_sight(name):
    cls = panels.entry(name).load()
    panel = panels.make(name, hide=list(cls.State.hidable()))
    for control in panel.controls:
        assert "fv-hidden" in control._dom_classes
    assert "Goals" not in panel.tabs.list.names
    if panel.screen.run.training:
        assert panel.screen.run.hidden == ["train", "step", "reset"]
    panel.close()


@EVERY
def test_goals_are_not_reached_at_the_start_and_can_be(name):
    cls = panels.entry(name).load()
    assert len(cls.goals) == 3
    panel = panels.make(name)
    assert panel.goal_list.reached == []
    panel.close()
    for index, goal in enumerate(cls.goals):
        panel = with_every_tab(panels.make(name, **goal.by))
        settle(panel)
        assert index in panel.goal_list.reached, goal.sentence
        panel.close()
    panel = panels.make(name, compact=True, **cls.goals[0].by)
    settle(panel)
    assert panel.goal_list.reached == [], "as a lesson opens it"
    panel.close()


@pytest.mark.parametrize("name", ["change_of_variables", "divergences", "limits"])
def test_what_follows_its_handles_tells_goals_as_the_panel_does(name, monkeypatch):
    told = []

    def known(following):
        known = {n: float(v) for n, v in following.draw(following.numbers).known.items()}
        told.append({**known, "step": following.training.done if following.training else 0})
        return {}

    monkeypatch.setattr(Following, "in_page", known)
    for index, goal in enumerate(panels.entry(name).load().goals):
        for reached, state in ((True, goal.by), (False, {})):
            panel = panels.make(name, **state)
            settle(panel)
            within = goal.in_page(panel)
            follows = [stage.follows for stage in panel.screen.stages if stage.follows]
            for follow in follows if within else ():
                follow()
                there = all(
                    (low is None or told[-1][name] >= low)
                    and (high is None or told[-1][name] <= high)
                    for name, (low, high) in within.items()
                )
                assert there == reached == (index in panel.goal_list.reached), goal.sentence
            panel.close()


@EVERY
def test_a_link_opens_it_at_a_goal_and_hostile_ones_are_answered(name):
    panel = panels.make(name, goal=2, compact=True)
    assert panel.goal_list.asked == 2
    assert panel.tabs.list.chosen == "Goals"
    assert "fv-compact" in panel.widget._dom_classes
    assert panel.header.preset == 0, "how it is shown makes no other state"
    for query in ("goal=99", "goal=<script>", "present=maybe", "compact=2", "position=1e99"):
        if query.partition("=")[0] in panel.settings.fields():
            assert panel.restore(query), query
            assert query.partition("=")[0] in panel._message.text
    panel.close()


@EVERY
def test_the_twin_is_a_picture_and_its_numbers(name, panel_of, monkeypatch):
    panel = panel_of(name)
    data, _ = panel._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and len(data["image/png"]) > 5_000
    assert panel.title in data["text/plain"]
    for number, value in panel.numbers().items():
        assert f"{number}: {value}" in data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data
    monkeypatch.setenv("FLOWVIZ_HEADLESS", "1")
    alone, _ = panel._repr_mimebundle_()
    assert set(alone) == {"image/png", "text/plain"}


@EVERY
def test_it_is_saved_as_a_page_of_its_own(name, panel_of, tmp_path):
    panel = panel_of(name)
    panel.restore("")
    settle(panel)
    html = panel.save_html(tmp_path / "page.html").read_text("utf-8")
    assert f"<title>{panel.title}</title>" in html
    assert not re.search(r'<[^>]*\s(src|href)="(?!data:)', html.partition("<script")[0]), "alone"
    carries = any(stage.carried for stage in panel.screen.stages)
    follows = any(stage.follows for stage in panel.screen.stages)
    assert ('id="code">' in html) == (carries or follows), "what has a program lives"
    check_size(html)
    if carries:
        panel.settings.flow = "contractive_roulette"
        settle(panel)
    assert "has no program" in panel.to_html() or not carries


def test_the_largest_page_is_small_enough():
    panel = panels.make("kl_comparison", **dict(KLComparison.presets)["Unnormalised target"])
    settle(panel)
    check_size(panel.to_html())
    panel.close()


def check_size(page):
    """Small enough to be sent around, and by a server that packs what it sends."""
    data = page.encode()
    assert len(data) < 400_000
    assert len(gzip.compress(data)) < 250_000


@EVERY
def test_its_code_runs_in_a_fresh_process(name):
    cls = panels.entry(name).load()
    quick = {"trained": 30} if "trained" in cls.State.fields() else {}
    panel = panels.make(name, **{**cls.presets[0][1], **quick})
    settle(panel)
    done = subprocess.run(
        [sys.executable, "-c", panel.code()],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    panel.close()
    assert done.returncode == 0, done.stderr


@EVERY
def test_closing_leaves_no_widget_and_no_thread(name):
    widgets, threads = set(ipywidgets.widget._instances), set(threading.enumerate())
    panel = panels.make(name)
    panel.update(seed=3)
    panel.close()
    left = [w for key, w in ipywidgets.widget._instances.items() if key not in widgets]
    assert not left, left
    deadline = threading.Event()
    for _ in range(50):
        alive = [t for t in set(threading.enumerate()) - threads if t.is_alive()]
        if not alive:
            break
        deadline.wait(0.1)
    assert not alive

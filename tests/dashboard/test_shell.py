"""The dashboard without a browser: what is built when, what links do, what failures look like."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets
import pytest

from flowviz import panels
from flowviz.dashboard import Dashboard, address
from flowviz.widgets.panel import Panel, Screen
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Stage
from flowviz.widgets.state import Integer, PanelState


class CountState(PanelState):
    layers = Integer(4, 1, 12)
    seed = Integer(0, 0, 100)


class Basic(Panel):
    name = "basic"
    title = "Basic"
    summary = "One. Two."
    group = "Basics"
    State = CountState
    presets = (("Plain", {}), ("Deep", {"layers": 12}))

    def build(self) -> Screen:
        stage = Stage()
        return Screen(
            pictures=[stage],
            stages=[stage],
            controls=widgets.HTML(),
            run=RunBar(training=False),
            companion=widgets.HTML(),
        )


class Fitting(Basic):
    name = "fitting"
    title = "Fitting <b>"
    group = "Fitting"


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Two panels in two groups, and one that cannot be built at first."""
    module = types.ModuleType("demo_panels")
    module.Basic, module.Fitting = Basic, Fitting
    monkeypatch.setitem(sys.modules, "demo_panels", module)
    entries = {
        p.name: panels.Entry(p.name, p.title, p.group, p.summary, f"demo_panels:{p.__name__}")
        for p in (Basic, Fitting)
    }
    monkeypatch.setattr(panels, "_ENTRIES", entries)
    return module


def told(dashboard: Dashboard, **message) -> None:
    """What the page sends."""
    dashboard._receive(dashboard.shell, message, [])


def shown(dashboard: Dashboard) -> list[str]:
    return [
        name
        for name, panel in dashboard.panels.items()
        if "fv-away" not in panel.widget._dom_classes
    ]


def waiting(dashboard: Dashboard) -> str:
    return "" if "fv-away" in dashboard._state._dom_classes else dashboard._waiting.value


def test_importing_the_dashboard_does_not_load_torch():
    code = "import sys, flowviz.dashboard; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_the_menu_has_the_groups_that_have_panels():
    groups = Dashboard("").shell.groups
    assert [(g["title"], [p["title"] for p in g["panels"]]) for g in groups] == [
        ("Basics", ["Basic"]),
        ("Fitting", ["Fitting <b>"]),
    ]
    (told,) = groups[0]["panels"]
    assert {"name", "title", "summary", "pictures", "rows"} == set(told)
    assert (told["name"], told["summary"]) == ("basic", Basic.summary)


def test_on_a_served_page_the_panel_is_built_before_the_page_asks(monkeypatch):
    monkeypatch.setenv("VOILA_BASE_URL", "/")
    monkeypatch.setenv("QUERY_STRING", "panel=basic&layers=6")

    async def visit() -> None:
        dashboard = Dashboard()
        assert dashboard.panel is None, "the cell that shows it does not wait for it"
        while dashboard.panel is None:
            await asyncio.sleep(0.01)
        built = dashboard.panel
        assert built.state["layers"] == 6 and not waiting(dashboard)
        told(dashboard, kind="ready")
        assert dashboard.panel is built

    # In a thread of its own: an open browser has an event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(asyncio.wait_for(visit(), 20))).result()


def test_a_panel_is_built_when_the_page_is_there_and_others_on_first_visit():
    dashboard = Dashboard("")
    assert dashboard.panels == {} and "Loading" in waiting(dashboard)
    told(dashboard, kind="ready")
    assert shown(dashboard) == ["basic"] and not waiting(dashboard)
    first = dashboard.panel
    told(dashboard, kind="open", panel="fitting")
    assert shown(dashboard) == ["fitting"]
    told(dashboard, kind="open", panel="basic")
    assert dashboard.panel is first and shown(dashboard) == ["basic"]


def test_a_second_view_of_the_page_builds_nothing_anew():
    dashboard = Dashboard("panel=basic&layers=6")
    told(dashboard, kind="ready")
    dashboard.panel.update(layers=7)
    told(dashboard, kind="ready")
    assert dashboard.panel.state["layers"] == 7


def test_the_address_follows_the_panel_and_its_state():
    dashboard = Dashboard("")
    told(dashboard, kind="ready")
    assert dashboard.shell.query == "panel=basic"
    dashboard.panel.update(layers=9)
    assert dashboard.shell.query == "panel=basic&layers=9"
    told(dashboard, kind="open", panel="fitting")
    assert dashboard.shell.query == "panel=fitting"
    dashboard.panels["basic"].update(layers=2)  # a job of the other panel ends
    assert dashboard.shell.query == "panel=fitting"


def test_a_link_without_a_panel_keeps_its_settings():
    dashboard = Dashboard("layers=11&hide=layers,nonsense")
    told(dashboard, kind="ready")
    assert shown(dashboard) == ["basic"]
    assert dashboard.panel.settings.layers == 11
    assert dashboard.panel.settings.hide == ("layers",), "one bad name spoils itself alone"
    told(dashboard, kind="address", query="?layers=7")
    assert dashboard.panel.settings.layers == 7


def test_a_link_restores_panel_and_state():
    dashboard = Dashboard("panel=fitting&layers=11&seed=3&token=abc")
    told(dashboard, kind="ready")
    assert dashboard.shell.current == "fitting" and dashboard.shell.notice == ""
    assert dashboard.panel.state["layers"] == 11 and dashboard.panel.state["seed"] == 3
    assert dashboard.panel._message.text == ""
    assert dashboard.shell.query == "panel=fitting&layers=11&seed=3"


@pytest.mark.parametrize(
    "query",
    [
        "panel=%3Cscript%3Ealert(1)%3C/script%3E",
        "panel=nothing&layers=6",
        "panel=" + "x" * 60_000,
        "panel=%ff%fe",
        "&".join(f"a{i}=1" for i in range(5_000)),
    ],
)
def test_a_hostile_panel_gives_words_and_the_first_panel(query):
    dashboard = Dashboard(query)
    assert dashboard.shell.notice and len(dashboard.shell.notice) < 300
    told(dashboard, kind="ready")
    assert shown(dashboard) == ["basic"]
    assert dashboard.panel.state == Basic.State.defaults()


@pytest.mark.parametrize("query", ["panel=basic&layers=many", "panel=basic&nothing=1&layers=6"])
def test_a_hostile_setting_is_said_in_the_panel(query):
    dashboard = Dashboard(query)
    told(dashboard, kind="ready")
    assert "Not everything in the link was usable" in dashboard.panel._message.text
    assert dashboard.panel.state["layers"] == (6 if "layers=6" in query else 4)
    assert "panel=" not in dashboard.panel._message.text, "that is the dashboard's own"


def test_going_back_brings_panel_and_state_back():
    dashboard = Dashboard("")
    told(dashboard, kind="ready")
    told(dashboard, kind="open", panel="fitting")
    told(dashboard, kind="address", query="?panel=basic&layers=8")
    assert shown(dashboard) == ["basic"] and dashboard.panel.state["layers"] == 8
    told(dashboard, kind="address", query="?panel=none")
    assert "no panel “none”" in dashboard.shell.notice


def test_nonsense_from_the_page_is_ignored():
    dashboard = Dashboard("")
    told(dashboard, kind="ready")
    for message in ({}, {"kind": "open"}, {"kind": "open", "panel": 3}, {"kind": "address"}):
        told(dashboard, **message)
    dashboard._receive(dashboard.shell, "text", [])
    assert shown(dashboard) == ["basic"]
    assert dashboard.panel.state == Basic.State.defaults()


def test_a_panel_that_fails_says_so_and_can_be_tried_again(registry, monkeypatch):
    class Broken(Basic):
        def build(self) -> Screen:
            raise ValueError("no <data>")

    monkeypatch.setattr(registry, "Basic", Broken)
    dashboard = Dashboard("")
    told(dashboard, kind="ready")
    assert "could not be built: no &lt;data&gt;" in waiting(dashboard)
    assert dashboard.shell.shown == "basic", "its frame makes way for these words"
    assert dashboard._retry.layout.display is None
    told(dashboard, kind="open", panel="fitting")
    assert shown(dashboard) == ["fitting"] and not waiting(dashboard)
    told(dashboard, kind="open", panel="basic")
    assert shown(dashboard) == [] and "could not be built" in waiting(dashboard)
    monkeypatch.setattr(registry, "Basic", Basic)
    dashboard._retry.click()
    assert shown(dashboard) == ["basic"] and not waiting(dashboard)


def test_presenting_follows_the_panel_that_is_open_and_stays_in_its_link():
    dashboard = Dashboard("")
    told(dashboard, kind="ready")
    dashboard.shell.presenting = True
    assert "fv-present" in dashboard.panel.widget._dom_classes
    assert dashboard.shell.query == "panel=basic&present=1"
    told(dashboard, kind="open", panel="fitting")  # that one is not presented
    assert not dashboard.shell.presenting and not dashboard.panel.header.presenting
    told(dashboard, kind="open", panel="basic")
    assert dashboard.shell.presenting
    dashboard.panel.header.presenting = False  # Escape
    assert not dashboard.shell.presenting and dashboard.shell.query == "panel=basic"


def test_a_link_opens_a_panel_presented_compact_and_at_a_goal():
    dashboard = Dashboard("panel=basic&present=1&compact=1&goal=1")
    told(dashboard, kind="ready")
    assert dashboard.shell.presenting and dashboard.panel._message.text == ""
    assert {"fv-present", "fv-compact"} <= set(dashboard.panel.widget._dom_classes)
    assert dashboard.panel.goal_list.asked == 1
    hostile = Dashboard("panel=basic&present=maybe&goal=1e9&layers=6")
    told(hostile, kind="ready")
    assert not hostile.shell.presenting and hostile.panel.state["layers"] == 6
    for name in ("present", "goal"):
        assert f"{name}=" in hostile.panel._message.text


def test_the_query_comes_from_the_page(monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "panel=fitting&layers=3")
    dashboard = Dashboard()
    told(dashboard, kind="ready")
    assert dashboard.shell.query == "panel=fitting&layers=3"


def test_a_kernel_that_was_started_ahead_waits_for_its_page(monkeypatch):
    monkeypatch.setenv("VOILA_PREHEAT", "True")
    monkeypatch.delenv("QUERY_STRING", raising=False)
    monkeypatch.setattr(
        "voila.utils.wait_for_request", lambda: monkeypatch.setenv("QUERY_STRING", "panel=fitting")
    )
    assert address.from_page() == "panel=fitting"


def test_closing_closes_the_panels():
    dashboard = Dashboard("")
    told(dashboard, kind="ready")
    panel = dashboard.panel
    dashboard.close()
    assert panel.widget.comm is None

"""The panel base, by the demonstration panel: no browser and no kernel."""

from __future__ import annotations

import json
import threading
import time

import pytest

from flowviz.widgets.panel import Panel, draws
from tests.widgets.demo_panel import Demo


@pytest.fixture
def panel():
    made = Demo(layers=4)
    yield made
    made.close()


def waited(panel) -> None:
    assert panel.jobs.wait(5)


def test_first_everything_is_drawn_in_the_order_of_writing(panel):
    assert panel.drawn == ["paint", "tell"]
    assert panel.picture.text == "4 layers"
    assert panel.header.words == "There are 4 layers."


def test_a_method_is_called_for_what_it_draws_from_alone(panel):
    panel.drawn.clear()
    panel.update(rate=0.02)
    waited(panel)
    panel.update(seed=5)
    waited(panel)
    assert panel.drawn == ["tell"]
    panel.update(layers=7, rate=0.03)
    waited(panel)
    assert panel.drawn == ["tell", "paint", "tell"]


class Chained(Demo):
    """One method goes on from what another has made, while the state changes between them."""

    def build(self):
        self.seen = []
        return super().build()

    @draws("layers")
    def first(self) -> None:
        self.made = self.settings.layers
        if self.made in (5, 6):
            self.settings.layers = self.made + 1

    @draws("layers")
    def second(self) -> None:
        self.seen.append(self.made)


def test_what_changes_while_it_is_drawn_is_drawn_whole_once_more():
    panel = Chained(layers=4)
    try:
        panel.update(layers=5)
        waited(panel)
        assert panel.settings.layers == panel.made == panel.seen[-1] == 7
    finally:
        panel.close()


class Slow(Demo):
    """Its picture takes as long as it is held up."""

    def build(self):
        self.free = threading.Event()
        self.free.set()
        return super().build()

    @draws("layers")
    def slowly(self) -> None:
        assert self.free.wait(5)


def test_what_is_said_is_of_what_is_drawn_and_that_is_told_while_it_is_another():
    panel = Slow(layers=4)
    try:
        assert not panel.header.drawing
        panel.free.clear()
        panel.update(layers=5)
        Panel.note(panel, seed=3)  # which draws nothing
        assert panel.header.drawing and panel.header.words == "There are 4 layers."
        panel.free.set()
        waited(panel)
        assert not panel.header.drawing and panel.header.words == "There are 5 layers."
    finally:
        panel.close()


def test_drawing_from_what_is_no_setting_is_an_error_of_the_class():
    with pytest.raises(TypeError, match=r"Wrong.draw draws from \['colour'\]"):

        class Wrong(Demo):
            @draws("colour")
            def draw(self) -> None:
                pass


def test_made_without_settings_it_is_its_first_preset():
    landed, told = Demo(), Demo(layers=4)
    assert landed.state["layers"] == 9 and landed.header.preset == 0
    assert landed.run.greets and not told.run.greets, "a given position is not played away"
    assert told.state == Demo.State.defaults() and told.header.preset == -1
    # A link names what the first preset would have otherwise, also where that is the default.
    assert told.link() == "layers=4"
    assert landed.restore(told.link()) == [] and landed.state == told.state
    assert landed.restore("") == [] and landed.state["layers"] == 9
    assert told.python_line() == "flowviz.panels.make('demo', layers=4)"
    landed.close()
    told.close()


@pytest.mark.parametrize("way", ["constructor", "link", "dict", "JSON", "file"])
def test_what_is_left_out_is_as_in_the_first_preset(way, tmp_path):
    panel = Demo(seed=3) if way == "constructor" else Demo(layers=4, rate=0.02)
    text = json.dumps({"seed": 3})
    if way == "link":
        assert panel.restore("seed=3") == []
    elif way == "dict":
        panel.state = {"seed": 3}
    elif way == "JSON":
        panel.from_json(text)
    elif way == "file":
        (tmp_path / "state.json").write_text(text)
        panel.load(tmp_path / "state.json")
    assert panel.state == {**Demo.State.defaults(), "layers": 9, "seed": 3}
    other = Demo(layers=4)
    assert other.restore(panel.link()) == [] and other.state == panel.state
    panel.close()
    other.close()


def test_state_round_trips_through_dict_json_link_and_file(panel, tmp_path):
    panel.update(layers=7, rate=0.02, points=[(1, 2), (0.5, -1)], hide=["seed"])
    state = panel.state
    json.dumps(state)
    others = [Demo(**state), Demo(), Demo(), Demo(), Demo()]
    others[1].state = state
    assert others[2].restore(panel.link()) == []
    others[3].from_json(panel.to_json())
    panel.save(tmp_path / "state.json")
    others[4].load(tmp_path / "state.json")
    for other in others:
        assert other.state == state
        other.close()


def test_bad_state_is_refused_whole_and_said(panel):
    before = panel.state
    with pytest.raises(ValueError, match="layers=99 is not allowed: a whole number from 1 to 12"):
        panel.state = {"rate": 0.02, "layers": 99}
    assert panel.state == before
    assert "layers=99" in panel._message.text
    with pytest.raises(ValueError, match=r"no setting 'layer'.*target, layers"):
        panel.update(layer=3)


def test_hostile_link_gives_defaults_and_a_message(panel):
    messages = panel.restore(
        "layers=9&target=<script>alert(1)</script>&rate=nan&who=me&panel=x", ignore=["panel"]
    )
    assert len(messages) == 3
    assert panel.state["layers"] == 9
    assert panel.state["target"] == "ring"
    assert "<script>" not in panel._message._body.value
    assert "&lt;script&gt;" in panel._message._body.value
    assert panel._message.layout.display is None
    panel.message("")
    assert panel._message.layout.display == "none"


def test_controls_follow_state_and_state_follows_controls(panel):
    slider = panel.controls["layers"]
    panel.update(layers=9)
    assert slider.value == 9
    slider.value = 3
    assert panel.state["layers"] == 3
    panel.controls["rate"].value = 0.03
    assert panel.state["rate"] == 0.03


def test_refused_control_values_go_back(panel):
    text = panel.controls["formula"]
    text.value = "x" * 600
    assert text.value == panel.state["formula"] == "exp(-x^2)"
    assert "at most 500 characters" in panel._message.text


def test_hide_by_python_by_link_and_later(panel):
    hidden = Demo(hide=["layers", "count"])
    assert "fv-hidden" in hidden.controls["layers"]._dom_classes
    assert "fv-hidden" in hidden.controls["count"]._dom_classes
    assert "fv-hidden" not in hidden.controls["rate"]._dom_classes
    assert hidden.link() == "layers=9&hide=layers,count"
    panel.restore("hide=rate,layers")
    assert "fv-hidden" in panel.controls["rate"]._dom_classes
    panel.update(hide=[])
    assert "fv-hidden" not in panel.controls["rate"]._dom_classes
    with pytest.raises(ValueError, match="names among target"):
        Demo(hide="tarket")
    hidden.close()


def test_presets_are_whole_states_and_leave_what_is_hidden(panel):
    assert panel.header.preset == -1
    panel.update(rate=0.05, hide=["seed"])
    panel.apply_preset(0)
    assert panel.state["layers"] == 9
    assert panel.state["rate"] == 0.003
    assert panel.state["hide"] == ["seed"]
    assert panel.header.preset == 0
    panel.update(layers=8)
    assert panel.header.preset == -1


def test_preset_messages_from_the_page_are_checked(panel):
    for content in ({"kind": "preset", "index": 7}, {"kind": "preset", "index": "0"}, "x", None):
        panel.header._handle_custom_msg(content, [])
    assert panel.state["layers"] == 4
    panel.header._handle_custom_msg({"kind": "preset", "index": 0}, [])
    assert panel.state["layers"] == 9


def test_a_failing_picture_is_told_until_the_next_succeeds(panel, caplog):
    panel.update(formula="1/0")
    waited(panel)
    assert panel._message.text == "ZeroDivisionError: division by zero"
    assert "Traceback" in caplog.text
    panel.update(formula="x", layers=5)
    waited(panel)
    assert panel.picture.text == "5 layers"
    assert panel._message.text == ""


def test_goals_are_ticked_when_they_are_reached_and_stay_so(panel):
    assert panel.goal_list.reached == []
    panel.update(layers=12)
    waited(panel)
    assert panel.goal_list.reached == [0]
    panel.update(layers=2)
    waited(panel)
    assert panel.goal_list.reached == [0]


def test_who_forgets_the_ticks_reaches_a_goal_anew(panel):
    panel.update(layers=12)
    waited(panel)
    panel.goal_list.reached = []  # as the page's button does
    panel.update(layers=11)
    waited(panel)
    assert panel.goal_list.reached == [], "it still holds"
    for layers, reached in ((2, []), (12, [0])):
        panel.update(layers=layers)
        waited(panel)
        assert panel.goal_list.reached == reached


def test_what_a_preset_brings_is_reached_by_nobody_until_it_has_been_lost(panel, monkeypatch):
    monkeypatch.setattr(Demo, "presets", (("Deep", {"layers": 11}),))
    panel.apply_preset(0)
    waited(panel)
    panel.update(rate=0.05)
    waited(panel)
    assert panel.goal_list.reached == [], "it is as deep as the preset has made it"
    for layers, reached in ((4, []), (12, [0])):
        panel.update(layers=layers)
        waited(panel)
        assert panel.goal_list.reached == reached


def test_job_starts_reports_and_stops(panel):
    count = panel.controls["count"]
    count.click()
    count.click()  # a second press queues nothing
    time.sleep(0.3)
    assert panel.jobs.running
    assert panel.note.text.startswith("step ")
    panel.update(layers=6)  # the picture follows while the job runs
    time.sleep(0.2)
    assert panel.picture.text == "6 layers"
    assert panel.jobs.stop(wait=2)
    assert panel.note.text.startswith("stopped, step ")


def test_line_and_code_bring_the_state_back(panel):
    panel.update(layers=6, hide=["seed"])
    line = "flowviz.panels.make('demo', layers=6, hide=['seed'])"
    assert panel.python_line() == line
    assert panel.header.line == f"import flowviz; {line}"
    assert panel.header.query == "panel=demo&layers=6&hide=seed"
    assert panel.code_view.code == "", "not written while nobody looks"
    panel.code_view.seen = True
    assert line in panel.code_view.code
    panel.update(layers=2)
    assert "layers=2" in panel.code_view.code


def test_presenting_is_a_setting_that_a_link_holds(panel):
    panel.header.presenting = True
    assert "fv-present" in panel.widget._dom_classes
    assert "present=1" in panel.link()
    panel.restore("layers=4")
    assert "fv-present" not in panel.widget._dom_classes and not panel.header.presenting


def test_data_are_the_state_and_the_numbers(panel):
    data = json.loads(panel.data())
    assert data["state"] == panel.state
    assert data["numbers"]["KL(p*‖p) (Forward: KL(p* ‖ p))"] == "0.042 ± 0.004"


def test_displays_as_its_widget(panel):
    data, _ = panel._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.widget.model_id


def test_close_stops_the_job_and_closes_every_widget():
    import ipywidgets

    before = set(ipywidgets.widget._instances)
    panel = Demo()
    panel.count()
    time.sleep(0.05)
    panel.close()
    assert not panel.jobs.running
    left = {key: w for key, w in ipywidgets.widget._instances.items() if key not in before}
    assert not left, left

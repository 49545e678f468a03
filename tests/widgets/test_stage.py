"""The Python half of the stage: what marks accept and refuse, and what is sent when."""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from ipywidgets import Widget
from traitlets import TraitError

from flowviz.widgets.stage import (
    Contours,
    Field,
    Grid,
    Handles,
    Image,
    Lines,
    Moment,
    Particles,
    Paths,
    Shapes,
    Stage,
    export,
)

RNG = np.random.default_rng(0)
SQUARE = (-1.0, 1.0, -1.0, 1.0)


def states(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def unpacked(sent: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(sent["data"], dtype=np.float32).reshape(sent["shape"])


def buffers(value: Any) -> int:
    """How many bytes of buffers are in a message."""
    if isinstance(value, memoryview):
        return value.nbytes
    if isinstance(value, dict):
        return sum(buffers(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return sum(buffers(item) for item in value)
    return 0


class Wire:
    """Stands in for the comm: keeps what the widget sends."""

    def __init__(self, widget: Widget) -> None:
        self.messages: list[dict[str, Any]] = []
        self.kernel = object()
        self.comm_id = "wire"
        widget.comm = self  # type: ignore[assignment]

    def send(self, data: dict[str, Any], buffers: list[Any], **_: Any) -> None:
        self.messages.append({"data": data, "bytes": sum(memoryview(b).nbytes for b in buffers)})

    def on_msg(self, _: Any) -> None: ...

    def close(self, *_: Any, **__: Any) -> None: ...


# ---- marks --------------------------------------------------------------------------------------


def test_arrays_and_tensors_are_the_same_to_a_mark() -> None:
    x = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    for given in (x, x.detach().numpy(), x.tolist()):
        sent = Particles(given).to_json()["states"]
        assert sent["shape"] == [3, 5, 2]
        np.testing.assert_allclose(unpacked(sent), x.detach().numpy(), rtol=1e-6)


def test_one_state_stands_still() -> None:
    assert Particles(states(5, 2)).frames == 1
    assert Particles(states(3, 5, 2)).frames == 3
    assert Image(states(4, 6), SQUARE).frames == 1
    assert Grid(states(3, 4, 5, 2), states(3, 3, 4)).frames == 3


def test_points_that_are_not_finite_are_counted() -> None:
    z = states(2, 6, 2)
    z[0, 1, 0], z[1, 1, 1], z[1, 4, 0] = np.nan, np.inf, -np.inf
    assert Particles(z).missing == 2
    assert Particles(z).to_json()["missing"] == 2


def test_no_points_are_fine() -> None:
    stage = Stage(Particles(np.empty((0, 2))))
    assert stage.get_state()["particles"][0]["states"]["shape"] == [1, 0, 2]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Particles(states(5, 3)), "Particles states must have shape [K+1, N, 2]"),
        (lambda: Particles(np.empty((0, 5, 2))), "got [0, 5, 2]"),
        (lambda: Particles("points"), "Particles states must be an array of numbers, got str"),
        (lambda: Particles(states(5, 2), palette="jet"), "Particles palette must be one of ink"),
        (lambda: Particles(states(5, 2), palette="diverging"), "colours by values: give values="),
        (lambda: Particles(states(5, 2), value_range=(0, 1)), "value_range needs values="),
        (lambda: Particles(states(3, 5, 2), values=states(4)), "[3, 5] or [5] to match its states"),
        (lambda: Particles(states(3, 5, 2), values=states(2, 5)), "got [2, 5]"),
        (
            lambda: Particles(states(5, 2), states(5), "diverging", value_range=(1, 1)),
            "finite with low < high",
        ),
        (lambda: Particles(states(5, 2), size=0), "Particles size must be between 0.5 and 40"),
        (lambda: Particles(states(5, 2), opacity=2), "Particles opacity must be between 0 and 1"),
        (lambda: Grid(states(3, 1, 5, 2)), "R ≥ 2 and C ≥ 2"),
        (lambda: Grid(states(3, 4, 5, 2), states(3, 4, 5)), "[3, 3, 4] or [3, 4]"),
        (lambda: Grid(states(4, 5, 2), lines=False), "draws nothing"),
        (lambda: Grid(states(3, 3, 2), weights=np.ones((2, 2))), "colours of values: give values="),
        (
            lambda: Grid(states(3, 3, 2), states(2, 2), weights=np.ones((3, 2))),
            "Grid weights must have shape [2, 2] to match its cells, got [3, 2]",
        ),
        (
            lambda: Grid(states(3, 3, 2), states(2, 2), weights=np.full((2, 2), np.nan)),
            "Grid weights must be between 0 and 1",
        ),
        (lambda: Image(states(2), SQUARE), "Image values must have shape [K+1, H, W]"),
        (lambda: Image(states(2, 2), (0, 1, 2)), "must be four finite numbers"),
        (lambda: Image(states(2, 2), (0, 1, 2, 2)), "ymin < ymax"),
        (lambda: Image(states(2, 2), (0, float("nan"), 0, 1)), "four finite numbers"),
        (lambda: Contours(states(1, 5), SQUARE), "at least 2 × 2"),
        (lambda: Contours(states(5, 5), SQUARE, levels=()), "at least one"),
        (lambda: Field(states(5, 2), states(4, 2)), "5 points but vectors for 4"),
        (lambda: Paths(states(5, 2)), "Paths states must have shape [S+1, M, 2]"),
        (lambda: Paths(states(5, 3, 2), palette="sequential"), "Paths palette must be one of"),
        (lambda: Shapes(states(3, 2)), "[K+1, M, V, 2] or [M, V, 2], got [3, 2]"),
        (lambda: Lines(states(5, 2)), "[K+1, M, S, 2] or [M, S, 2], got [5, 2]"),
        (lambda: Lines(states(2, 5, 2), band=states(2, 4, 2)), "Lines band must be shaped as"),
        (lambda: Handles(states(3, 2), labels=["one"]), "3 points but 1 labels"),
        (lambda: Handles(states(3, 2), shape="star"), "Handles shape must be one of point, knot"),
    ],
)
def test_marks_refuse_in_words(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        make()


def test_a_stretched_cell_does_not_flatten_the_others() -> None:
    values = np.full((10, 10), 0.5)
    values[0, 0] = 80.0
    low, high = Grid(states(11, 11, 2), values).value_range
    assert (low, high) == (-0.5, 0.5)
    # The state before, where nothing is stretched yet, takes no part.
    both = np.stack([0 * values, values])
    assert Grid(states(2, 11, 11, 2), both).value_range == (-0.5, 0.5)


def test_a_flow_that_preserves_volume_stays_grey() -> None:
    values = 1e-7 * states(3, 4)
    low, high = Grid(states(4, 5, 2), values).value_range
    assert high >= 0.05 and low == -high


def test_contour_levels_are_fractions_of_the_largest_value_unless_absolute() -> None:
    values = np.array([[0.0, 1.0], [2.0, 4.0]])
    assert Contours(values, SQUARE, levels=(0.5,)).levels == [2.0]
    assert Contours(values, SQUARE, levels=(0.5,), absolute=True).levels == [0.5]


def test_a_density_begins_at_nothing() -> None:
    assert Image([[2.0, 4.0]], SQUARE).value_range == (0.0, 4.0)
    assert Image([[0.0, 0.0]], SQUARE).value_range == (0.0, 1.0)
    assert Image([[-1.0, 3.0]], SQUARE, palette="diverging").value_range[0] < 0


# ---- the stage ----------------------------------------------------------------------------------


def test_marks_go_into_their_lists() -> None:
    stage = Stage([Particles(states(3, 5, 2)), Handles(states(2, 2)), Particles(states(4, 2))])
    assert [len(stage.particles), len(stage.handles), len(stage.grids)] == [2, 1, 0]
    assert stage.frames == 3
    stage.grids = Grid(states(3, 4, 4, 2))  # one mark in place of a list
    assert len(stage.grids) == 1


def test_states_must_agree() -> None:
    stage = Stage([Particles(states(3, 5, 2)), Grid(states(3, 4, 4, 2))])
    with pytest.raises(ValueError, match=r"got Grid 3, Particles 4; set them together"):
        stage.particles = Particles(states(4, 5, 2))
    assert stage.particles[0].frames == 3
    stage.show(Particles(states(4, 5, 2)), Grid(states(4, 4, 4, 2)))
    assert stage.frames == 4
    with pytest.raises(ValueError, match="set them together"):
        stage.show(Particles(states(2, 5, 2)))
    assert stage.particles[0].frames == 4


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"window": (1, -1, 0, 1)}, "window must have xmin < xmax"),
        ({"window": (0, float("inf"), 0, 1)}, "window must be four finite"),
        ({"position": -1}, "position must be between 0 and K"),
        ({"speed": 1}, "speed must be 50 to 10000"),
        ({"readout": {"label": "Σ"}}, "readout must have label and values"),
        ({"direction": "sideways"}, "direction"),
        ({"drawing": "lines"}, "drawing"),
    ],
)
def test_traits_refuse_in_words(traits: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TraitError), match=re.escape(words)):
        Stage(**traits)


def test_not_a_mark() -> None:
    with pytest.raises(TypeError, match=r"a stage draws Particles, .*; got ndarray"):
        Stage([states(3, 2)])


def test_an_update_sends_its_own_kind_alone_and_eight_bytes_a_point_and_state() -> None:
    stage = Stage([Particles(states(5, 1000, 2)), Grid(states(5, 21, 21, 2), states(5, 20, 20))])
    wire = Wire(stage)
    stage.particles = [Particles(states(5, 1000, 2))]
    (message,) = wire.messages
    assert set(message["data"]["state"]) == {"particles"}
    assert message["bytes"] == 8 * 5 * 1000
    assert len(json.dumps(message["data"])) < 500


def test_show_sends_one_message() -> None:
    stage = Stage([Particles(states(5, 10, 2))])
    wire = Wire(stage)
    stage.show(Particles(states(5, 10, 2)), Grid(states(5, 4, 4, 2)))
    (message,) = wire.messages
    assert set(message["data"]["state"]) == {"particles", "grids"}


def test_buffers_stay_binary_in_the_state() -> None:
    stage = Stage([Particles(states(2, 10, 2), states(10), "sequential")])
    assert buffers(stage.get_state()["particles"]) == 4 * (2 * 10 * 2 + 10)


def test_what_the_page_says_is_not_echoed() -> None:
    stage = Stage([Handles(states(2, 2), labels=["a", "b"], noun="mode")])
    wire = Wire(stage)
    moved = stage.get_state()["handles"]
    moved[0]["points"] = [[0.5, 1.5], [2.0, None]]
    seen = []
    stage.observe(lambda change: seen.append(change["new"]), "handles")
    stage.set_state({"handles": moved, "held": {"set": 0, "index": 0}})
    stage.set_state({"position": 0.25, "playing": True, "probe": [1.0, 2.0], "picked": 3})
    assert [m["data"]["method"] for m in wire.messages] == []
    assert stage.handles[0].points[0].tolist() == [0.5, 1.5]
    assert np.isnan(stage.handles[0].points[1, 1])
    assert stage.handles[0].labels == ["a", "b"] and stage.handles[0].noun == "mode"
    assert len(seen) == 1
    assert (stage.position, stage.picked, stage.probe) == (0.25, 3, [1.0, 2.0])


def test_a_handle_that_python_holds_back_is_sent() -> None:
    stage = Stage([Handles([[0.0, 0.0]])])
    wire = Wire(stage)

    def keep_on_the_axis(change: Any) -> None:
        (x, _), *_ = change["new"][0].points.tolist()
        stage.handles = Handles([[x, 0.0]])

    stage.observe(keep_on_the_axis, "handles")
    moved = stage.get_state()["handles"]
    moved[0]["points"] = [[0.5, 1.5]]
    stage.set_state({"handles": moved})
    last = wire.messages[-1]["data"]["state"]["handles"][0]["points"]
    assert last == [[0.5, 0.0]]


def test_a_worker_draws_while_the_page_scrubs() -> None:
    stage = Stage([Particles(states(3, 10, 2))])
    wire = Wire(stage)
    problems: list[Exception] = []

    def draw() -> None:
        try:
            for i in range(300):
                with stage.hold_sync():
                    stage.title, stage.description = f"title {i}", f"words {i}"
                    stage.window = (-1.0 - i, 1.0, -1.0, 1.0)
        except Exception as error:
            problems.append(error)

    def scrub(change: Any) -> None:
        with stage.hold_sync():
            stage.probe = [change["new"], 0.0]
            stage.speed = 100 + 100 * change["new"]

    stage.observe(scrub, "position")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        worker = threading.Thread(target=draw)
        worker.start()
        for i in range(300):
            stage.set_state({"position": float(i % 7)})
        worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert problems == []
    arrived: dict[str, Any] = {}
    for message in wire.messages:
        arrived |= message["data"]["state"]
    assert (arrived["title"], arrived["description"]) == ("title 299", "words 299")
    assert arrived["speed"] == stage.speed


def test_drawn_points_arrive_as_an_array() -> None:
    stage = Stage(drawing="points")
    assert stage.drawn.shape == (0, 2)
    points = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    stage.set_state({"drawn": memoryview(points.tobytes())})
    np.testing.assert_array_equal(stage.drawn, points)
    assert stage.drawn.dtype == np.float32
    with pytest.raises(TraitError, match=r"drawn must have shape \[n, 2\]"):
        stage.drawn = [1.0, 2.0, 3.0]


# ---- the film of a training run -----------------------------------------------------------------


def moment(step: int, *shape: int) -> Moment:
    return Moment(step, [Particles(states(*(shape or (3, 5, 2))))])


def test_a_film_travels_in_half_precision() -> None:
    stage = Stage([Particles(states(3, 5, 2))])
    wire = Wire(stage)
    z = states(3, 5, 2)
    z[0, 0], z[0, 1, 0] = [1e9, -1e9], np.nan
    stage.film = [Moment(10, [Particles(z, values=z[..., 0], palette="diverging")])]
    (message,) = wire.messages
    assert set(message["data"]["state"]) == {"film"}
    assert message["bytes"] == 2 * (3 * 5 * 2 + 3 * 5)
    (sent,) = stage.get_state()["film"]
    assert sent["step"] == 10
    (particles,) = sent["marks"]["particles"]
    half = np.frombuffer(particles["states"]["data"], np.float16).reshape(3, 5, 2)
    assert particles["states"]["half"] and half[0, 0].tolist() == [65504, -65504]
    np.testing.assert_allclose(half[1:], z[1:], rtol=1e-3, atol=1e-6)
    assert np.isnan(half[0, 1, 0])


@pytest.mark.parametrize(
    ("film", "words"),
    [
        (lambda: [moment(s) for s in range(41)], "a film has at most 40 moments, got 41"),
        (lambda: [moment(5), moment(5)], "the steps of a film must go up, got [5, 5]"),
        (lambda: [moment(0, 4, 5, 2)], "one number of states K+1, got Particles 3, Particles 4"),
        (
            lambda: [moment(s, 1, 600_000, 2) for s in (0, 1)],
            "this film has 4.8 MB, more than 4 MB",
        ),
        (lambda: [moment(-1)], "a whole number of at least 0, got -1"),
        (lambda: [moment(1.5)], "a whole number of at least 0, got 1.5"),  # type: ignore[arg-type]
        (lambda: [Moment(0, [])], "at least one mark"),
        (lambda: [Moment(0, [Handles(states(1, 2))])], "marks other than handles; got Handles"),
        (lambda: [states(3, 5, 2)], "film"),
    ],
)
def test_a_film_refuses_in_words(film: Any, words: str) -> None:
    stage = Stage([Particles(states(3, 5, 2))], film=[moment(1)])
    with pytest.raises((ValueError, TypeError, TraitError), match=re.escape(words)):
        stage.film = film()
    assert [m.step for m in stage.film] == [1]


def test_a_moment_may_stand_still_and_hold_other_kinds() -> None:
    stage = Stage([Particles(states(3, 5, 2))])
    stage.film = [Moment(0, Image(states(4, 4), SQUARE)), Moment(9, [Particles(states(7, 2))])]
    assert [list(m["marks"]) for m in stage.get_state()["film"]] == [["images"], ["particles"]]


def test_every_stage_has_a_key_of_its_own() -> None:
    assert len({Stage().key, Stage().key, ""}) == 3


# ---- the page of its own ------------------------------------------------------------------------


def test_the_page_holds_everything_and_fetches_nothing() -> None:
    given = states(3, 7, 2)
    html = Stage([Particles(given)], title="A <b>title</b>", loop=True).to_html()
    state = json.loads(re.search(r'application/json">(.*?)</script>', html, re.S)[1])
    (own,) = state["stages"]
    sent = own["particles"][0]["states"]
    got = np.frombuffer(base64.b64decode(sent["data"]), np.float32).reshape(sent["shape"])
    np.testing.assert_allclose(got, given, rtol=1e-6)
    assert own["loop"] is True and own["title"] == state["title"] == "A <b>title</b>"
    assert "<title>A &lt;b&gt;title&lt;/b&gt;</title>" in html
    assert "--fv-card" in html and "import " not in html.split("$main")[-1]
    for address in re.findall(r"https?://[^\s\"'`)]+", html):
        assert address == "http://www.w3.org/2000/svg"


def test_several_stages_share_a_page() -> None:
    left, right = Stage(Particles(states(3, 5, 2)), title="own"), Stage(title="too")
    left.film = [moment(7)]
    html = export.page([left, right], title="Both", titles=["A", "B"], voices=["forward", ""])
    state = json.loads(re.search(r'application/json">(.*?)</script>', html, re.S)[1])
    assert [(s["title"], s["voice"]) for s in state["stages"]] == [("A", "forward"), ("B", "")]
    assert [len(s["film"]) for s in state["stages"]] == [1, 0]
    assert "<title>Both</title>" in html
    untitled = json.loads(
        re.search(r'application/json">(.*?)</script>', export.page([left]), re.S)[1]
    )
    assert untitled["stages"][0]["title"] == "own"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"titles": ["one"]}, "2 stages need as many titles, got 1"),
        ({"voices": ["forward"]}, "2 stages need as many voices, got 1"),
        ({"voices": ["forward", "loud"]}, "forward, reverse or empty; got 'loud'"),
    ],
)
def test_a_page_refuses_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        export.page([Stage(), Stage()], **options)
    with pytest.raises(ValueError, match="at least one stage"):
        export.page([])


def test_save_html(tmp_path: Any) -> None:
    path = Stage(Particles(states(3, 2))).save_html(tmp_path / "stage.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")

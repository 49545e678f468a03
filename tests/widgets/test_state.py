"""The declared state: round trips of any valid state, and no link that can raise."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowviz.widgets.state import (
    MAX_QUERY_BYTES,
    Choice,
    Integer,
    PanelState,
    Points,
    Real,
    Text,
    Toggle,
)


class State(PanelState):
    buttons = ("train",)
    target = Choice("ring", {"ring": "Ring", "two_moons": "Two moons"})
    layers = Integer(4, 1, 12)
    seed = Integer(0, 0, 2**31 - 1)
    rate = Real(0.003, 1e-4, 0.1, log=True)
    shift = Real(0.0, -50.0, 50.0)
    grid = Toggle(True)
    formula = Text("exp(-x^2)")
    points = Points()
    start = Points([(0, 0)], count=1)


coordinate = st.floats(-100, 100)
states = st.fixed_dictionaries(
    {},
    optional={
        "target": st.sampled_from(["ring", "two_moons"]),
        "layers": st.integers(1, 12),
        "seed": st.integers(0, 2**31 - 1),
        "rate": st.floats(1e-4, 0.1),
        "shift": st.floats(-50, 50),
        "grid": st.booleans(),
        "formula": st.text(max_size=60),
        "points": st.lists(st.tuples(coordinate, coordinate), max_size=20),
        "start": st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=1),
        "hide": st.lists(st.sampled_from(["layers", "seed", "train"]), max_size=3),
    },
)


@given(states)
@example({"shift": -0.0, "points": [(-0.0, -0.0001)]})
def test_any_state_round_trips_through_dict_json_and_link(values):
    state = State(**values)
    plain = state.to_dict()
    assert State(**plain).to_dict() == plain
    assert State(**json.loads(json.dumps(plain))).to_dict() == plain
    assert State(**State.from_json(state.to_json())).to_dict() == plain
    good, messages = State.from_query(state.to_query())
    assert messages == []
    assert State(**good).to_dict() == plain


NAMES = ["target", "layers", "seed", "rate", "shift", "grid", "formula", "points", "hide", "who"]


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(st.characters()),
        st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=30))).map(
            lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
        ),
    )
)
@example("points=" + "1,2;" * 5_000)
@example("layers=" + "9" * 5_000)
@example("rate=1e999&shift=nan&shift=-inf&points=nan,nan")
@example("hide=layers,layers,nobody")
@example("%00%ff%fe=%d8%00&=&==&&;")
@example("\ud800=\udfff&formula=\ud800")
@example("&".join(["layers=1"] * 5_000))
def test_no_link_raises_and_what_it_gives_is_valid(query):
    good, messages = State.from_query(query)
    state = State(**good)
    assert all(isinstance(message, str) and len(message) < 500 for message in messages)
    again, none = State.from_query(state.to_query())
    assert none == []
    assert State(**again).to_dict() == state.to_dict()


def test_link_holds_only_what_differs():
    assert State().to_query() == ""
    state = State(layers=6, points=[(1, 2.5), (-3, 0)], hide=["seed", "layers"])
    assert state.to_query() == "layers=6&points=1,2.5;-3,0&hide=layers,seed"


def test_long_links_are_not_read():
    good, messages = State.from_query("formula=" + "x" * MAX_QUERY_BYTES)
    assert good == {}
    assert messages == [f"the link is longer than {MAX_QUERY_BYTES} bytes and was not read"]


def test_messages_name_key_value_and_what_is_allowed():
    _, messages = State.from_query(
        "?layers=99&rate=fast&grid=maybe&target=blob&who=me&panel=x", ignore=["panel"]
    )
    assert sorted(messages) == [
        "grid='maybe' is not allowed: true or false",
        "layers=99 is not allowed: a whole number from 1 to 12",
        "rate='fast' is not allowed: a number from 0.0001 to 0.1",
        "target='blob' is not allowed: one of ring, two_moons",
        "there is no setting 'who': the names are target, layers, seed and 10 more",
    ]


MANY = [f"name_{i}" for i in range(45)]


class Long(State):
    """More settings, options and controls than a phone's screen can list."""

    buttons = ("train", "stop", "reset")
    family = Choice("name_0", MANY)
    widths = Choice("8,8", ["8,8", "16,16"])
    extra = Toggle(True)
    more = Toggle(True)


@pytest.mark.parametrize(
    "query, message",
    [
        ("family=nam_17", "family='nam_17' is not allowed (did you mean 'name_17'?)"),
        (
            "family=zzz",
            "family='zzz' is not allowed: one of name_0, name_1, name_2 and 42 more",
        ),
        ("traget=ring", "there is no setting 'traget' (did you mean 'target'?)"),
        ("zzz=1", "there is no setting 'zzz': the names are target, layers, seed and 14 more"),
        ("widths=8,9", "widths='8,9' is not allowed (did you mean '8,8'?): one of '8,8', '16,16'"),
        ("widths=x", "widths='x' is not allowed: one of '8,8', '16,16'"),
        (
            "target=rings",
            "target='rings' is not allowed (did you mean 'ring'?): one of ring, two_moons",
        ),
    ],
)
def test_messages_have_the_nearest_name_and_no_long_list(query, message):
    assert Long.from_query(query) == ({}, [message])


@pytest.mark.parametrize(
    ("query", "kept", "message"),
    [
        ("hide=seed,rat", ("seed",), "hide='rat' is not allowed (did you mean 'rate'?)"),
        ("hide=rat,rat2,layers", ("layers",), "hide=['rat', 'rat2'] is not allowed (did you"),
        ("hide=nobody", (), "hide='nobody' is not allowed: names among"),
    ],
)
def test_a_bad_name_to_hide_in_a_link_spoils_itself_alone(query, kept, message):
    good, [said] = Long.from_query(query)
    assert good == {"hide": kept}
    assert said.startswith(message)


@pytest.mark.parametrize(
    "bad",
    [
        {"layers": 0},
        {"layers": 4.5},
        {"layers": True},
        {"layers": "4"},
        {"layers": None},
        {"layers": math.inf},
        {"layers": 10**400},
        {"rate": math.nan},
        {"rate": 10**400},
        {"grid": 1},
        {"formula": "x" * 501},
        {"formula": "\ud800"},
        {"points": [[1]]},
        {"points": [[1, 2, 3]]},
        {"points": [["a", "b"]]},
        {"points": [[1, math.nan]]},
        {"points": [[1, 101]]},
        {"points": np.zeros((2_001, 2))},
        {"points": "1,2"},
        {"points": 3},
        {"points": [None]},
        {"start": []},
        {"hide": ["nobody"]},
        {"hide": 3},
        {"hide": [["layers"]]},
        {"nobody": 3},
        {3: 3},
    ],
)
def test_updates_are_all_or_nothing(bad):
    state = State(layers=7)
    before, told = state.to_dict(), []
    state.on_change(told.append)
    with pytest.raises(ValueError) as error:
        state.update({"target": "two_moons", **bad})
    assert str(next(iter(bad))) in str(error.value)
    assert len(str(error.value)) < 400
    assert state.to_dict() == before
    assert told == []


def test_assignment_is_validated_too():
    state = State()
    with pytest.raises(ValueError, match="layers=99 is not allowed"):
        state.layers = 99
    assert state.layers == 4


def test_numpy_values_become_plain():
    state = State(layers=np.int64(3), rate=np.float32(0.01), points=np.ones((2, 2)))
    assert type(state.layers) is int
    assert type(state.rate) is float
    assert state.points == ((1.0, 1.0), (1.0, 1.0))
    json.dumps(state.to_dict())


def test_listeners_hear_once_an_update_and_not_of_what_stayed():
    state, told = State(), []
    state.on_change(told.append)
    state.update({"layers": 5, "grid": False, "target": "ring"})
    state.layers = 5
    state.layers = 6
    state.replace({"layers": 6})
    assert told == [frozenset({"layers", "grid"}), frozenset({"layers"}), frozenset({"grid"})]


def test_files_round_trip_and_bad_ones_are_refused(tmp_path):
    state = State(layers=7, formula="π ≤ x")
    state.save(tmp_path / "state.json")
    assert State(**State.read(tmp_path / "state.json")).to_dict() == state.to_dict()
    for text in ("", "[1]", "{", '{"layers": 99}', "[" * 100_000, "null", '{"rate": NaN}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match=r"bad\.json"):
            State.read(tmp_path / "bad.json")
    with pytest.raises(OSError):
        State.read(tmp_path / "none.json")


def test_bad_declarations_fail_at_once():
    with pytest.raises(ValueError):
        Choice("c", ["a", "b"])
    with pytest.raises(ValueError):
        Integer(13, 1, 12)
    with pytest.raises(ValueError, match="positive minimum"):
        Real(0.5, 0.0, 1.0, log=True)


def test_subclasses_inherit_fields_and_what_may_be_hidden():
    class More(State):
        extra = Toggle(False)

    own = [name for name in State.fields() if name not in State.VIEW]
    assert list(More.fields()) == [*own, "extra", *State.VIEW]
    assert More(hide=["extra"]).hide == ("extra",)
    with pytest.raises(ValueError):
        State(hide=["extra"])

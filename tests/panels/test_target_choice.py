"""Choosing a target, without a browser: every way in, and every way to go wrong."""

from __future__ import annotations

import io

import ipywidgets as widgets
import numpy as np
import pytest
import torch

import flowviz
from flowviz import targets
from flowviz.panels.parts.target_choice import MOST_POINTS, TargetChoice, TargetState
from flowviz.widgets.panel import Panel, Screen
from flowviz.widgets.run_bar import RunBar
from flowviz.widgets.stage import Stage


class Choice(Panel):
    """The part with nothing around it."""

    State = TargetState

    def build(self) -> Screen:
        self.stage = Stage()
        self.choice = TargetChoice(self, self.stage)
        return Screen(
            pictures=[self.stage],
            stages=[self.stage],
            controls=self.choice.widget,
            run=RunBar(training=False),
            companion=widgets.HTML(),
        )


class Choosing:
    """A panel that has a target to choose, and what is looked at in it."""

    def __init__(self, **state):
        self.panel = Choice(**state)
        self.settings, self.controls = self.panel.settings, self.panel.controls
        self.choice, self.stage = self.panel.choice, self.panel.stage
        self.points, self.formula = self.choice._points, self.choice._formula

    def upload(self, name, content):
        self.points._file._handle_custom_msg({"name": name}, [memoryview(content)])

    @property
    def words(self):
        return self.points._words.text


@pytest.fixture
def made():
    panels = []

    def make(**state):
        panels.append(Choosing(**state))
        return panels[-1]

    yield make
    for one in panels:
        one.panel.close()


def density_of(code):
    """What the lines of ``code`` call ``target``, as its density at some points."""
    names = {"flowviz": flowviz}
    exec(code, names)
    return names["target"].log_prob(torch.tensor([[0.3, -1.0], [2.0, 0.5]]))


def test_every_name_is_offered_and_made(made):
    chooser = made()
    offered = chooser.settings.fields()["target"].options
    assert list(offered) == [*targets.names(), "points", "formula"]
    for name in targets.names():
        chooser.controls["target"].value = name
        assert chooser.settings.target == name
        assert chooser.choice.target() is targets.make(name)
        assert chooser.choice.code() == f"target = flowviz.targets.make({name!r})"


def test_the_boxes_show_only_where_they_count(made):
    chooser = made()
    formula, points = chooser.formula.widget, chooser.points.widget
    assert (formula.layout.display, points.layout.display) == ("none", "none")
    chooser.settings.target = "formula"
    assert (formula.layout.display, points.layout.display) == (None, "none")
    chooser.settings.target = "points"
    assert (formula.layout.display, points.layout.display) == ("none", None)


def test_a_formula_makes_its_density(made):
    chooser = made(target="formula", formula="-(x^2 + 4*y^2)/2")
    x = torch.tensor([[0.5, 0.25], [-1.0, 1.0]])
    given = chooser.choice.target().log_density(x)
    assert torch.allclose(given, -(x[:, 0] ** 2 + 4 * x[:, 1] ** 2) / 2, atol=1e-4)
    assert chooser.choice.error == ""
    same = chooser.choice.target()
    chooser.controls["formula"].value = "-abs(x) - abs(y)"
    assert chooser.choice.target() is not same


@pytest.mark.parametrize(
    "formula",
    ["__import__('os').system('x')", "x +", "", "9^9^9^9^x", "().__class__", "exp(exp(exp(x*9)))"],
)
def test_a_bad_formula_is_explained_under_it_and_the_last_good_target_stays(made, formula):
    chooser = made(target="formula", formula="-(x^2 + y^2)/2")
    good = chooser.choice.target()
    chooser.settings.formula = formula
    assert chooser.choice.target() is good
    assert chooser.choice.error
    assert chooser.formula._words.text == chooser.choice.error
    assert chooser.formula._words.layout.display is None
    assert chooser.choice.code() == "target = flowviz.targets.from_formula('-(x^2 + y^2)/2')"
    chooser.settings.formula = "-x^2 - y^2"
    assert chooser.choice.error == ""
    assert chooser.formula._words.layout.display == "none"


def test_a_bad_formula_points_at_the_place(made):
    chooser = made(target="formula", formula="-x^2 - q*y")
    assert "'q' is not known here" in chooser.choice.error
    assert "\n  -x^2 - q*y\n         ^ column 8" in chooser.choice.error
    assert '<div role="alert">' in chooser.formula._words.value


@pytest.mark.parametrize("formula", ["x" + "+x" * 3_000, "(" * 1_000 + "x" + ")" * 1_000])
def test_a_formula_that_is_too_long_stays_in_its_box_and_is_explained(made, formula):
    chooser = made(target="formula", formula="x + q")
    box = chooser.controls["formula"]
    box.value = formula
    assert box.value == formula and chooser.settings.formula == "x + q"
    said = f"a formula has at most 1,000 characters, this has {len(formula):,}"
    assert chooser.formula._words.text == said
    # and it still does after a look at another target
    chooser.settings.target = "banana"
    chooser.settings.target = "formula"
    assert chooser.formula._words.text == said
    # the formula before is good again, as it was
    box.value = "x + q"
    assert "'q' is not known here" in chooser.formula._words.text
    box.value = formula
    chooser.settings.formula = "-x^2 - y^2"
    assert box.value == "-x^2 - y^2" and chooser.formula._words.text == ""


def test_a_formula_as_long_as_it_may_be_is_taken(made):
    chooser = made(target="formula")
    chooser.controls["formula"].value = "-x^2 - y^2".ljust(1_000)
    assert len(chooser.settings.formula) == 1_000 and chooser.choice.error == ""


def test_an_error_goes_to_the_panel_where_the_box_is_hidden(made):
    chooser = made(target="formula", formula="x +", hide=["formula"])
    assert chooser.choice.error
    assert chooser.panel._message.text == chooser.choice.error


def test_no_points_keep_the_target_and_ask_for_some(made):
    chooser = made(target="points")
    assert chooser.choice.target() is targets.make("eight_gaussians")
    assert chooser.choice.code() == "target = flowviz.targets.make('eight_gaussians')"
    assert "Draw points on the picture" in chooser.words


def test_the_picture_is_drawn_on_while_ones_own_points_are_the_target(made):
    chooser = made()
    assert chooser.stage.drawing == "off"
    chooser.settings.target = "points"
    assert chooser.stage.drawing == "points"
    chooser.stage.drawn = np.array([[0.5, 1], [2, 2]])
    assert chooser.settings.points == ((0.5, 1), (2, 2))
    chooser.settings.target = "banana"
    assert chooser.stage.drawing == "off" and len(chooser.stage.drawn) == 0
    assert chooser.settings.points == ((0.5, 1), (2, 2)), "they are kept"
    chooser.settings.target = "points"
    assert chooser.stage.drawn.tolist() == [[0.5, 1], [2, 2]]
    chooser.settings.hide = ["points"]
    assert chooser.stage.drawing == "off"


def test_six_thumbnails_are_in_sight_and_all_have_a_name_that_fits(made):
    gallery = made().controls["target"]
    assert len(gallery.favourites) == 5 and set(gallery.favourites) <= set(targets.names())
    assert [tile["name"] for tile in gallery.tiles] == [*targets.names(), "points", "formula"]
    assert all(tile.get("pixels") for tile in gallery.tiles)
    assert max(len(tile["short"]) for tile in gallery.tiles) <= 14
    assert len({tile["short"] for tile in gallery.tiles}) == len(gallery.tiles)


def test_drawn_points_become_the_target(made):
    chooser = made(target="points")
    drawn = np.random.default_rng(0).normal([1, -2], 0.3, (200, 2)).astype(np.float32)
    chooser.stage.drawn = drawn
    target = chooser.choice.target()
    assert np.allclose(target.points, drawn, atol=6e-4)
    assert chooser.words.startswith("200 points.")
    # the state holds them, and brings them back to another stage
    other = made(**chooser.settings.to_dict())
    assert np.allclose(other.stage.drawn, drawn, atol=6e-4)
    assert torch.equal(other.choice.target().points, target.points)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([(1.0, 2.0)], "One point has no density: at least two different ones are needed."),
        ([(1.0, 2.0)] * 5, "All 5 points are equal: at least two different ones are needed."),
    ],
)
def test_points_that_have_no_density(made, points, words):
    chooser = made(target="points")
    before = chooser.choice.target()
    chooser.stage.drawn = points
    assert chooser.words == f"{words} The target before is kept."
    assert chooser.choice.target() is before


def test_a_csv_becomes_the_target(made):
    chooser = made()
    rows = np.random.default_rng(1).normal(size=(50, 2)) * [3, 100] + [5, -20]
    text = "name;width;height\n" + "\n".join(f"a;{x:.4f};{y:.4f}" for x, y in rows)
    chooser.upload("my data.csv", text.encode())
    assert chooser.settings.target == "points"
    expected = targets.from_csv(text).points
    assert np.allclose(chooser.settings.points, expected, atol=6e-4)
    assert "Read from my data.csv: width and height, centred and scaled." in chooser.words
    assert chooser.points._file.loaded == "my data.csv"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the table is empty"),
        (b"1,2\n3,four\n4,5\n", "line 2, column 'column 2': 'four' is not a number"),
        (b"x,y\n1,2\n3,tall\n4,5\n", "line 3, column 'y': 'tall' is not a number"),
        (b"x,y\n", "a header, but no rows"),
        (b"x,y\n1,2\n", "one point has no density"),
        (b"x,y\n1,2\n1,2\n", "all 2 points are equal"),
        (b"only\n1\n2\n", "two columns must hold numbers"),
        (b"\x89PNG\0\0", "not a text file"),
    ],
)
def test_a_bad_table_changes_nothing_and_is_explained(made, content, words):
    chooser = made(target="two_moons")
    before = chooser.settings.to_dict()
    chooser.upload("bad.csv", content)
    assert chooser.settings.to_dict() == before
    assert words in chooser.words
    assert chooser.words.startswith("Nothing was taken from bad.csv")


def test_a_file_too_large_to_be_sent_is_explained(made):
    chooser = made(target="two_moons")
    chooser.points._file._handle_custom_msg({"name": "huge.csv"}, [])
    assert chooser.settings.target == "two_moons"
    assert "Nothing was taken from huge.csv: it is larger than 8 MiB" in chooser.words


def test_pasted_rows_are_data_and_never_a_path(made, tmp_path):
    chooser = made(target="points")
    chooser.points._table.value = "1, 2\n3, 5\n4, 4\n"
    assert len(chooser.settings.points) == 3
    file = tmp_path / "secret.csv"
    file.write_text("1,2\n3,4\n")
    before = chooser.settings.points
    chooser.points._table.value = str(file)
    assert chooser.settings.points == before
    assert "Nothing was taken" in chooser.words


@pytest.mark.parametrize("rows", ["1 2\n3 5\n4 4", "1\t2\n3\t5\n4\t4", "1;2\n3;5\n4;4"])
def test_pasted_rows_may_be_separated_by_anything_usual(made, rows):
    chooser = made(target="points")
    chooser.points._table.value = rows
    comma = made(target="points")
    comma.points._table.value = "1,2\n3,5\n4,4"
    assert chooser.settings.points == comma.settings.points and len(comma.settings.points) == 3


def test_rows_with_missing_values_and_columns_left_aside_are_told(made):
    chooser = made()
    chooser.upload("iris.csv", b"a,b,c\n1,2,0\n3,,0\n4,5,0\n6,1,0\n")
    assert len(chooser.settings.points) == 3
    assert "Read from iris.csv: a and b, centred and scaled." in chooser.words
    assert "3 columns hold numbers: the first two are taken." in chooser.words
    assert "1 of 4 rows has a missing value and was left out." in chooser.words


def test_with_three_columns_of_numbers_two_are_chosen(made):
    chooser = made(target="points")
    columns = chooser.points._columns
    chooser.upload("two.csv", b"a,b\n1,2\n3,5\n4,4\n")
    assert columns.layout.display == "none"
    chooser.upload("three.csv", b",a,b,c\n0,1,2,9\n1,3,5,7\n2,4,4,8\n")
    assert columns.layout.display is None
    x, y = chooser.points._axes
    assert x.options == ("column 1", "a", "b", "c") and (x.value, y.value) == ("a", "b")
    before = chooser.settings.points
    y.value = "c"
    assert "Read from three.csv: a and c, centred and scaled." in chooser.words
    assert [p[0] for p in chooser.settings.points] == [p[0] for p in before]
    assert chooser.settings.points != before
    x.value = "c"
    assert (x.value, y.value) == ("c", "a"), "they change places"
    assert "Read from three.csv: c and a, centred and scaled." in chooser.words


THREE = b"x,y,z\n1,2,3\n4,5,7\n6,1,9\n8,2,2\n"


def offered(chooser):
    """The columns that the menus name, None where there is nothing to choose."""
    shown = chooser.points._columns.layout.display is None
    return tuple(axis.value for axis in chooser.points._axes) if shown else None


def test_a_choice_that_is_refused_is_taken_back_in_the_menus(made):
    chooser = made(target="points")
    chooser.upload("a.csv", THREE.replace(b",7", b",tall"))
    before = chooser.settings.points
    for axis in chooser.points._axes:
        axis.value = "z"
        assert "line 3, column 'z': 'tall' is not a number" in chooser.words
        assert offered(chooser) == ("x", "y") and chooser.settings.points == before
    chooser.points._axes[1].value = "x"
    assert offered(chooser) == ("y", "x"), "and another choice is taken"


def test_the_columns_that_are_offered_are_those_of_the_points(made):
    chooser = made(target="points")
    chooser.upload("a.csv", THREE)
    x_and_y = chooser.stage.drawn
    chooser.points._axes[1].value = "z"
    assert offered(chooser) == ("x", "z")
    x_and_z = chooser.stage.drawn
    chooser.stage.drawn = x_and_y  # as the picture's undo does
    assert offered(chooser) == ("x", "y")
    chooser.upload("b.csv", THREE.replace(b"z", b"w"))
    chooser.stage.drawn = x_and_z
    assert offered(chooser) == ("x", "z")
    chooser.points._axes[0].value = "y"
    assert "Read from a.csv: y and z" in chooser.words, "not of the table that came last"
    chooser.stage.drawn = np.array([[0, 1], [1, 0.0]])
    assert offered(chooser) is None


def test_columns_of_one_name_are_chosen_between(made):
    chooser = made(target="points")
    chooser.upload("twins.csv", THREE.replace(b"y", b"x"))
    assert offered(chooser) == ("x", "x (column 2)")
    chooser.points._axes[1].value = "z"
    assert "Read from twins.csv: x and z" in chooser.words


def test_points_that_are_equal_once_the_far_ones_are_out_change_nothing(made):
    chooser = made(target="two_moons")
    chooser.upload("equal.csv", b"x,y\n" + b"0,0\n" * 12_000 + b"1,1\n")
    assert chooser.settings.target == "two_moons"
    assert chooser.words.startswith("Nothing was taken from equal.csv: all 2,000 points are equal")


def test_a_small_spread_on_a_large_mean_is_one(made):
    chooser = made(target="points")
    text = "a,b\n" + "".join(f"{i},{1000 + i * 1e-10:.11f}\n" for i in range(9))
    chooser.upload("fine.csv", text.encode())
    assert np.allclose(
        [y for _, y in chooser.settings.points], targets.from_csv(text).points[:, 1], atol=6e-4
    )
    assert max(abs(y) for _, y in chooser.settings.points) > 1


def test_rounding_in_a_column_that_never_varies_is_no_spread(made):
    chooser = made(target="points")
    chooser.upload("level.csv", b"a,b\n1,0.1\n2,0.1\n5,0.1\n9,0.1\n3,0.1\n7,0.1\n8,0.1\n")
    assert max(abs(p[1]) for p in chooser.settings.points) < 1e-6


def test_what_is_said_of_a_table_goes_and_comes_with_its_points(made):
    chooser = made(target="points")
    chooser.upload("own.csv", b"1,2\n3,5\n4,4\n")
    table = chooser.stage.drawn
    chooser.upload("bad.csv", b"a,b\n")
    assert "Nothing was taken" in chooser.words
    chooser.upload("own.csv", b"1,2\n3,5\n4,4\n")
    assert "Read from own.csv" in chooser.words, "the same table again is taken, too"
    # drawn over, and undone
    chooser.stage.drawn = np.concatenate([table, [[2, 2]]])
    assert chooser.words.startswith("4 points. The density")
    assert chooser.points._file.loaded == ""
    chooser.stage.drawn = table
    assert chooser.words.startswith("3 points. Read from own.csv")
    assert chooser.points._file.loaded == "own.csv"


def test_the_kernel_answers_no_drawing(made):
    """An answer, rounded or subsampled, would be a step that undo stumbles on."""
    chooser = made(target="points")
    answered = []
    for drawn in (np.random.default_rng(4).normal(size=(n, 2)) for n in (30, 5_000)):
        chooser.stage.drawn = drawn
        chooser.stage.observe(answered.append, names=["drawn"])
        chooser.settings.hide = ["formula"] if not chooser.settings.hide else []
        chooser.stage.unobserve(answered.append, names=["drawn"])
    assert answered == []
    chooser.settings.points = [(0.5, 1), (2, 2)]
    assert chooser.stage.drawn.tolist() == [[0.5, 1], [2, 2]]


def test_many_rows_are_subsampled_and_said_so(made):
    rows = np.random.default_rng(2).normal(size=(100_000, 2))
    chooser = made()
    text = io.BytesIO()
    np.savetxt(text, rows, fmt="%.2f", delimiter=",")
    chooser.upload("big.csv", text.getvalue())
    assert len(chooser.settings.points) == MOST_POINTS
    assert f"{MOST_POINTS:,} of 100,000 points are kept" in chooser.words
    spread = np.array(chooser.settings.points).std(0)
    assert np.allclose(spread, 1, atol=0.08)


def test_many_drawn_points_are_subsampled_and_said_so(made):
    chooser = made(target="points")
    chooser.stage.drawn = np.random.default_rng(3).normal(size=(5_000, 2))
    assert len(chooser.settings.points) == MOST_POINTS
    assert "2,000 of 5,000 drawn points are used" in chooser.words


def test_values_far_out_are_left_out_and_said_so(made):
    rows = np.zeros((12_000, 2))
    rows[::2] = 1
    rows[0] = 1e9
    chooser = made()
    chooser.upload("far.csv", "\n".join(f"{x},{y}" for x, y in rows).encode())
    assert len(set(chooser.settings.points)) == 2
    assert "1 farther out than 100 deviations are left out" in chooser.words


@pytest.mark.parametrize(
    "state",
    [
        {"target": "banana"},
        {"target": "formula", "formula": "-(x^2 + 4*y^2)/2"},
        {"target": "points", "points": [(0.5, 1.25), (-1.125, 2), (0.75, -1)] * 20},
    ],
)
def test_the_code_makes_the_same_target(made, state):
    chooser = made(**state)
    x = torch.tensor([[0.3, -1.0], [2.0, 0.5]])
    assert torch.equal(density_of(chooser.choice.code()), chooser.choice.target().log_prob(x))

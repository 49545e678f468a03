"""Charts as the kernel sees them: what they send, what they say, what they refuse."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pytest

from flowviz.widgets.charts import (
    Axis,
    BarChart,
    Chart,
    Curve,
    Heatmap,
    LineChart,
    LossChart,
    Points,
    Series,
    bundle,
)
from flowviz.widgets.charts.line import MOST_POINTS
from flowviz.widgets.charts.loss import LEAST_STEPS


def array(chart: Chart, path: str) -> np.ndarray:
    packed = chart.arrays[path]
    return np.frombuffer(packed["data"], packed["dtype"]).reshape(packed["shape"])


def test_a_chart_does_not_import_plotly():
    script = (
        "import sys; from flowviz.widgets.charts import LossChart; LossChart('x')\n"
        "assert not {'plotly', 'torch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_arrays_travel_as_binary_wherever_they_are():
    chart = Chart("a chart")
    y = np.linspace(0, 1, 5)
    chart.show([{"type": "scatter", "y": y, "marker": {"size": np.arange(5), "color": "red"}}])
    assert chart.traces == [{"type": "scatter", "marker": {"color": "red"}}]
    np.testing.assert_array_equal(array(chart, "0.y"), y.astype(np.float32))
    assert array(chart, "0.marker.size").dtype == np.int32
    assert all(isinstance(packed["data"], bytes) for packed in chart.arrays.values())


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 2)), np.array(["a"]), np.array(3.0)])
def test_arrays_that_cannot_travel_are_refused(bad):
    with pytest.raises(ValueError, match=r"0\.y"):
        Chart("a chart").show([{"y": bad}])


def test_plotly_goes_to_whoever_asks_for_it():
    chart, sent = Chart("a chart"), []
    chart.send = lambda content, buffers=None: sent.append((content, buffers))
    for content in (None, {}, {"kind": "other"}, "plotly"):
        chart._handle_custom_msg(content, [])
    assert sent == []
    chart._handle_custom_msg({"kind": "plotly"}, [])
    [(content, [packed])] = sent
    assert content == {"kind": "plotly"}
    assert len(packed) < 1.7e6
    assert gzip.decompress(packed).rstrip().endswith(b"export default module.exports;")
    assert bundle.path().startswith("flowviz/static/plotly-")


def test_losses_thin_out_long_runs_and_keep_the_end():
    chart = LossChart("Objective")
    steps = np.arange(20_001.0)
    chart.show_series([Series("KL", steps, np.sin(steps), np.full_like(steps, 0.1))])
    x = array(chart, "1.x")
    assert len(x) <= MOST_POINTS
    assert x[-1] == 20_000
    assert "KL" in chart.label
    assert "at step 20,000" in chart.label


def test_losses_leave_gaps_for_what_cannot_be_drawn():
    chart = LossChart("Objective", log=True)
    values = np.array([1.0, np.nan, -1.0, 0.5, np.inf])
    chart.show_series([Series("KL", np.arange(5), values, np.full(5, 0.7))])
    band, line = array(chart, "0.y"), array(chart, "1.y")
    assert np.isfinite(line).tolist() == [True, False, False, True, False]
    assert (band > 0).all()  # a logarithmic axis has no place below zero
    assert "0.500 at step 3" in chart.label
    low, high = chart.figure_layout["yaxis"]["range"]
    assert low < np.log10(0.5) < 0 < high


def test_losses_of_nothing_and_of_one_point():
    chart = LossChart("Objective", log=True)
    assert chart.label == "Objective: nothing yet"
    chart.show_series([Series("a", np.zeros(0), np.zeros(0)), Series("b", [0], [2.0])])
    assert chart.label == "Objective: b 2.00 at step 0"
    chart.show_series([Series("a", [0, 1], [np.nan, np.nan])])
    assert chart.label == "Objective: nothing yet"
    with pytest.raises(ValueError, match=r"a: x, y and errors have shapes"):
        chart.show_series([Series("a", [0, 1], [1.0])])


def test_the_first_steps_do_not_fill_the_width():
    chart = LossChart("Objective")
    chart.show_series([Series("a", [3, 4], [2.0, 1.0])])
    assert chart.figure_layout["xaxis"]["range"] == [3, 3 + LEAST_STEPS]
    chart.show_series([Series("a", np.arange(101), np.ones(101))])
    assert chart.figure_layout["xaxis"]["range"] == [0, 100]


def test_the_first_spikes_of_a_loss_leave_the_picture_and_its_end_does_not():
    chart = LossChart("Objective")
    values = np.ones(200)
    values[0], values[-1] = 1_000.0, 3.0
    chart.show_series([Series("a", np.arange(200), values)])
    _, high = chart.figure_layout["yaxis"]["range"]
    assert 3 < high < 10


def test_curves_and_points_on_logarithmic_axes():
    chart = LineChart(
        "Cost",
        title="seconds against D",
        x=Axis("dimension D", log=True),
        y=Axis("seconds", log=True),
    )
    size = np.array([0.0, 2.0, 20.0, 200.0])
    measured = Points("measured", size, size**2, errors=size / 10)
    chart.show_curves([Curve("D²", size, size**2, dash="dash")], [measured])
    line, points = chart.traces
    assert (line["mode"], line["line"]["dash"], points["mode"]) == ("lines", "dash", "markers")
    np.testing.assert_allclose(array(chart, "1.x"), [2, 20, 200])  # zero has no place
    np.testing.assert_allclose(array(chart, "1.error_y.array"), [0.2, 2, 20])
    layout = chart.figure_layout
    low, high = layout["xaxis"]["range"]
    assert low < np.log10(2) < np.log10(200) < high
    assert layout["yaxis"]["title"] == {"text": "seconds"}
    assert [note["text"] for note in layout["annotations"]] == ["D²", "measured"]
    assert layout["annotations"][0]["x"] == pytest.approx(np.log10(200))
    assert chart.label == (
        "Cost: D² 40,000 at dimension D = 200; measured 40,000 at dimension D = 200"
    )


def test_a_band_is_one_standard_error_to_either_side():
    chart = LineChart("A curve")
    chart.show_curves([Curve("f", [0, 1], [1.0, 2.0], errors=[0.25, 0.5])])
    np.testing.assert_allclose(array(chart, "0.y"), [1.25, 2.5, 1.5, 0.75])
    assert chart.traces[0]["fillcolor"] == "--fv-forward/0.18"


def test_axes_keep_their_limits_and_refuse_what_is_no_interval():
    chart = LineChart("A curve", y=Axis(limits=(0, 2)))
    chart.show_curves([Curve("f", [0, 1], [-5.0, 5.0])], x_limits=(-1, 1))
    assert chart.figure_layout["yaxis"]["range"] == [0, 2]
    assert chart.figure_layout["xaxis"]["range"] == [-1, 1]
    chart.show_curves([Curve("flat", [1, 1], [2.0, 2.0])])
    low, high = chart.figure_layout["xaxis"]["range"]
    assert low < 1 < high
    for limits in [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)]:
        with pytest.raises(ValueError, match="from a smaller to a larger"):
            Axis(limits=limits)
    with pytest.raises(ValueError, match="no place for 0"):
        Axis(log=True, limits=(0, 1))
    with pytest.raises(ValueError, match="from a smaller"):
        chart.show_curves([], y_limits=(3, 2))


def test_a_press_reports_its_x_and_nothing_else_does():
    chart, heard = LineChart("A curve"), []
    assert not chart.clickable
    chart.on_click(heard.append)
    assert chart.clickable
    for x in (2, 2.5, "3", None, float("nan"), [1]):
        chart._handle_custom_msg({"kind": "click", "x": x}, [])
    chart._handle_custom_msg({"kind": "other", "x": 1}, [])
    chart._handle_custom_msg("click", [])
    assert heard == [2.0, 2.5]


def test_words_stand_in_the_place_of_a_figure():
    chart = LossChart("Objective")
    chart.show_series([Series("a", [0, 1], [2.0, 1.0])])
    chart.show_words("Press Train:\nit appears here")
    assert chart.traces == []
    assert chart.figure_layout["annotations"][0]["text"] == "Press Train:<br>it appears here"
    assert chart.label == "Objective: Press Train: it appears here"


def test_waterfall_sends_its_film_and_says_the_sum():
    chart = BarChart("log|det|", clock="c")
    assert chart.label == "log|det|: nothing yet"
    film = [[0.0, 0.0, 0.0], [0.1, 0.2, np.nan]]
    chart.show_contributions(["a", "b", "c"], [0.4, -1.2, 0.3], film=film)
    packed = chart.contributions
    rows = np.frombuffer(packed["data"], packed["dtype"]).reshape(packed["shape"])
    np.testing.assert_allclose(rows, [[0.4, -1.2, 0.3], *film], rtol=1e-6)
    assert chart.label == "log|det|: a 0.400, b −1.20, c 0.300; sum −0.500"
    with pytest.raises(ValueError, match="2 names for values of shape"):
        chart.show_contributions(["a", "b"], [1.0])
    with pytest.raises(ValueError, match=r"2 names for a film of shape \(1, 3\)"):
        chart.show_contributions(["a", "b"], [1.0, 2.0], film=[[1, 2, 3]])
    assert chart.names == ["a", "b", "c"]


def test_heatmap_tells_structural_zeros_from_small_numbers():
    chart = Heatmap("Jacobian")
    chart.show_matrix(
        np.array([[1.23, 0.0], [-2.1, 0.0]]), zeros=np.array([[False, True], [False, False]])
    )
    z = array(chart, "0.z")
    assert np.isnan(z).tolist() == [[False, True], [False, False]]
    np.testing.assert_allclose(z[:, 0], [1.23, 2.1])  # the sign is in the number, not the colour
    assert (chart.traces[0]["zmin"], chart.traces[0]["zmax"]) == (0, 2.1)
    np.testing.assert_allclose(array(chart, "1.customdata"), [1.23, 0, -2.1, 0])
    assert chart.traces[0]["customdata"][1] == ["−2.10", "0"]
    assert chart.label == "Jacobian: 1.23, 0; −2.10, 0"
    chart.show_matrix(np.eye(20))
    assert len(chart.traces) == 1
    with pytest.raises(ValueError, match="two dimensions"):
        chart.show_matrix(np.zeros(3))
    with pytest.raises(ValueError, match="zeros has shape"):
        chart.show_matrix(np.zeros((2, 2)), zeros=np.zeros((3, 3)))

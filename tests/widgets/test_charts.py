"""Charts as the kernel sees them: what they send, what they say, what they refuse."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pytest

from flowviz.widgets.charts import BarChart, Chart, Heatmap, LossChart, bundle
from flowviz.widgets.charts.loss import MOST_POINTS, Series, _apart


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
    with pytest.raises(ValueError, match=r"a: steps, values and errors have shapes"):
        chart.show_series([Series("a", [0, 1], [1.0])])


def test_names_at_the_ends_do_not_overlap():
    assert _apart([0.5, 0.51, 0.9], 0.1) == pytest.approx([0.5, 0.6, 0.9])
    assert _apart([0.51, 0.5], 0.1) == pytest.approx([0.6, 0.5])
    chart = LossChart("Objective", height=200)
    pair = [Series("a", [0, 1], [0.0, 1.0]), Series("b", [0, 1], [0.0, 1.001])]
    chart.show_series(pair)
    low, high = chart.figure_layout["yaxis"]["range"]
    heights = [
        (note["y"] - low) / (high - low) * 200 + note["yshift"]
        for note in chart.figure_layout["annotations"]
    ]
    assert heights[1] - heights[0] >= 16.9


def test_waterfall_stacks_and_ends_in_the_sum():
    chart = BarChart("log|det|")
    chart.show_contributions(["a", "b", "c"], [0.4, -1.2, 0.3])
    np.testing.assert_allclose(array(chart, "0.y"), [0.4, -1.2, 0.3, -0.5], rtol=1e-6)
    np.testing.assert_allclose(array(chart, "0.base"), [0, 0.4, -0.8, 0], atol=1e-6)
    assert chart.traces[0]["marker"]["color"][:2] == ["--fv-expand", "--fv-contract"]
    assert chart.label == "log|det|: a 0.400, b −1.20, c 0.300; sum −0.500"
    chart.show_contributions(["a", "b", "c"], [0.4, -1.2, 0.3], upto=1)
    assert array(chart, "0.y")[-1] == np.float32(0.4)
    assert chart.traces[0]["marker"]["color"][1].endswith("/0.25")
    with pytest.raises(ValueError, match="2 names for values of shape"):
        chart.show_contributions(["a", "b"], [1.0])


def test_heatmap_tells_structural_zeros_from_small_numbers():
    chart = Heatmap("Jacobian")
    chart.show_matrix(
        np.array([[1.23, 0.0], [-2.1, 0.0]]), zeros=np.array([[False, True], [False, False]])
    )
    z = array(chart, "0.z")
    assert np.isnan(z).tolist() == [[False, True], [False, False]]
    assert chart.traces[0]["zmax"] == -chart.traces[0]["zmin"] == 2.1
    assert chart.traces[1]["text"] == ["1.23", "0", "−2.10", "0"]
    assert chart.label == "Jacobian: 1.23, 0; −2.10, 0"
    chart.show_matrix(np.eye(20))
    assert len(chart.traces) == 1
    with pytest.raises(ValueError, match="two dimensions"):
        chart.show_matrix(np.zeros(3))
    with pytest.raises(ValueError, match="zeros has shape"):
        chart.show_matrix(np.zeros((2, 2)), zeros=np.zeros((3, 3)))

"""Charts drawn by plotly.js: one copy of it for a page, one figure for each chart's lifetime."""

from flowviz.widgets.charts.bars import BarChart
from flowviz.widgets.charts.chart import Chart
from flowviz.widgets.charts.heatmap import Heatmap
from flowviz.widgets.charts.loss import LossChart

__all__ = ["BarChart", "Chart", "Heatmap", "LossChart"]

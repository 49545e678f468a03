"""Transformers τ(z; h): the monotone functions of one coordinate (section 3.1.1)."""

from flowviz.flows.autoregressive.transformers.additive import Additive
from flowviz.flows.autoregressive.transformers.affine import Affine
from flowviz.flows.autoregressive.transformers.conditional_cdf import (
    GaussianCDF,
    GaussianMixtureCDF,
)
from flowviz.flows.autoregressive.transformers.cubic_spline import CubicSpline
from flowviz.flows.autoregressive.transformers.linear_spline import LinearSpline
from flowviz.flows.autoregressive.transformers.logistic_mixture import LogisticMixture
from flowviz.flows.autoregressive.transformers.monotone_integral import MonotoneIntegral
from flowviz.flows.autoregressive.transformers.quadratic_spline import QuadraticSpline
from flowviz.flows.autoregressive.transformers.rational_quadratic import RationalQuadraticSpline
from flowviz.flows.autoregressive.transformers.sigmoids import Sigmoids, Stages
from flowviz.flows.autoregressive.transformers.sum_of_squares import SumOfSquares
from flowviz.flows.autoregressive.transformers.transformer import Transformer

__all__ = [
    "Additive",
    "Affine",
    "CubicSpline",
    "GaussianCDF",
    "GaussianMixtureCDF",
    "LinearSpline",
    "LogisticMixture",
    "MonotoneIntegral",
    "QuadraticSpline",
    "RationalQuadraticSpline",
    "Sigmoids",
    "Stages",
    "SumOfSquares",
    "Transformer",
]

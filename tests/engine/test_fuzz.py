"""Whatever a constructor or a call is given: it works, or it says in words why not."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import flowviz.flows
import flowviz.inference
import flowviz.objectives
from flowviz.flows import Bijection, Flow, catalog
from flowviz.flows.autoregressive.conditioners import Conditioner
from flowviz.flows.autoregressive.transformers import Transformer
from flowviz.flows.distributions import Base
from tests.engine.engine_checks import dims_of, options_of
from tests.engine.test_bad_input import anything

ALLOWED = (ValueError, TypeError, FloatingPointError)


def public_classes() -> list[type[nn.Module]]:
    """Every concrete layer, transformer, conditioner and base distribution of the engine."""
    found = []
    for module in pkgutil.walk_packages(flowviz.flows.__path__, "flowviz.flows."):
        for _, value in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            kinds = (Bijection, Transformer, Conditioner, Base)
            own = value.__module__ == module.name and not value.__name__.startswith("_")
            # What others in its module build on is no layer by itself.
            base = any(sub.__module__ == module.name for sub in value.__subclasses__())
            if own and issubclass(value, kinds) and value not in kinds and not base:
                found.append(value)
    return found


def sensible(name: str) -> st.SearchStrategy[Any]:
    """Values that a parameter of that name may well take."""
    known: dict[str, st.SearchStrategy[Any]] = {
        "dim": st.integers(1, 4),
        "parameters_per_dim": st.integers(1, 4),
        "hidden": st.just((4,)),
        "context": st.just(0),
        "generator": st.none(),
        "bins": st.integers(2, 5),
        "shape": st.just((1, 2, 2)),
    }
    return known.get(name, st.integers(1, 4))


@pytest.mark.parametrize("kind", public_classes(), ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_constructors(kind: type[nn.Module], data: st.DataObject) -> None:
    parameters = list(inspect.signature(kind).parameters.values())
    arguments = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if (
            parameter.default is parameter.empty
            or parameter.name in WORK
            or data.draw(st.booleans())
        ):
            strange = data.draw(st.integers(0, 3)) == 0
            strategy = anything if strange else sensible(parameter.name)
            arguments[parameter.name] = data.draw(strategy)
    try:
        made = kind(**arguments)
    except ALLOWED as error:
        assert len(str(error)) > 10, f"{type(error).__name__} says too little: {error}"
        return
    if isinstance(made, Bijection):
        context = torch.zeros(made.context) if made.context else None
        image, logabsdet = made.eval()(torch.zeros(3, made.dim), context)
        assert image.isfinite().all() and logabsdet.isfinite().all()


tensors = st.builds(
    lambda shape, fill, dtype: torch.full(shape, fill, dtype=torch.float64).to(dtype),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([0.0, 0.5, -3.0, 50.0, 1e30, float("nan"), float("inf"), -float("inf")]),
    st.sampled_from([torch.float32, torch.float64, torch.float16]),
) | st.sampled_from([None, 3.0, [[0.0, 1.0]], torch.zeros(2, 2, dtype=torch.long)])


@pytest.mark.parametrize("name", catalog.names())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(x=tensors, context=tensors, call=st.sampled_from(["__call__", "inverse", "log_prob"]))
def test_calls(name: str, x: Any, context: Any, call: str) -> None:
    flow = _flow(name)
    try:
        result = getattr(flow, call)(x, context)
    except ALLOWED as error:
        assert len(str(error)) > 10, f"{type(error).__name__} says too little: {error}"
        return
    results = result if isinstance(result, tuple) else (result,)
    assert not any(r.isnan().any() for r in results), "a silent NaN"


def _flow(name: str, made: dict[str, Flow] = {}) -> Flow:  # noqa: B006
    if name not in made:
        (dim,) = dims_of(name, 2)
        made[name] = catalog.make(name, dim, layers=1, seed=0, **options_of(name)).eval()
    return made[name]


FUNCTIONS = [
    getattr(module, name)
    for module in (flowviz.objectives, flowviz.inference)
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
]


WORK = ("n", "steps", "warmup", "max_proposals")  # their defaults are for those who can wait


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_functions_of_samples_and_flows(function: Any, data: st.DataObject) -> None:
    good: dict[str, st.SearchStrategy[Any]] = {
        "flow": st.just(_flow("real_nvp")),
        "name": st.sampled_from(["kl", "chi_squared"]),
        "log_density": st.just(_log_density),
        "log_prob": st.just(_log_density),
        "critic": st.just(_log_density),
        "x": st.just(torch.randn(9, 2)),
        "y": st.just(torch.randn(9, 2)),
        "other": st.just(torch.randn(9, 2)),
        "start": st.just(torch.zeros(2, 2)),
        "chains": st.just(torch.randn(10, 2, 1)),
        "log_weights": st.just(torch.randn(30)),
        "n": st.integers(1, 5),
        "steps": st.integers(1, 3),
        "warmup": st.integers(0, 3),
        "max_proposals": st.integers(1, 100),
    }
    arguments = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("generator", "cancelled"):
            continue
        if (
            parameter.default is parameter.empty
            or parameter.name in WORK
            or data.draw(st.booleans())
        ):
            strange = data.draw(st.integers(0, 3)) == 0 or parameter.name not in good
            strategy = (anything | tensors) if strange else good[parameter.name]
            arguments[parameter.name] = data.draw(strategy)
    try:
        function(**arguments)
    except ALLOWED as error:
        assert len(str(error)) > 10, f"{type(error).__name__} says too little: {error}"


def _log_density(x: Tensor) -> Tensor:
    return -0.5 * x.square().sum(-1)

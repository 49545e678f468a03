"""The checks of the lesson on stacks of layers: right answers, and every slip told apart."""

from __future__ import annotations

import math

import pytest
import torch

from flowviz.exercises import check, composition
from flowviz.exercises.registry import options
from flowviz.flows import jacobian
from flowviz.flows.bijection import Composition


def inverse(layers, x):
    total = 0
    for layer in reversed(layers):
        x, logabsdet = layer.inverse(x)
        total = total + logabsdet
    return x, total


def by_composition(layers, x):
    return Composition(layers).inverse(x)


def by_forward_log_dets(layers, x):
    total = torch.zeros(len(x))
    for layer in layers[::-1]:
        x = layer.inverse(x)[0]
        total = total - layer(x)[1]
    return x, total


@pytest.mark.parametrize("function", [inverse, by_composition, by_forward_log_dets])
def test_right_programmes_pass(function):
    assert check("inverse_of_layers", function).passed


def test_the_right_programme_agrees_with_autodiff():
    layers, x = composition._case(3, 6, seed=1)()
    u, logabsdet = composition._inverse(layers, x)
    by_autodiff = torch.linalg.slogdet(jacobian(Composition(layers), u)).logabsdet
    torch.testing.assert_close(logabsdet, -by_autodiff)


def test_the_total_is_that_of_autodiff():
    u = torch.zeros((), dtype=torch.float64, requires_grad=True)
    z = u + 1
    (slope,) = torch.autograd.grad(z**3 + z, u)
    assert float(slope.log()) == pytest.approx(math.log(4))
    assert check("total_log_det", float(slope.log())).passed
    assert check("total_log_det", [1.386]).passed


@pytest.mark.parametrize(
    "number, reason",
    [
        (0, "evaluated at u = 0"),
        (-1.386, "the sign"),
        (4, "the slope of the whole"),
        (0.602, "base 10"),
        (2, "base 2"),
        (1.099, "3z² + 1"),
        (0.693, "value T₂(1)"),
        (2.565, "its own output"),
        (2.773, "counted twice"),
        (1.39, "three decimals"),
        (7, "their logarithms added"),
    ],
)
def test_every_slip_of_the_number_is_named(number, reason):
    result = check("total_log_det", number)
    assert result.verdict == "wrong" and reason in result.reason


def test_the_trap_has_one_right_answer_and_a_reason_for_every_other():
    offered = options("linear_test")
    assert [option for option in offered if check("linear_test", option)] == ["linear layers"]
    assert len({check("linear_test", option).reason for option in offered}) == 4
    assert check("linear_test", None).verdict == check("linear_test", ...).verdict == "open"


def along(layers, x):
    """(u, log-dets of the inverses in the order of undoing)."""
    found = []
    for layer in reversed(layers):
        x, logabsdet = layer.inverse(x)
        found.append(logabsdet)
    return x, found


def with_total(total):
    """The right u, and another total of the log-dets along the way."""

    def function(layers, x):
        u, found = along(layers, x)
        return u, total(layers, x, torch.stack(found))

    return function


def forth(layers, x):
    total = 0
    for layer in layers:
        x, logabsdet = layer(x)
        total = total + logabsdet
    return x, total


def at_outputs(layers, x, sign=-1):
    total = 0
    for layer in reversed(layers):
        total = total + sign * layer(x)[1]
        x = layer.inverse(x)[0]
    return x, total


def at_x(layers, x):
    return sum(layer.inverse(x)[1] for layer in layers)


SLIPS = {
    "order": (lambda layers, x: inverse(layers[::-1], x), "the last layer is undone first"),
    "order, log-det detached": (
        lambda layers, x: (inverse(layers[::-1], x)[0], torch.zeros(len(x))),
        "the last layer is undone first",
    ),
    "forward": (forth, "applied where they are to be undone"),
    "forward, reversed": (lambda layers, x: forth(layers[::-1], x), "applied where they are to be"),
    "last only": (lambda layers, x: layers[-1].inverse(x), "only the last layer is undone"),
    "first only": (lambda layers, x: layers[0].inverse(x), "every layer is given x itself"),
    "sign": (with_total(lambda layers, x, found: -found.sum(0)), "the sign of the log-det"),
    "at x": (
        with_total(lambda layers, x, found: at_x(layers, x)),
        "all log-dets are evaluated at x. Each",
    ),
    "at x, sign": (
        with_total(lambda layers, x, found: -at_x(layers, x)),
        "at x, and with the wrong sign",
    ),
    "one": (with_total(lambda layers, x, found: found[-1]), "the one undone last"),
    "another one": (with_total(lambda layers, x, found: found[0]), "the one undone first"),
    "all but the first": (
        with_total(lambda layers, x, found: found[1:].sum(0)),
        "is undone first is",
    ),
    "all but the last": (
        with_total(lambda layers, x, found: found[:-1].sum(0)),
        "is undone last is",
    ),
    "product": (with_total(lambda layers, x, found: found.prod(0)), "their logarithms add"),
    "no log": (with_total(lambda layers, x, found: found.sum(0).exp()), "|det J| itself"),
    "mean": (with_total(lambda layers, x, found: found.mean(0)), "the mean over the layers"),
    "at the outputs": (at_outputs, "at its output z_k. It belongs"),
    "at the outputs, sign": (
        lambda layers, x: at_outputs(layers, x, 1),
        "z_k, and with the wrong sign",
    ),
    "half": (with_total(lambda layers, x, found: found.sum(0) / 2), "log-det is"),
    "sum over points": (
        with_total(lambda layers, x, found: found.sum()),
        "not one for all of them",
    ),
    "wrong axis": (with_total(lambda layers, x, found: found.sum(1)), "wrong axis"),
    "u alone": (lambda layers, x: inverse(layers, x)[0], "return 2 results"),
    "swapped": (lambda layers, x: inverse(layers, x)[::-1], "u has the shape [6], where [6, 2]"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_every_slip_of_the_programme_is_named(slip):
    function, reason = SLIPS[slip]
    result = check("inverse_of_layers", function)
    assert result.verdict == "wrong" and reason in result.reason, result.reason

"""The checks of the lessons: right answers pass, every known slip gets its own reason, and no
submission, however hostile, raises."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from flowviz import exercises
from flowviz.exercises import check
from flowviz.flows import Inverse, jacobian

# ------------------------------------------------------------------ right answers


def forward_by_parts(flow, x):
    u, logabsdet = flow.inverse(x)
    return -(flow.base.log_prob(u) + logabsdet).mean()


def forward_by_log_prob(flow, x):
    return -flow.log_prob(x).sum() / len(x)


def forward_in_float32(flow, x):
    return forward_by_parts(flow.float(), x.float())


def reverse_by_parts(flow, target, u):
    x, logabsdet = flow.forward(u)
    return (flow.base.log_prob(u) - logabsdet - target.log_density(x)).mean()


def reverse_by_log_prob(flow, target, u):
    x, _ = flow.forward(u)
    return (flow.log_prob(x) - target.log_density(x)).mean()


@pytest.mark.parametrize(
    "name, submission",
    [
        ("forward_kl", forward_by_parts),
        ("forward_kl", forward_by_log_prob),
        ("forward_kl", forward_in_float32),
        ("reverse_kl", reverse_by_parts),
        ("reverse_kl", reverse_by_log_prob),
        ("best_gaussian", (-1, 3.25**0.5)),
        ("best_gaussian", [-1.0, 1.8028]),
        ("best_gaussian", torch.tensor([-1.0, 1.803])),
        ("best_gaussian", np.array([-1.0, 1.803])),
    ],
)
def test_right_answers_pass(name, submission):
    result = check(name, submission)
    assert result and result.passed and str(result).startswith("✓"), result


# ------------------------------------------------------------------ what a right answer asked for


def by_a_look_back(look):
    """Task 2 with its samples also seen by ``look(flow, x)``, which leaves the loss as it is."""

    def loss(flow, target, u):
        look(flow, flow.forward(u)[0])
        return reverse_by_parts(flow, target, u)

    return loss


WAYS_BACK = {
    "log_prob": lambda flow, x: flow.log_prob(x),
    "inverse": lambda flow, x: flow.inverse(x),
    "trace_inverse": lambda flow, x: flow.trace_inverse(x),
    "unrolled": lambda flow, x: flow.unrolled(2).log_prob(x),
    "transform": lambda flow, x: flow.transform.inverse(x),
    "steps": lambda flow, x: list(flow.transform.steps(x, inverse=True)),
    "one layer": lambda flow, x: flow.bijections[1].inverse(x),
    "Inverse": lambda flow, x: Inverse(flow.transform)(x),
}


@pytest.mark.parametrize("way", WAYS_BACK)
def test_an_inverse_that_was_not_needed_is_told_whatever_it_is_called_by(way):
    result = check("reverse_kl", by_a_look_back(WAYS_BACK[way]))
    assert result.passed and "But it asked for T⁻¹ as well" in result.reason
    assert "only" not in result.reason


WAYS_FORTH = {
    "the call": lambda flow, u: flow(u),
    "sample": lambda flow, u: flow.sample(3),
    "rsample_and_log_prob": lambda flow, u: flow.rsample_and_log_prob(3),
    "trace": lambda flow, u: flow.trace(u),
    "jacobian": lambda flow, u: jacobian(flow.transform, u),
}


@pytest.mark.parametrize("way", WAYS_FORTH)
def test_what_a_right_answer_asked_for_is_told_truly(way):
    def forward(flow, x):
        WAYS_FORTH[way](flow, x)
        return forward_by_log_prob(flow, x)

    result = check("forward_kl", forward)
    assert result.passed and "But it asked for T as well" in result.reason
    result = check("reverse_kl", by_a_look_back(WAYS_FORTH[way]))
    assert result.passed and "It asked for T and log p̃ only." in result.reason


def test_the_shortest_right_answers_are_told_apart():
    assert "It asked for samples and T⁻¹ only." in check("forward_kl", forward_by_log_prob).reason
    assert "It asked for T and log p̃ only." in check("reverse_kl", reverse_by_parts).reason
    told = check("reverse_kl", reverse_by_log_prob).reason
    assert "But it asked for T⁻¹ as well, as flow.log_prob does" in told


# ------------------------------------------------------------------ known slips


def detached_at_the_end(flow, x):
    return forward_by_parts(flow, x).detach()


def without_grad(flow, x):
    with torch.no_grad():
        return forward_by_parts(flow, x)


def half_detached(flow, x):
    u, logabsdet = flow.inverse(x)
    return -(flow.base.log_prob(u.detach()) + logabsdet).mean()


def forward_with_a_fixed_batch(flow, x):
    return -flow.log_prob(x).sum() / 24


def calls_backward(flow, x):
    loss = forward_by_parts(flow, x)
    loss.backward(retain_graph=True)
    return loss


def spoils_the_graph(flow, x):
    shift = next(flow.parameters()).sum().exp()
    loss = forward_by_parts(flow, x) + 0 * shift.exp().sqrt()
    shift.detach().mul_(2)
    y = next(flow.parameters()) * 1
    kept = (y * y).sum()
    y.detach().zero_()
    return loss + 0 * kept


def draws_itself(flow, target, u):
    return reverse_by_parts(flow, target, torch.randn_like(u))


def samples_the_target(flow, target, u):
    return -flow.log_prob(target.sample(len(u))).mean()


def detached_samples(flow, target, u):
    x = flow.forward(u)[0].detach()
    return (flow.log_prob(x) - target.log_density(x)).mean()


def detached_in_the_density(flow, target, u):
    x, logabsdet = flow.forward(u)
    return (flow.base.log_prob(u) - logabsdet - target.log_density(x.detach())).mean()


def normalised(flow, target, u):
    x, logabsdet = flow.forward(u)
    return (flow.base.log_prob(u) - logabsdet - target.log_prob(x)).mean()


def terms(flow, target, u):
    x, logabsdet = flow.forward(u)
    return flow.base.log_prob(u), logabsdet, target.log_density(x)


FORWARD = {
    "sign": (lambda flow, x: flow.log_prob(x).mean(), "the sign"),
    "sum": (lambda flow, x: -flow.log_prob(x).sum(), "the sum over the samples"),
    "vector": (lambda flow, x: -flow.log_prob(x), "24 numbers, one for each sample"),
    "no log-det": (
        lambda flow, x: -flow.base.log_prob(flow.inverse(x)[0]).mean(),
        "log|det J| is missing",
    ),
    "log-det's sign": (
        lambda flow, x: (flow.inverse(x)[1] - flow.base.log_prob(flow.inverse(x)[0])).mean(),
        "log|det J| has the wrong sign",
    ),
    "T for its inverse": (
        lambda flow, x: -(flow.base.log_prob(flow.forward(x)[0]) + flow.forward(x)[1]).mean(),
        "T is applied where T⁻¹ is needed",
    ),
    "T for its inverse, other sign": (
        lambda flow, x: -(flow.base.log_prob(flow.forward(x)[0]) - flow.forward(x)[1]).mean(),
        "T is applied where T⁻¹ is needed: data go back",
    ),
    "T for its inverse, no log-det": (
        lambda flow, x: -flow.base.log_prob(flow.forward(x)[0]).mean(),
        "T is applied where T⁻¹ is needed, and log|det J| is missing",
    ),
    "base at the data": (
        lambda flow, x: -(flow.base.log_prob(x) + flow.inverse(x)[1]).mean(),
        "p_u is evaluated at the data x; it belongs",
    ),
    "no flow": (lambda flow, x: -flow.base.log_prob(x).mean(), "the flow does not occur"),
    "log of the mean": (
        lambda flow, x: -flow.log_prob(x).exp().mean().log(),
        "the log of the mean density",
    ),
    "no log": (lambda flow, x: -flow.log_prob(x).exp().mean(), "the logarithm is missing"),
    "detached": (detached_at_the_end, "it carries no gradient"),
    "no_grad": (without_grad, "it carries no gradient"),
    "half detached": (half_detached, "a part of the computation is cut off"),
    "item": (lambda flow, x: forward_by_parts(flow, x).item(), "plain Python number"),
    "float": (lambda flow, x: float(forward_by_parts(flow, x).detach()), "plain Python number"),
    "NumPy": (lambda flow, x: forward_by_parts(flow, x).detach().numpy(), "NumPy ndarray"),
    "Estimate": (
        lambda flow, x: __import__("flowviz").objectives.forward_kl(flow, x),
        "an Estimate (its .value is the tensor)",
    ),
    "pair": (lambda flow, x: flow.inverse(x), "not a tuple"),
    "matrix": (lambda flow, x: flow.inverse(x)[0], "the shape [24, 2]"),
    "NaN": (lambda flow, x: forward_by_parts(flow, x) * float("nan"), "the loss is nan"),
    "infinite": (lambda flow, x: forward_by_parts(flow, x) / 0, "the loss is inf"),
    "integer": (lambda flow, x: forward_by_parts(flow, x).long(), "torch.int64"),
    "complex": (lambda flow, x: forward_by_parts(flow, x) * 1j, "torch.complex128"),
    "meta": (lambda flow, x: forward_by_parts(flow, x).to("meta"), "the device meta"),
    "fixed batch": (forward_with_a_fixed_batch, "right on the first batch"),
    "backward": (calls_backward, "without calling backward()"),
    "in place": (spoils_the_graph, "the gradient of your loss cannot be computed"),
    "else": (lambda flow, x: forward_by_parts(flow, x) + 1, "your loss is"),
}

REVERSE = {
    "sign": (lambda *a: -reverse_by_parts(*a), "the sign: this is minus"),
    "sum": (lambda f, t, u: reverse_by_parts(f, t, u) * len(u), "the sum over the draws"),
    "vector": (lambda *a: terms(*a)[0] - terms(*a)[1] - terms(*a)[2], "24 numbers"),
    "no log-det": (
        lambda *a: (terms(*a)[0] - terms(*a)[2]).mean(),
        "log|det J_T| is missing",
    ),
    "log-det's sign": (
        lambda *a: (terms(*a)[0] + terms(*a)[1] - terms(*a)[2]).mean(),
        "log|det J_T| has the wrong sign",
    ),
    "normalised": (normalised, "used the normalised log_prob"),
    "no log p_u": (lambda *a: -(terms(*a)[1] + terms(*a)[2]).mean(), "log p_u(u) is missing"),
    "no target": (lambda *a: (terms(*a)[0] - terms(*a)[1]).mean(), "log p̃ does not occur"),
    "target at u": (
        lambda f, t, u: (f.base.log_prob(u) - f.forward(u)[1] - t.log_density(u)).mean(),
        "log p̃ is evaluated at u",
    ),
    "u as data": (
        lambda f, t, u: (f.log_prob(u) - t.log_density(u)).mean(),
        "u is treated as data",
    ),
    "base at x": (
        lambda f, t, u: (
            f.base.log_prob(f.forward(u)[0]) - f.forward(u)[1] - t.log_density(f.forward(u)[0])
        ).mean(),
        "p_u is evaluated at x",
    ),
    "no log": (
        lambda *a: (terms(*a)[0] - terms(*a)[1] - terms(*a)[2].exp()).mean(),
        "p̃ stands where log p̃ belongs",
    ),
    "detached samples": (detached_samples, "the samples x are detached"),
    "detached in log p̃": (detached_in_the_density, "the samples x are detached"),
    "own draws": (draws_itself, "draw nothing yourself, use u"),
    "samples p*": (samples_the_target, "this target cannot be sampled"),
    "item": (lambda *a: reverse_by_parts(*a).item(), "plain Python number"),
}

GAUSSIAN = {
    "variance": ((-1, 3.25), "3.25 is the variance"),
    "between only": ((-1, 3**0.5), "the spread between the modes alone"),
    "within only": ((-1, 0.5), "the spread within one mode alone"),
    "second moment": ((-1, 4.25**0.5), "the root of E[x²]"),
    "sum of deviations": ((-1, 3**0.5 + 0.5), "variances add up"),
    "½ taken for the variance": ((-1, 3.5**0.5), "its variance is ¼"),
    "two decimals": ((-1, 1.80), "give three decimals"),
    "two decimals, the other way": ((-1, 1.81), "give three decimals"),
    "a rounded mean": ((-1.004, 1.803), "give three decimals"),
    "other deviation": ((-1, 9), "the standard deviation is not"),
    "reverse": ((-2, 0.5), "what reverse KL settles for"),
    "reverse, lighter mode": ((2, 0.5), "what reverse KL settles for"),
    "equal weights": ((0, 2), "do not weigh the same"),
    "sign": ((1, 1.803), "the wrong sign"),
    "other mean": ((-1.5, 1.8), "the mean: forward KL wants E[x]"),
    "negative": ((-1, -1.803), "a standard deviation is positive"),
    "one number": ((-1,), "there are fewer"),
    "three numbers": ((-1, 1.8, 0), "there are more"),
    "words": (("a", "b"), "2 real numbers"),
    "a number": (3.0, "2 real numbers"),
    "infinite": ((-1, float("inf")), "not finite"),
    "a function": (lambda: None, "not a function"),
}

SLIPS = [
    pytest.param(name, submission, reason, id=f"{name}: {slip}")
    for name, slips in (
        ("forward_kl", FORWARD),
        ("reverse_kl", REVERSE),
        ("best_gaussian", GAUSSIAN),
    )
    for slip, (submission, reason) in slips.items()
]


@pytest.mark.parametrize("name, submission, reason", SLIPS)
def test_every_slip_gets_its_own_reason(name, submission, reason):
    result = check(name, submission)
    assert not result and result.verdict == "wrong"
    assert reason in result.reason


# ------------------------------------------------------------------ nothing submitted yet


def empty(flow, x): ...


def as_nbgrader_hands_it_out(flow, x):
    raise NotImplementedError()


@pytest.mark.parametrize(
    "name, submission",
    [
        ("forward_kl", empty),
        ("forward_kl", as_nbgrader_hands_it_out),
        ("forward_kl", None),
        ("forward_kl", ...),
        ("reverse_kl", lambda flow, target, u: None),
        ("best_gaussian", (..., ...)),
        ("best_gaussian", (-1, ...)),
        ("best_gaussian", None),
    ],
)
def test_an_empty_task_is_open_not_wrong(name, submission):
    result = check(name, submission)
    assert result.verdict == "open" and not result
    assert str(result).startswith("○")


# ------------------------------------------------------------------ exceptions, hostility


def misspells(flow, x):
    loss = flow.log_probs(x)
    return -loss.mean()


def test_an_exception_is_told_with_its_line():
    result = check("forward_kl", misspells)
    line = misspells.__code__.co_firstlineno + 1
    assert f"AttributeError in line {line}, “loss = flow.log_probs(x)”" in result.reason
    assert "log_probs" in result.reason


def test_what_a_flow_does_not_have_is_no_missing_answer():
    def calls(flow, x):
        return as_nbgrader_hands_it_out(flow, x)

    result = check("forward_kl", calls)
    assert result.verdict == "wrong" and "NotImplementedError" in result.reason


def test_wrong_arguments_are_named():
    reason = check("forward_kl", lambda x: x).reason
    assert "2 arguments, (flow, x); yours takes (x)" in reason


class Evil:
    """Raises at whatever is asked of it."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    def __call__(self, *_):
        raise RuntimeError("no")

    def __iter__(self):
        raise SystemExit(3)

    def __bool__(self):
        raise RuntimeError("no")


def endless():
    while True:
        yield 1.0


def recurses(*arguments):
    return recurses(*arguments)


def leaves(*_):
    sys.exit(1)


def damages(flow, *rest):
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.fill_(float("nan"))
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.manual_seed(3)
    for each in rest:
        if isinstance(each, torch.Tensor):
            each.zero_()
    return flow.log_prob(torch.zeros(2, 2)).mean()


HOSTILE = [
    Evil(), Evil, endless(), recurses, leaves, damages, print, len, int, type, object(), b"",
    "x" * 10**6, [], {}, {1, 2}, 3, 1j, True, float("nan"), (10**400, 1), (Evil(), Evil()),
    torch.zeros(0), torch.zeros(3, 3), np.zeros(2), np.array(["a", None], dtype=object),
    lambda: None, lambda **k: None, lambda *a: a, lambda *a: Evil(), lambda *a: [Evil()],
    lambda *a: torch.zeros(0), lambda *a: torch.tensor(True), lambda *a: torch.eye(2).to_sparse(),
    lambda *a: torch.nn.Parameter(torch.zeros(())), lambda *a: "loss", lambda *a: 10**400,
    lambda *a: (_ for _ in ()),
]  # fmt: skip


@pytest.mark.parametrize("name", exercises.names())
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_submissions_never_raise(name, number):
    before = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state()
    result = check(name, HOSTILE[number])
    assert not result and result.reason
    assert result._repr_mimebundle_()["text/plain"] == str(result)
    assert torch.get_default_dtype() == before[0] and torch.is_grad_enabled() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2]), "the student's own draws are disturbed"


def test_damage_to_one_submission_does_not_reach_the_next():
    check("forward_kl", damages)
    check("reverse_kl", damages)
    assert check("forward_kl", forward_by_parts) and check("reverse_kl", reverse_by_parts)


def test_pressing_stop_still_interrupts():
    def interrupted(flow, x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("forward_kl", interrupted)


def test_an_unknown_exercise_is_refused_with_the_names():
    for name, said in (
        ("forward", "did you mean 'forward_kl'"),
        (None, "the names are squeezed_log_density, "),
        (["forward_kl"], "the names are squeezed_log_density, "),
    ):
        with pytest.raises(ValueError, match=said):
            check(name, None)


def test_a_result_escapes_what_the_student_wrote():
    def attacks(flow, x):
        raise ValueError("<script>alert(1)</script>")

    page = check("forward_kl", attacks)._repr_mimebundle_()["text/html"]
    assert "<script>" not in page and "&lt;script&gt;" in page

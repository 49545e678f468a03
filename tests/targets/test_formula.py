"""Formulas: right values, nothing but formulas, and errors that point at the place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowviz.grid import Grid2D
from flowviz.targets import FormulaError, from_formula
from flowviz.targets.formula import compile_formula, vocabulary

Pair = tuple[str, Callable[[float, float], float]]


def number(value: float) -> Pair:
    return f"{value:g}", lambda x, y: float(f"{value:g}")


LEAVES: st.SearchStrategy[Pair] = st.one_of(
    st.sampled_from(
        [
            ("x", lambda x, y: x),
            ("y", lambda x, y: y),
            ("x1", lambda x, y: x),
            ("x2", lambda x, y: y),
            ("r", lambda x, y: math.hypot(x, y)),
            ("theta", lambda x, y: math.atan2(y, x)),
            ("pi", lambda x, y: math.pi),
        ]
    ),
    st.floats(0, 9).map(number),
)


def unary(child: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    forms: list[tuple[str, Callable[[float], float]]] = [
        ("(-{})", lambda a: -a),
        ("sin({})", math.sin),
        ("cos( {} )", math.cos),
        ("tanh({})", math.tanh),
        ("atan({})", math.atan),
        ("abs({})", abs),
        ("sqrt(abs({}))", lambda a: math.sqrt(abs(a))),
        ("exp(-abs({}))", lambda a: math.exp(-abs(a))),
        ("log(1+abs({}))", lambda a: math.log(1 + abs(a))),
        ("sigmoid(tanh({}))", lambda a: 1 / (1 + math.exp(-math.tanh(a)))),
        ("tanh({})^2", lambda a: math.tanh(a) ** 2),
        ("tanh({})**3", lambda a: math.tanh(a) ** 3),
        ("-tanh({})²", lambda a: -(math.tanh(a) ** 2)),
    ]

    def build(form: tuple[str, Callable[[float], float]], pair: Pair) -> Pair:
        return form[0].format(pair[0]), lambda x, y: form[1](pair[1](x, y))

    return st.builds(build, st.sampled_from(forms), child)


def binary(child: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    forms: list[tuple[str, Callable[[float, float], float]]] = [
        ("({}+{})", lambda a, b: a + b),
        ("({} − {})", lambda a, b: a - b),
        ("({})*tanh({})", lambda a, b: a * math.tanh(b)),
        ("({})/(2+abs({}))", lambda a, b: a / (2 + abs(b))),
        ("min({},{})", min),
        ("max({}, {})", max),
        (
            "logaddexp(sin({}),cos({}))",
            lambda a, b: math.log(math.exp(math.sin(a)) + math.exp(math.cos(b))),
        ),
        ("where(({})<3, {}, 1)", lambda a, b: b if a < 3 else 1.0),
    ]

    def build(form: tuple[str, Callable[[float, float], float]], a: Pair, b: Pair) -> Pair:
        return form[0].format(a[0], b[0]), lambda x, y: form[1](a[1](x, y), b[1](x, y))

    return st.builds(build, st.sampled_from(forms), child, child)


EXPRESSIONS = st.recursive(LEAVES, lambda c: st.one_of(unary(c), binary(c)), max_leaves=12)
COORDINATE = st.floats(-4, 4).map(lambda v: round(v, 3))


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, COORDINATE, COORDINATE)
def test_values_agree_with_python(pair: Pair, x: float, y: float) -> None:
    text, function = pair
    value = compile_formula(f"{text} + 0*x")(torch.tensor([x, y], dtype=torch.float64))
    expected = function(x, y)
    # A comparison on its very border, or a steep composition, may fall either way.
    near = function(x + 1e-9, y - 1e-9)
    if abs(near - expected) < 1e-5 * (1 + abs(expected)):
        assert float(value) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    "text, value",
    [
        ("-x^2", -4.0),
        ("2^-x", 0.25),
        ("x^y^2", 2.0**9),
        ("-x**2 + y", -1.0),
        ("6/x/y", 1.0),
        ("6/x*y", 9.0),
        ("x - y - 1", -2.0),
        ("(x > 1)*y", 3.0),
        ("(x ≥ 2) + (y ≤ 2)", 1.0),
        ("ln(e) * x", 2.0),
        ("π·x − π×x + y³", 27.0),
        ("  x\n + y\t", 5.0),
        ("max(x, y, 7) + min(x, y, 1)", 8.0),
        ("+x", 2.0),
        ("1e-3*x", 0.002),
        (".5*x", 1.0),
    ],
)
def test_precedence_and_spelling(text: str, value: float) -> None:
    x = torch.tensor([2.0, 3.0], dtype=torch.float64)
    assert float(compile_formula(text)(x)) == pytest.approx(value, abs=1e-12)


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.data",
    "lambda: x",
    "(lambda x: x)(y)",
    "exec('x')",
    "eval(x)",
    "open(x)",
    "print(x)",
    "globals()",
    "f'{x}'",
    "'x'*y",
    '"a"',
    "b'x'",
    "[x for x in (1,)]",
    "{x: y}",
    "x[0]",
    "x if y else 1",
    "x and y",
    "not x",
    "~x",
    "x // y",
    "x % y",
    "x @ y",
    "x << 2",
    "x | y",
    "x is y",
    "x in y",
    "x == y",
    "x < y < 1",
    "(a := x)",
    "a = x",
    "x; y",
    "x, y",
    "*x",
    "max(*x)",
    "log(x=1)",
    "exp(**x)",
    "True*x",
    "None",
    "...",
    "1j*x",
    "x \\ y",
    "x # y",
    "$x",
    "x\0",
    "yield x",
    "await x",
    "import os",
    "sin",
    "sin*x",
    "x(2)",
    "2(x)",
    "sin()(x)",
    "sin(x)(y)",
    "pi(x)",
    "torch",
    "self",
    "z",
    "1e13*x",
    "1e999*x",
    "9" * 900 + "*x",
    "9**9**9",
    "9**9**9**9**9**9",
    "(" * 10_000 + "x" + ")" * 10_000,
    "(" * 400 + "x" + ")" * 400,
    "-" * 900 + "x",
    "x" + "^x" * 490,
    "x" + "*x" * 490,
    "exp(" * 39 + "x" + "(" * 10,
    "x" * 100_000,
    "x+" * 50_000 + "x",
    "",
    "   \n ",
    "(",
    ")",
    "x)",
    ")(x",
    "x+",
    "2x",
    "sin x",
    "x y",
    "sin(x, y)",
    "min(x)",
    "where(x, y)",
    "1",
    "pi + e",
    "‮x",
    "\ud800x",
    "𝐱.𝐲",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: ascii(t[:24]))
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        from_formula(text)
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.text == text
    assert len(str(error)) < 600 and "Traceback" not in str(error)
    if error.column is not None:
        assert 0 <= error.column <= len(text)
        assert f"column {error.column + 1}" in str(error)


@pytest.mark.parametrize("value", [None, 3, b"x", ["x"]])
def test_not_a_text(value: object) -> None:
    with pytest.raises(FormulaError, match="a formula is a text"):
        from_formula(value)  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="xyr012.+-*/^()<=>, sinexplogwhe_²π'\"[]{}:\\#\n", max_size=40))
def test_any_text_gives_a_value_or_a_formula_error(text: str) -> None:
    try:
        function = compile_formula(text)
    except FormulaError:
        return
    assert function(torch.ones(3, 2)).shape == (3,)


@pytest.mark.parametrize(
    "text, column, reason",
    [
        ("x + foo(y)", 4, "'foo' is not known here"),
        ("exp(x) + sinn(y)", 9, "did you mean sin"),
        ("x² + θ² + zeta", 10, "'zeta' is not known here"),
        ("x^2 + $", 6, "means nothing"),
        ("(x + (y)", 0, "never closed"),
        ("x + y)", 5, "never opened"),
        ("x +", 3, "ends too early"),
        ("y = x", 2, "without an equals sign"),
        ("1 + 2x", 4, r"write 2\*x"),
        ("y + x(2)", 4, r"write x\*"),
        ("x + 1e30", 4, "limited"),
        ("1 + x.real", 4, "a dot"),
    ],
)
def test_errors_point_at_the_place(text: str, column: int, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason) as caught:
        from_formula(text)
    assert caught.value.column == column
    message, shown, caret = str(caught.value).split("\n")
    assert message == caught.value.reason
    assert caret.index("^") - 2 == column and shown[2:] == text


def test_a_long_formula_is_shown_about_the_place() -> None:
    text = "x + " * 200 + "foo(y)"
    with pytest.raises(FormulaError) as caught:
        from_formula(text[-400:])
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 100 and shown[caret.index("^") :].startswith("foo")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("0*x", "constant in the window"),
        ("x - x + 1e9", "constant in the window"),
        ("sqrt(-1 - r)", "no finite value"),
        ("log(-1 - r^2)", "no finite value"),
        ("1/(x*0) + y", "infinite"),
        ("exp(exp(r^2))", "infinite"),
        ("-log(0*x) + y", "infinite"),
    ],
)
def test_what_cannot_be_a_density_is_refused(text: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason):
        from_formula(text)


def test_a_gaussian() -> None:
    target = from_formula("-(x^2 + y^2)/2")
    assert target.note == ""
    assert target.log_z == pytest.approx(math.log(2 * math.pi), abs=2e-3)
    assert target.log_z_error is not None and target.log_z_error < 1e-3
    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).clamp(
        -2, 2
    )
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(-1)
    torch.testing.assert_close(target.log_prob(x), expected, rtol=0, atol=2e-3)
    draws = target.sample(40_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.std(0), torch.ones(2), rtol=0, atol=0.015)
    assert target.thumbnail()[24, 24] == 1


def test_gradients_flow() -> None:
    target = from_formula("-(r - 2)^2*3 + cos(3*theta) + where(x > 0, 0, -1)")
    x = torch.randn(64, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(target.log_density, (x,))


def test_a_formula_that_does_not_fall_off_gets_a_wall_and_a_note() -> None:
    target = from_formula("-((y - sin(pi*x/2))/0.4)^2/2")
    assert "Only x from −4 to 4 and y from −4 to 4 count, and 7 % of" in target.note
    assert "lies at that edge" in target.note
    assert target.log_z == pytest.approx(math.log(7.5 * math.sqrt(2 * math.pi) * 0.4), abs=1e-3)
    growing = from_formula("x^4")
    assert "lies at that edge" in growing.note
    far = torch.tensor([[6.0, 0.0], [60.0, 0.0], [1e4, -1e4]], requires_grad=True)
    value = growing.log_density(far)
    (gradient,) = torch.autograd.grad(value.sum(), far)
    assert (value.diff() < 0).all() and (gradient[:, 0] < 0).all(), "outside, the wall leads back"
    wide = Grid2D((-8, 8, -8, 8), 400, dtype=torch.float64)
    assert wide.integrate(target.log_prob).value == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("half", [4.0, 6.0])
@pytest.mark.parametrize("formula", ["-((y - sin(pi*x/2))/0.4)^2/2", "-abs(x*y)", "cos(x)"])
def test_what_the_note_advises_keeps_the_mass_inside(formula: str, half: float) -> None:
    window = (-half, half, -half, half)
    note = from_formula(formula, window).note
    advice = re.search(r"subtract (\S+), say", note)
    assert advice is not None
    assert from_formula(f"{formula} - {advice[1]}", window).note == ""
    assert "subtract" not in from_formula(formula, (-half, half + 1, -half, half)).note


def test_the_vocabulary_is_what_is_understood() -> None:
    values, functions = vocabulary().split("Functions: ")
    for name in ("x", "y", "r", "theta", "pi", "e"):
        assert re.search(rf"\b{name}\b", values)
    calls = re.findall(r"(\w+)(\([^)]*\))?", functions)
    assert len(calls) > 15
    for name, arguments in calls:
        compile_formula(name + re.sub(r"[a-d]", "x", arguments or "(x)"))


def test_an_unresolved_peak_is_noted() -> None:
    target = from_formula("1/r^2")
    assert "log Z is uncertain" in target.note
    assert target.log_z_error is not None and target.log_z_error > 1


def test_undefined_regions_have_no_mass() -> None:
    target = from_formula("log(x) - r")
    assert float(target.log_density(torch.tensor([-1.0, 0.0]))) == -math.inf
    assert (target.sample(2000)[:, 0] > -0.02).all()
    assert target.log_z is not None and math.isfinite(target.log_z)


def test_window_is_checked_and_kept() -> None:
    target = from_formula("-(x - 10)^2 - y^2", window=(5, 15, -5, 5))
    assert target.window == (5.0, 15.0, -5.0, 5.0)
    assert float(target.sample(4000).mean(0)[0]) == pytest.approx(10, abs=0.1)
    with pytest.raises(ValueError, match="window"):
        from_formula("x", window=(1, 0, 0, 1))


def test_dtypes_shapes_and_devices() -> None:
    target = from_formula("-r^2 + 0.1*theta")
    assert target.log_prob(torch.zeros(3, 4, 2)).shape == (3, 4)
    assert target.log_prob(torch.zeros(0, 2, dtype=torch.float64)).dtype == torch.float64
    assert target.log_prob(torch.empty(5, 2, device="meta")).device.type == "meta"

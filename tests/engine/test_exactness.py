"""``python -m flowviz.exactness`` tells right from wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from flowviz import exactness
from flowviz.flows import catalog
from flowviz.flows.autoregressive.transformers import Affine


# The mass of a density is looked at in the plane only, and is most of the work: of every third.
@pytest.mark.parametrize(("dtype", "dim", "every"), [("float32", 2, 3), ("float64", 3, 1)])
def test_the_families_hold(dtype: str, dim: int, every: int) -> None:
    for row in exactness.rows(catalog.names()[::every], dtype=dtype, dim=dim):
        assert row.judged and row.passed, row


def test_a_wrong_family_is_off(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    forward = Affine.forward

    def wrong(self, z, h):
        image, log_derivative = forward(self, z, h)
        return image, log_derivative + 1e-4 * torch.sin(image)

    monkeypatch.setattr(Affine, "forward", wrong)
    assert exactness.main(["real_nvp", "nice"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Real NVP") and lines[1].endswith("OFF")
    assert lines[2].startswith("NICE") and "OFF" not in lines[2]
    assert lines[-1] == "1 of 2 families hold."


def test_as_a_user_runs_it() -> None:
    command = [sys.executable, "-m", "flowviz.exactness", "planar", "maf", "--dim", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2 of 2 families hold." in done.stdout and "MAF" in done.stdout
    wrong = subprocess.run([*command[:3], "plannar"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "Did you mean 'planar'?" in wrong.stderr


@pytest.mark.parametrize(
    "option, given, allowed",
    [
        ("--dim", "0", "a whole number ≥ 1"),
        ("--dim", "-3", "a whole number ≥ 1"),
        ("--dim", "two", "a whole number ≥ 1"),
        ("--dim", "2.5", "a whole number ≥ 1"),
        ("--scale", "0", "a number > 0 and ≤ 1"),
        ("--scale", "-1", "a number > 0 and ≤ 1"),
        ("--scale", "nan", "a number > 0 and ≤ 1"),
        ("--scale", "1e30", "a number > 0 and ≤ 1"),
        ("--seed", "-1", "a whole number from 0 to 2⁶³ − 1"),
        ("--seed", "9" * 30, "a whole number from 0 to 2⁶³ − 1"),
        ("--seed", "x", "a whole number from 0 to 2⁶³ − 1"),
    ],
)
def test_what_is_not_allowed_is_refused_in_words(option, given, allowed, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        exactness.main(["planar", f"{option}={given}"])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert f"argument {option}: {given!r} is not allowed: {allowed}" in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    "wrong",
    [{"dim": 0}, {"dim": True}, {"scale": -1.0}, {"scale": float("nan")}, {"dtype": "half"},
     {"seed": -1}],
)  # fmt: skip
def test_python_is_refused_the_same(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        next(exactness.rows(["planar"], **wrong))


def test_the_users_random_numbers_are_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.randn(3)
    torch.manual_seed(7)
    checked = exactness.rows(["planar", "actnorm"], dim=1)
    first = next(checked)
    assert torch.equal(torch.randn(3), expected), "between two rows"
    before = torch.get_rng_state()
    second = next(checked)
    assert list(checked) == [] and torch.equal(torch.get_rng_state(), before)
    (alone,) = exactness.rows(["actnorm"], dim=1)
    assert first.title != second.title and second.round_trip == alone.round_trip


def test_the_smallest_dimension_is_really_checked() -> None:
    assert [row.dim for row in exactness.rows(["planar", "real_nvp"], dim=1)] == [1, 2]


def test_what_is_too_steep_is_not_counted_as_holding(capsys) -> None:
    assert exactness.main(["actnorm", "real_nvp", "--scale", "1", "--dtype", "float32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("too steep to judge")
    assert lines[-1] == "1 of 2 families hold, 1 too steep to judge."


@pytest.mark.parametrize("name", ["umnn", "deep_naf"])
def test_a_singular_jacobian_is_too_steep(name: str) -> None:
    flow = catalog.make(name).double()
    for parameter in flow.parameters():
        parameter.data.normal_()
    assert exactness._condition(flow, torch.full((1, 2), 1e4).double()) > 1


def test_an_estimate_without_variance_is_not_divided_by_rounding() -> None:
    (row,) = exactness.rows(["ffjord"], dim=1, scale=1.0)
    assert row.deviation is not None and row.deviation <= 4


def test_a_failure_is_one_row(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    rows = exactness.rows

    def failing(names, **settings):
        if names == ["nice"]:
            raise FloatingPointError("no bracket")
        return rows(names, **settings)

    monkeypatch.setattr(exactness, "rows", failing)
    assert exactness.main(["nice", "actnorm"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("failed: no bracket") and lines[-1] == "1 of 2 families hold."

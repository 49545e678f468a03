"""Judging numbers and functions of tensors: right, named slips, shapes, and nothing yet."""

from __future__ import annotations

import pytest
import torch

from flowviz.exercises.result import Unanswered, Wrong
from flowviz.exercises.values import ValueSlip, judge_number, judge_values


def number(submission: object) -> None:
    slips = {0.0: "at u.", -1.386294: "the sign.", 1.0: "close by."}
    judge_number(submission, "total", 1.386294, slips, "another one.")


@pytest.mark.parametrize("said", [1.386, 1.3863, [1.386], torch.tensor(1.386), (1.3859,)])
def test_a_number_is_right_to_three_decimals(said):
    number(said)


@pytest.mark.parametrize(
    "said, reason",
    [
        (0, "at u"),
        (-1.386, "the sign"),
        (1.38, "give three decimals"),
        (7, "total is smaller than 7. another one"),
        (-7, "total is larger than -7. another one"),
        (700, "total is much smaller than 700. another one"),
        ("1.386", "hand in a real number, total"),
        ([1, 2], "hand in 1 number"),
        (True, "a real number"),
        (float("nan"), "not finite"),
        (print, "not a function"),
    ],
)
def test_any_other_number_is_told_why(said, reason):
    with pytest.raises(Wrong, match=reason):
        number(said)


@pytest.mark.parametrize("said", [None, ..., [None], (...,)])
def test_no_number_is_no_answer(said):
    with pytest.raises(Unanswered):
        number(said)


def right(x):
    """exp of every coordinate, and the sum of the logs of its slopes."""
    return x.exp(), x.sum(-1)


def judge(function: object) -> None:
    cases = [
        lambda: (torch.tensor([[0.5, 1.0], [2.0, -1.0], [0.1, 0.2]]),),
        lambda: (torch.eye(2),),
    ]
    slips = [
        ValueSlip(lambda x: -x.sum(-1), "the sign.", part=1),
        ValueSlip(lambda x: (x.log(), -x.log().sum(-1)), "the inverse."),
    ]
    judge_values(function, "x", "z, log-det", cases, right, slips)


def test_right_values_pass():
    judge(right)
    judge(lambda x: (x.exp().numpy(), x.sum(-1).tolist()))


@pytest.mark.parametrize(
    "function, reason",
    [
        (lambda x: (x.exp(), -x.sum(-1)), "the sign"),
        (lambda x: (x + 7, -x.sum(-1)), "the sign"),
        (lambda x: (x.log(), -x.log().sum(-1)), "the inverse"),
        (lambda x: (x.exp(), x), r"the last axis"),
        (lambda x: (x.exp(), x.sum()), "not one for all of them"),
        (lambda x: (x.exp(), x.sum(0)), "wrong axis"),
        (lambda x: (x.exp().T, x.sum(-1)), "wrong axis; a point is a row"),
        (lambda x: (x.exp(), x.sum(-1) + x.sum(-1, keepdim=True)), "combined with every other"),
        (lambda x: (x.exp(), x.sum(-1) + 1), r"log-det is 2.5000 where 1.5000 is right \(z fits\)"),
        (lambda x: (x.exp(), x.sum(-1) + (len(x) == 2)), "right in the first case"),
        (lambda x: x, "return 2 results"),
        (lambda x: (x.exp(), "a"), "log-det must be a tensor; it is a str"),
        (lambda x: (x.exp(), x.sum(-1) / 0), "not finite"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda: 0, "called with 1 arguments"),
    ],
)
def test_wrong_values_are_told_apart(function, reason):
    with pytest.raises(Wrong, match=reason):
        judge(function)


@pytest.mark.parametrize("function", [None, lambda x: None, lambda x: (x.exp(), ...)])
def test_nothing_returned_is_no_answer(function):
    with pytest.raises(Unanswered):
        judge(function)

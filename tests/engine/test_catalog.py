"""The catalogue is complete, consistent, and readable."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from flowviz.flows import catalog

each = pytest.mark.parametrize("name", catalog.names())


@each
def test_every_entry_says_everything(name: str) -> None:
    entry = catalog.entry(name)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", entry.name)
    costs = entry.determinant_cost, entry.inverse_cost
    for text in (entry.title, entry.family, entry.equation, *costs):
        assert text.strip() == text and text
    assert re.search(r"\d{4}", entry.reference), "no year"
    for left, right in ("{}", "()"):
        assert entry.equation.count(left) == entry.equation.count(right), entry.equation
    assert entry.equation.count(r"\left") - entry.equation.count(r"\leftarrow") == (
        entry.equation.count(r"\right") - entry.equation.count(r"\rightarrow")
    )
    shown = entry._repr_markdown_()
    assert entry.title in shown and entry.equation in shown and entry.reference in shown


@each
def test_announced_exactness_is_that_of_the_layers(name: str) -> None:
    entry = catalog.entry(name)
    flow = catalog.make(name, dim=2 if entry.allows(2) else entry.min_dim, layers=2, seed=0)
    assert flow.transform.exact_inverse == entry.exact_inverse
    assert flow.transform.exact_logabsdet == entry.exact_logabsdet
    assert all(layer.describe() for layer in flow.bijections)


def test_titles_are_unique_and_sections_together() -> None:
    entries = [catalog.entry(name) for name in catalog.names()]
    assert len({entry.title for entry in entries}) == len(entries)
    sections = [entry.family for entry in entries]
    assert sections == sorted(sections, key=sections.index)


@pytest.mark.parametrize(
    "given, meant",
    [("rq_spline", "rq_spline_coupling"), ("RealNVP", "real_nvp"), ("contr", "contractive")],
)
def test_the_family_that_was_meant_stands_before_the_long_list(given: str, meant: str) -> None:
    with pytest.raises(ValueError) as error:
        catalog.make(given)
    start = f"unknown flow {given!r}. Did you mean {meant!r}? There are: {catalog.names()[0]}, "
    assert str(error.value).startswith(start)


def test_the_option_that_was_meant_is_named() -> None:
    with pytest.raises(ValueError, match=r"has no option layer; it has: .* mean 'layers'\?"):
        catalog.make("maf", layer=3)
    with pytest.raises(ValueError, match=r"has no option dims; it has: .* mean 'dim'\?"):
        catalog.make("maf", dims=3)


def test_dimensions_in_words() -> None:
    entry = catalog.entry("real_nvp")
    assert entry.dims_in_words() == "dim ≥ 2" and entry.allows(2) and not entry.allows(1)


def test_two_threads_get_the_numbers_of_their_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second starts while the first is in the midst, and ends after it, where it may."""
    expected = [catalog.make("maf", seed=seed).state_dict() for seed in (1, 2)]
    in_the_midst = threading.Event(), threading.Event()
    done = threading.Event()
    found = {}
    reset = nn.Linear.reset_parameters

    def slow(layer: nn.Linear) -> None:
        reset(layer)
        number = threads.index(threading.current_thread())
        if not in_the_midst[number].is_set():
            in_the_midst[number].set()
            (in_the_midst[1], done)[number].wait(0.2)

    def make(number: int) -> None:
        if number == 1:
            in_the_midst[0].wait()
        found[number] = catalog.make("maf", seed=number + 1).state_dict()
        done.set()

    monkeypatch.setattr(nn.Linear, "reset_parameters", slow)
    threads = [threading.Thread(target=make, args=(number,)) for number in (0, 1)]
    before = torch.get_rng_state()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(torch.get_rng_state(), before)
    for number, state in enumerate(expected):
        assert all(torch.equal(found[number][key], value) for key, value in state.items())


def test_a_seed_leaves_all_generators_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("a GPU that is not in use was seeded")

    before = torch.get_rng_state()
    with monkeypatch.context() as asleep:
        asleep.setattr(torch.cuda, "manual_seed_all", touched)
        asleep.setattr(torch.cuda, "is_initialized", lambda: False)
        expected = catalog.make("maf", seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    # With GPUs in use theirs are borrowed as well.
    forked: list[list[int]] = []

    @contextmanager
    def fork_rng(devices: Iterable[int]) -> Iterator[None]:
        forked.append(list(devices))
        yield

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    again = catalog.make("maf", seed=1).state_dict()
    assert forked == [[0, 1]]
    assert all(torch.equal(again[name], tensor) for name, tensor in expected.items())

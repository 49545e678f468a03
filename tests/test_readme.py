"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from flowviz.flows import catalog
from tests.benchmarks import families


def test_its_tables_are_the_catalogue_and_the_results() -> None:
    readme, results = families.README.read_text(), families.RESULTS.read_text()
    assert families.written(readme, results) == readme, "run: python tests/benchmarks/families.py"
    for name in catalog.names():
        assert f"`{name}`" in readme


def test_the_recipe_names_the_command() -> None:
    recipe = families.README.read_text().partition("**To add a family**")[2].partition("\n\n")[0]
    assert "python tests/benchmarks/families.py" in recipe


def run(code: str) -> dict[str, Any]:
    """What a recipe leaves behind, after a few of its steps."""
    names: dict[str, Any] = {}
    exec(re.sub(r"run\(\d+", "run(2", code), names)
    return names


def test_its_recipes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = torch.tensor([500.0, 0.1, 3.0]) * torch.randn(40, 3) + 1000
    lines = [",".join(f"{value:.4f}" for value in row) for row in rows.tolist()]
    Path("mine.csv").write_text("\n".join(["length,width,age", *lines]))
    text = families.README.read_text()
    _, table, conditional, density, files = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for recipe in (table, conditional, density, files):
        assert len([line for line in recipe.splitlines() if line]) <= 8, recipe
    names = run(table)
    assert names["flow"].dim == 3 and names["log_prob"].isfinite().all()
    assert names["draws"].shape == (1000, 3) and 500 < names["draws"].median() < 1500
    names = run(conditional)
    assert names["last"].step == 2 and names["draws"].shape == (500, 2)
    names = run(density)
    assert names["last"].failure is None and names["log_z"].value.isfinite()
    names = run(files)
    again = names["again"].state_dict()
    assert all(torch.equal(t, again[name]) for name, t in names["flow"].state_dict().items())


def test_its_first_example_runs() -> None:
    code = re.search(r"```python\n(.*?)```", families.README.read_text(), re.DOTALL)
    assert code is not None and run(code[1])["log_prob"].shape == (1000,)

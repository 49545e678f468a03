"""The README says what is so."""

from __future__ import annotations

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

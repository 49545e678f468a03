"""The README says what is so."""

from __future__ import annotations

from flowviz.flows import catalog
from tests.benchmarks import families


def test_the_table_of_families_is_the_catalogue() -> None:
    readme = families.README.read_text()
    assert families.written(readme) == readme, "run: python tests/benchmarks/families.py --write"
    for name in catalog.names():
        assert f"`{name}`" in readme

"""The panels' registry: light, lazy, and of one mind with the panels."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import subprocess
import sys

import pytest

from flowviz import panels


def test_listing_imports_no_panel_and_no_torch():
    script = (
        "import sys; from flowviz import panels; assert len(panels.names()) >= 3\n"
        "[panels.entry(n) for n in panels.names()]; dir(panels)\n"
        "heavy = {'torch', 'plotly', 'ipywidgets'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_unknown_names_list_the_known_and_the_nearest():
    for given in ("kl", "KLComparison", "kl_comparisson"):
        with pytest.raises(ValueError) as error:
            panels.make(given)
        assert str(error.value) == (
            f"there is no panel {given!r} (did you mean 'kl_comparison'?): "
            f"the names are {', '.join(panels.names())}"
        )
    for given in ("zzzz", None, 3, ["kl_comparison"]):
        with pytest.raises(ValueError, match=": the names are change_of_variables, traj"):
            panels.make(given)
    with pytest.raises(AttributeError, match=r"'KLCompare'\. Did you mean 'KLComparison'\?"):
        panels.KLCompare  # noqa: B018
    with pytest.raises(AttributeError, match=r"'Zzzz'$"):
        panels.Zzzz  # noqa: B018


@pytest.mark.parametrize("name", panels.names())
def test_a_panel_lists_its_settings_where_a_notebook_looks_for_them(name):
    panel = panels.entry(name).load()
    found = inspect.signature(panel).parameters
    assert {key: each.default for key, each in found.items()} == panel.State.defaults()
    assert {each.kind for each in found.values()} == {inspect.Parameter.KEYWORD_ONLY}
    shown = " ".join(panel.__doc__.split())
    for key, field in panel.State.fields().items():
        assert f" {key}: {field.label}" in shown and f"{field.text_help}; " in shown
        if key != "hide":
            assert " ".join(f"; {field.allowed()}.".split()) in shown
    assert all(control in shown.partition(" hide: ")[2] for control in panel.State.hidable())


def test_a_setting_without_its_name_is_refused_in_words():
    said = r"settings of KLComparison are given by name, as in KLComparison\(target='iris'\)"
    with pytest.raises(TypeError, match=said):
        panels.KLComparison("iris")
    with pytest.raises(TypeError, match=said):
        panels.make("kl_comparison", "iris", layers=2)
    for value in (3, None, ["iris"], "nothing"):
        with pytest.raises(TypeError, match=r"given by name, as in KLComparison\(\w+="):
            panels.KLComparison(value)


@pytest.mark.parametrize("name", panels.names())
def test_entry_and_panel_agree(name):
    entry = panels.entry(name)
    module, _, cls = entry.path.partition(":")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not written yet")
    panel = getattr(importlib.import_module(module), cls)  # it need not come by the registry
    assert panel is entry.load()
    assert (panel.name, panel.title, panel.group) == (entry.name, entry.title, entry.group)
    assert panel.summary == entry.summary
    assert getattr(panels, cls) is panel

"""The exporter of pages: its templates are compiled once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flowviz.serving.exporter import PageExporter


def test_a_template_is_compiled_once_and_again_when_it_changes(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "page.html.j2"
    file.write_text("first")

    def exporter() -> PageExporter:
        made = PageExporter(template_name="lab")
        made.template_paths = [str(tmp_path)]
        return made

    compiled = []
    environment = type(exporter().environment)
    compile_ = environment.compile
    monkeypatch.setattr(
        environment, "compile", lambda *args, **kw: compiled.append(1) or compile_(*args, **kw)
    )

    def rendered() -> str:
        template = exporter().environment.get_template("page.html.j2")
        # It renders in an event loop of its own, and this thread may be in one already.
        with ThreadPoolExecutor() as threads:
            return threads.submit(template.render).result()

    assert (rendered(), rendered(), len(compiled)) == ("first", "first", 1)
    file.write_text("second")
    assert (rendered(), len(compiled)) == ("second", 2)

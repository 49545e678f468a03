"""The static site: what is in its folder, and what its pages say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat.v4 as notebooks
import pytest
from nbformat import write as write_notebook

from flowviz import panels
from flowviz.serving import cli, paths, site
from flowviz.serving.site import formulas, index, lesson, pages

PAGES = ["trajectories-3", "jacobian_volume-4"]
"""Two that are made in a moment."""
CELL = 'flowviz.panels.Trajectories(flow="planar", layers=1, particles=500, contours=False)'


class Parsed(HTMLParser):
    """The elements of a page: their tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def addresses(self) -> list[str]:
        values = [a.get(name) for _, a in self.elements for name in ("href", "src")]
        return [value for value in values if value and not value.startswith("data:")]


def small_lesson(folder: Path) -> Path:
    """A lesson with one panel."""
    path = folder / "01_small.ipynb"
    cells = [notebooks.new_markdown_cell("# A small <lesson>"), notebooks.new_code_cell(CELL)]
    said = {"question": "Is it <small>?", "minutes": 20}
    write_notebook(notebooks.new_notebook(cells=cells, metadata=said), path)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with a site, and what was said of it."""
    folder = tmp_path_factory.mktemp("made") / "below" / "site"
    said: list[str] = []
    made = small_lesson(tmp_path_factory.mktemp("lesson"))
    site.write(folder, pages=PAGES, lessons=[made], say=said.append)
    return folder, said


def test_every_page_is_written_and_said(written):
    folder, said = written
    names = {"index", *PAGES, "01_small", "01_small-panel-1"}
    assert {path.name for path in folder.iterdir()} == {f"{name}.html" for name in names}
    for name in names:
        assert any(line.startswith(str(folder / f"{name}.html")) for line in said)
    assert said[-1] == f"To look at them: python -m http.server -d {folder}"


def test_all_links_are_relative_and_lead_somewhere(written):
    folder, _ = written
    for path in folder.iterdir():
        for address in Parsed(path.read_text("utf-8")).addresses:
            assert re.fullmatch(r"[\w-]+\.html", address), (path.name, address)
            assert (folder / address).is_file(), (path.name, address)


def test_the_index_leads_to_all_panels_and_lessons(written):
    folder, _ = written
    text = (folder / "index.html").read_text("utf-8")
    page = Parsed(text)
    assert page.all("html") == [{"lang": "en"}] and len(page.all("h1")) == 1
    for said in ("Basics", "Trajectories", "carries the base to the data", "Planar: one crease"):
        assert said in text
    for said in ("A small &lt;lesson&gt;", "Is it &lt;small&gt;?", "Lesson · 20 min"):
        assert said in text
    assert page.addresses == [*(f"{name}.html" for name in PAGES), "01_small.html"]


def test_a_lesson_stands_in_the_chapter_of_its_panels(read):
    found = index.chapters(list(pages.of_panels()), read)
    assert [one.title for one in found] == ["Basics", "Fitting"]
    assert [[lesson.file[:2] for lesson in one.lessons] for one in found] == [
        ["01", "02", "03"],
        ["04", "05"],
    ]
    assert [name for one in found for name in one.panels] == panels.names()
    text = lesson.Lesson("06.html", paths.About("Of words alone", "", 0))
    assert [one.title for one in index.chapters([], [text])] == [index.REST]


def test_a_panels_page_leads_back_and_marks_itself(written):
    folder, _ = written
    from tests.browser.test_page import altered

    seen: list[Any] = []
    altered((folder / "trajectories-3.html").read_text("utf-8"), lambda s: seen.append(s["links"]))
    assert seen == [[["All panels and lessons", "index.html"], ["One planar layer", ""]]]


def test_a_site_is_written_again_and_nothing_else_is_written_over(written, tmp_path):
    folder, _ = written
    site.write(folder, pages=[], lessons=[], say=lambda line: None)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"holds other files; allowed are a new or an empty"):
        site.write(tmp_path)
    with pytest.raises(ValueError, match=r"thesis.txt' is a file; allowed are a new or an empty"):
        site.write(tmp_path / "thesis.txt")
    with pytest.raises(ValueError, match=r"no page 'trajectories-9'.*trajectories-4"):
        site.write(tmp_path / "new", pages=["trajectories-9"])
    assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command_says_why_it_refuses(tmp_path, capsys):
    (tmp_path / "index.html").write_text("<h1>Somebody's home</h1>")
    assert cli.main(["site", str(tmp_path)]) == 1
    assert "holds other files" in capsys.readouterr().err


# ---- lessons -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def read() -> list[lesson.Lesson]:
    return [lesson.read(path) for path in paths.lessons()]


WORDS = {"sup", "log", "det", "lim", "Cov", "sinh", "cosh", "forward", "reverse"}


def test_every_formula_of_the_lessons_is_mathml_with_nothing_of_latex_left(read):
    for one in read:
        found = re.findall(r"<math.*?</math>", one.body, re.DOTALL)
        assert len(found) > 50
        for text in found:
            root = ElementTree.fromstring(text)
            said = "".join(root.itertext())
            assert not re.search(r"[\\&{}$]", said), said
            words = {e.text for e in root.iter() if re.fullmatch(r"[A-Za-z]{3,}", e.text or "")}
            assert words <= WORDS, said
        rest = re.sub(r"<math.*?</math>|<pre.*?</pre>", "", one.body, flags=re.DOTALL)
        assert not re.search(r"\$|\\[a-zA-Z]", rest)


def test_rows_of_aligned_formulas_stand_below_each_other():
    text = formulas.mathml(
        r"\begin{aligned} a &= \tilde p \\ &\sim \infty \end{aligned}", display=True
    )
    assert text.count("mtr>") == 4 and text.count("<mtd") == 4
    assert "text-align: right" in text and "text-align: left" in text
    assert "<mo>∼</mo>" in text and "<mi>∞</mi>" in text


def test_functions_are_set_off_but_not_from_a_bracket():
    thin = '<mspace width="0.167em" />'
    assert f"<mi>log</mi>{thin}<mi>p</mi>" in formulas.mathml(r"\log p", display=False)
    assert thin not in formulas.mathml(r"\log(p)", display=False)
    name = '<mo lspace="0" rspace="0">Cov</mo>'
    assert f"<mi>a</mi>{thin}{name}{thin}<mi>p</mi>" in formulas.mathml(
        r"a\operatorname{Cov} p", display=False
    )


@pytest.mark.parametrize("tex", [r"\nosuchthing x", r"a & b", r"\frac1", r"\left( x"])
def test_a_formula_that_cannot_be_shown_is_named(tex):
    with pytest.raises(ValueError, match="cannot be written as MathML"):
        formulas.mathml(tex, display=False)


def test_the_lessons_panels_are_pages_of_their_own(read):
    (one,) = (one for one in read if one.file.startswith("04_"))
    assert [made.name for made in one.made] == ["kl_comparison"] * 3
    assert one.made[0].settings["target"] == "old_faithful", "inside tried_in"
    assert one.made[2].settings["log_c"] == 3.0
    frames = Parsed(one.body).all("iframe")
    assert [frame["src"] for frame in frames] == [made.file for made in one.made]
    assert len({frame["title"] for frame in frames}) == 3
    assert all(frame["loading"] == "lazy" for frame in frames)


def test_a_prediction_is_a_question_with_its_answer_folded_away(read):
    (one,) = (one for one in read if one.file.startswith("04_"))
    assert one.body.count('class="fv-question"') == 4
    question = one.body.partition("A model reproduces four of eight")[2].partition("</section>")[0]
    options, answer = question.split("<details>")
    assert options.count("<li>") == 4 and "On its four modes" not in options
    assert "<b>log 2 and infinite.</b> On its four modes" in answer
    number = one.body.partition("two well separated modes")[2].partition("</section>")[0]
    assert "<b>1.39 nats.</b> On its mode p = 4 p*" in number
    assert "predict(" not in one.body and "predict_number(" not in one.body, (
        "that would give the answer away"
    )
    assert one.body.count("This task is done, and its answer checked") == 3


def test_pages_of_other_hosts_are_never_asked(read):
    for one in read:
        assert not [a for a in Parsed(one.body).addresses if ":" in a or a.startswith("//")]


@pytest.mark.parametrize(
    "source", ["flowviz.panels.make(name)", "make('trajectories')", "%matplotlib", "panels.Panel()"]
)
def test_what_would_have_to_be_run_stays_code(source, tmp_path):
    path = tmp_path / "01.ipynb"
    write_notebook(notebooks.new_notebook(cells=[notebooks.new_code_cell(source)]), path)
    one = lesson.read(path)
    assert not one.made and "<pre" in one.body

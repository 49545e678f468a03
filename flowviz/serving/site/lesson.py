"""A lesson's notebook as a page: its text, its code, its questions, and places for its panels."""

from __future__ import annotations

import ast
import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from flowviz import panels
from flowviz.serving import paths, questions
from flowviz.serving.site.formulas import mathml
from flowviz.widgets.readouts import format_number

Cell = Any


@dataclass(frozen=True)
class Made:
    """A panel that a cell makes, and the page that it is shown in."""

    file: str
    name: str
    settings: dict[str, Any]


@dataclass
class Lesson:
    """A lesson as it is put into its page.

    Attributes:
        file: of the page.
        about: what the notebook says of itself.
        body: the page's text, as HTML.
        made: the panels that it shows.
    """

    file: str
    about: paths.About
    body: str = ""
    made: list[Made] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.about.title


def read(notebook: Path) -> Lesson:
    """The page of a lesson. Nothing in the notebook is run.

    Raises:
        ValueError: a formula that cannot be shown, with the formula.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    lesson = Lesson(f"{notebook.stem}.html", paths.about(notebook))
    lesson.body = "\n".join(
        _text(cell.source) if cell.cell_type == "markdown" else _code(cell, lesson)
        for cell in cells
        if cell.cell_type in ("markdown", "code")
    )
    return lesson


# ---- text --------------------------------------------------------------------------------------


class _Renderer(IPythonRenderer):
    """Markdown as notebooks have it, with formulas that need no script."""

    def block_math(self, body: str) -> str:
        # A formula wider than a phone is scrolled by itself, by the keyboard too.
        return f'<span class="fv-formula" tabindex="0">{mathml(body, display=True)}</span>'

    def inline_math(self, body: str) -> str:
        return mathml(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def block_code(self, code: str, info: str | None = None) -> str:
        return _pre(code)


def _text(markdown: str) -> str:
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    return f'<div class="fv-read">{MarkdownWithMath(renderer=renderer).render(markdown)}</div>'


def _pre(text: str, kind: str = "fv-code") -> str:
    code = html.escape(text.strip("\n"), quote=False)
    return f'<pre class="{kind}"><code>{code}</code></pre>'


# ---- code --------------------------------------------------------------------------------------


def _code(cell: Cell, lesson: Lesson) -> str:
    calls = list(questions.calls(cell.source))
    if question := next(filter(None, map(_question, calls)), ""):
        return f'<div class="fv-read">{question}</div>'
    hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
    shown = [] if hidden else [_pre(cell.source)]
    if any(ast.unparse(call.func).split(".")[-1] == "check" for call in calls):
        shown.append(
            '<p class="fv-elsewhere">This task is done, and its answer checked, in a notebook '
            "(<code>flowviz --lab</code>) or in the dashboard (<code>flowviz</code>).</p>"
        )
    told = "".join(o.text for o in cell.outputs if o.output_type == "stream")
    if told:
        shown.append(_pre(told, "fv-told"))
    parts = [f'<div class="fv-read">{"".join(shown)}</div>'] if shown else []
    for name, settings in filter(None, map(_panel, calls)):
        number = len(lesson.made) + 1
        file = f"{Path(lesson.file).stem}-panel-{number}.html"
        lesson.made.append(Made(file, name, settings))
        named = html.escape(f"Panel {number}: {panels.entry(name).title}")
        parts.append(f'<iframe title="{named}" src="{file}" loading="lazy"></iframe>')
    return "\n".join(parts)


def _panel(call: ast.Call) -> tuple[str, dict[str, Any]] | None:
    """The name and the settings of the panel that a call makes, where it says all in letters."""
    words = ast.unparse(call.func).removeprefix("flowviz.").split(".")
    if len(words) != 2 or words[0] != "panels":
        return None
    values = _literals(call)
    if values is None:
        return None
    nameless, settings = values
    if words[1] == "make":
        return (nameless[0], settings) if len(nameless) == 1 else None
    classes = {panels.entry(n).path.rpartition(":")[2]: n for n in panels.names()}
    return (classes[words[1]], settings) if words[1] in classes and not nameless else None


def _question(call: ast.Call) -> str:
    """A prediction as a question with its answer folded away; empty for any other call."""
    asked = questions.question(call)
    if asked is None:
        return ""
    options = "".join(f"<li>{html.escape(option)}</li>" for option in asked.options)
    listed = f"<ul>{options}</ul>" if options else ""
    answer = asked.answer
    if isinstance(answer, float):
        answer = f"{format_number(answer)} {asked.unit}".strip()
    right = f"<b>{html.escape(str(answer))}.</b> " if answer is not None else ""
    return (
        f'<section class="fv-question"><p><b>Predict.</b> {html.escape(asked.text)}</p>'
        f"{listed}<details><summary>Answer</summary>"
        f"<p>{right}{html.escape(asked.why)}</p></details></section>"
    )


def _literals(call: ast.Call) -> tuple[list[Any], dict[str, Any]] | None:
    """A call's arguments, without and with names; None if one of them would have to be run."""
    try:
        return (
            [ast.literal_eval(argument) for argument in call.args],
            {str(word.arg): ast.literal_eval(word.value) for word in call.keywords if word.arg},
        )
    except ValueError:
        return None

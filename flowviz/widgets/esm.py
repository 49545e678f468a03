"""Link plain ES modules into the one string that an anywidget sends.

Our JavaScript is written as small modules beside their Python halves and needs no build step.
:func:`module` reads an entry module and everything that it imports, and writes them one after the
other, each in a function of its own, so that the result is a single module without imports: it
runs in JupyterLab, Voila, VS Code and in a page opened from disk alike. Comments that have lines of
their own, a sixth of all, stay behind, and so does what lines begin with to be read more easily:
every widget is sent with its module. A text between backticks stays as it is.

The modules may use: ``import { a, b as c } from "./file.js"``, ``import * as name from
"./file.js"``, ``export function|async function|class|const name``, and, in the entry alone,
``export default``. Anything else, and a circle of imports, is refused with the file's name.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

MAIN = "$main"
"""The name that the entry's default export has inside the linked module."""

_IMPORT = re.compile(
    r"^import\s+(?:\{(?P<names>[^}]*)\}|\*\s+as\s+(?P<all>[\w$]+))\s+from\s+"
    r"[\"'](?P<path>\.[^\"']*)[\"'];?[ \t]*$",
    re.MULTILINE,
)
_EXPORT = re.compile(
    r"^export\s+(?P<kind>async\s+function|function\*?|class|const)\s+(?P<name>[\w$]+)",
    re.MULTILINE,
)
_COMMENT = re.compile(r"^[ \t]*(?://.*|/\*\*(?s:.*?)\*/[ \t]*)\n", re.MULTILINE)
_INDENT = re.compile(r"`(?:[^`\\]|\\.)*`|^\s+", re.MULTILINE | re.DOTALL)
_RENAMED = re.compile(r"([\w$]+)\s+as\s+")
_DEFAULT = re.compile(r"^export\s+default\s+", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import\b(?!\s*\()|export\b).*$", re.MULTILINE)


@cache
def module(entry: Path) -> str:
    """The source of one ES module that holds ``entry`` and all that it imports.

    Args:
        entry: an ES module with an ``export default``.

    Returns:
        A module whose default export is the entry's; inside, that value is called ``$main``.

    Raises:
        ValueError: a form of import or export that is not supported, a missing file, a circle
            of imports, or an entry without default export.
    """
    linked: dict[Path, str] = {}
    _link(Path(entry).resolve(), linked, trail=())
    *_, last = linked.values()
    if f"\nconst {MAIN} = " not in last:
        raise ValueError(f"{entry} is an entry: it needs an `export default`")
    return "\n".join(linked.values()) + f"\nexport default {MAIN};\n"


@cache
def widget(entry: Path) -> str:
    """The same for a widget: a page runs it once, for the first widget that is made of it.

    A browser runs the module of every widget anew, and a panel has dozens of them. They find what
    they have in common by what is written in it, so that two versions of it do not meet.
    Arguments, value and errors are those of :func:`module`.
    """
    source = module(entry)
    key = hashlib.sha256(source.encode()).hexdigest()[:16]
    body = source[: source.rindex("export default ")]
    return (
        f"const make = () => {{\n{body}return {MAIN};\n}};\n"
        f'const {MAIN} = (globalThis.flowvizWidgets ??= {{}})["{key}"] ??= make();\n'
        f"export default {MAIN};\n"
    )


def _link(path: Path, linked: dict[Path, str], trail: tuple[Path, ...]) -> None:
    """Append ``path`` to ``linked``, after everything that it imports."""
    if path in trail:
        circle = " → ".join(p.name for p in (*trail[trail.index(path) :], path))
        raise ValueError(f"these modules import one another in a circle: {circle}")
    if path in linked:
        return
    if not path.is_file():
        raise ValueError(f"{trail[-1].name if trail else 'the entry'} needs {path}, not found")
    source = _bare(path.read_text(encoding="utf-8"))
    for found in _IMPORT.finditer(source):
        _link((path.parent / found["path"]).resolve(), linked, (*trail, path))

    names = {p: f"$m{index}" for index, p in enumerate(linked)}

    def imported(found: re.Match[str]) -> str:
        origin = names[(path.parent / found["path"]).resolve()]
        if found["all"]:
            return f"const {found['all']} = {origin};"
        names_here = _RENAMED.sub(r"\1: ", found["names"])
        return f"const {{{names_here}}} = {origin};"

    exports = [found["name"] for found in _EXPORT.finditer(source)]
    is_entry = not trail
    body = _IMPORT.sub(imported, source)
    body = _EXPORT.sub(lambda found: f"{found['kind']} {found['name']}", body)
    if is_entry:
        body = _DEFAULT.sub("const $default = ", body, count=1)
        if "const $default = " in body:
            exports.append("$default")
    left = _LEFT_OVER.search(body)
    if left:
        raise ValueError(f"{path.name}: cannot link the line {left.group().strip()!r}")
    own = f"$m{len(linked)}"
    returned = ", ".join(exports)
    text = f"const {own} = (() => {{ // {path.name}\n{body}\nreturn {{ {returned} }};\n}})();"
    if "$default" in exports:
        text += f"\nconst {MAIN} = {own}.$default;"
    linked[path] = text


def _bare(source: str) -> str:
    """A module without the comments on lines of their own, empty lines and indentation."""
    source = _COMMENT.sub("", source)
    return _INDENT.sub(lambda found: found[0] if found[0][0] == "`" else "", source)

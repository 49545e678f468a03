"""Linking ES modules: what comes out runs, and what cannot be linked is refused in words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from flowviz.widgets import esm


def write(folder: Path, **files: str) -> Path:
    for name, source in files.items():
        (folder / f"{name}.js").write_text(source)
    return folder / "main.js"


def test_linked_modules_run(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: install Node.js to run the JavaScript tests")
    entry = write(
        tmp_path,
        main='import { two as zwei,\n  half } from "./numbers.js";\n'
        'import * as words from "./words.js";\n'
        "const two = 40;\n"
        "export default { answer: two + zwei, half: half(zwei), word: words.hello() };\n",
        numbers="export const two = 2;\nexport function half(x) { return x / two; }\n",
        words='import { two } from "./numbers.js";\n'
        'export class Word {}\nexport function hello() { return "hello" + two; }\n',
    )
    out = tmp_path / "out.mjs"
    out.write_text(
        f"{esm.module(entry)}console.log(JSON.stringify({esm.MAIN}));\n", encoding="utf-8"
    )
    said = subprocess.run([node, str(out)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == '{"answer":42,"half":1,"word":"hello2"}'


def test_a_page_runs_a_widgets_module_once_however_many_there_are(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: install Node.js to run the JavaScript tests")
    source = (
        'import {{ part }} from "./part.js";\nconsole.log("{0}");\nexport default {{ part }};\n'
    )
    part = 'console.log("part");\nexport const part = {};\n'
    for name, said in (("a", "first"), ("b", "first"), ("c", "second")):
        folder = tmp_path / name
        folder.mkdir()
        entry = write(folder, main=source.format(said), part=part)
        (tmp_path / f"{name}.mjs").write_text(esm.widget(entry))
    (tmp_path / "all.mjs").write_text(
        "const of = async (name) => (await import(`./${name}.mjs`)).default;\n"
        'const [a, b, c] = [await of("a"), await of("b"), await of("c")];\n'
        "console.log(a === b, a === c, a.part === b.part);\n"
    )
    said = subprocess.run(
        [node, str(tmp_path / "all.mjs")], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["part", "first", "part", "second", "true", "false", "true"]


def test_comments_on_lines_of_their_own_and_indentation_stay_behind(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main="// gone\n/** gone\n * too */\nconst page = 'https://a'; // kept\n"
        "  // gone\n\n  const said = `one\\`\n  two\n\n`;\n\texport default page;\n",
    )
    linked = esm.module(entry)
    assert "gone" not in linked
    kept = "\nconst page = 'https://a'; // kept\nconst said = `one\\`\n  two\n\n`;\nconst $default"
    assert kept in linked


def test_a_module_imported_twice_is_written_once(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { a } from "./a.js";\nimport { b } from "./b.js";\nexport default a + b;\n',
        a='import { b } from "./b.js";\nexport const a = b;\n',
        b="export const b = 'only once';\n",
    )
    assert esm.module(entry).count("only once") == 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"main": 'import x from "./a.js";\nexport default x;\n', "a": ""}, "cannot link the line"),
        ({"main": "export let x = 1;\nexport default x;\n"}, "cannot link the line"),
        ({"main": 'import { a } from "./gone.js";\nexport default a;\n'}, "main.js needs"),
        ({"main": "const a = 1;\n"}, "needs an `export default`"),
        (
            {
                "main": 'import { a } from "./a.js";\nexport default a;\n',
                "a": 'import { b } from "./b.js";\nexport const a = b;\n',
                "b": 'import { a } from "./a.js";\nexport const b = a;\n',
            },
            "circle: a.js → b.js → a.js",
        ),
    ],
)
def test_what_cannot_be_linked_is_refused(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        esm.module(write(tmp_path, **files))

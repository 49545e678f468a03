"""A SCORM package behind a plain file server, in the frame and in the window of an LMS of ours."""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat.v4 as notebooks
import pytest
from nbformat import write as write_notebook

from flowviz.serving import paths, scorm
from tests.browser.test_site import Quiet
from tests.serving.test_site import CELL

LMS = """<!doctype html><link rel="icon" href="data:,"><title>LMS</title><script>
// Keeps what it is told, and objects to what SCORM 1.2 does not allow.
const kept = { "cmi.core.lesson_status": "not attempted" };
const calls = [];
let open = false;
const during = (name, allowed, answer) => (...given) => {
  calls.push([name, ...given]);
  if (open !== allowed) throw new Error(`${name} while the session is ${open ? "open" : "closed"}`);
  return answer(...given);
};
window.API = {
  LMSInitialize: during("LMSInitialize", false, () => { open = true; return "true"; }),
  LMSGetValue: during("LMSGetValue", true, (name) => kept[name] ?? ""),
  LMSSetValue: during("LMSSetValue", true, (name, value) => { kept[name] = value; return "true"; }),
  LMSCommit: during("LMSCommit", true, () => "true"),
  LMSFinish: during("LMSFinish", true, () => { open = false; return "true"; }),
  LMSGetLastError: () => "0",
};
</script>
<iframe name="player" style="width: 100%; height: 680px"></iframe>"""

PLAYER = (
    '<!doctype html><title>Player</title><iframe name="item" style="width: 100%; height: 640px">'
)
HEARD = "() => new Promise((heard) => requestAnimationFrame(() => setTimeout(heard, 50)))"
STATUS = "kept['cmi.core.lesson_status']"
LESSON = [
    notebooks.new_markdown_cell("# A small lesson"),
    notebooks.new_code_cell(CELL),
    notebooks.new_code_cell(
        'predict("Which way?", ["up", "down"], "up", "It only goes up.", experiment="see")'
    ),
    notebooks.new_markdown_cell("It goes on.\n\n" * 60),
    notebooks.new_markdown_cell("And this is its end."),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of a panel and a lesson, unpacked, with an LMS's pages beside it."""
    notebook = tmp_path_factory.mktemp("lesson") / "01_small.ipynb"
    write_notebook(notebooks.new_notebook(cells=LESSON), notebook)
    folder: Path = tmp_path_factory.mktemp("lms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "lessons", lambda: [notebook])
        names = ["trajectories", "01_small"]
        made = scorm.write(folder / "flows.zip", names, say=lambda line: None)
    zipfile.ZipFile(made).extractall(folder / "package")
    (folder / "lms.html").write_text(LMS)
    (folder / "player.html").write_text(PLAYER)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def lesson_time(lms: Any) -> str:
    return str(lms.evaluate("kept['cmi.core.session_time']"))


def calls(lms: Any) -> list[str]:
    """What was called since this was last asked, without its arguments."""
    return [name for name, *_ in lms.evaluate("calls.splice(0)")]


def test_a_panel_in_the_frames_of_an_lms_is_completed_once_it_was_used(
    address: str, open_page: Any
) -> None:
    lms = open_page(1280, 720)
    lms.goto(f"{address}/lms.html")
    lms.evaluate("frames.player.location = 'player.html'")
    item = lms.frame_locator("[name=player]").frame_locator("[name=item]")
    panel = item.frame_locator("iframe")

    def launch() -> None:
        lms.frame(name="item").goto(f"{address}/package/trajectories/index.html")
        panel.locator(".fv-run-train").wait_for()

    def leave() -> None:
        lms.frame(name="item").goto("about:blank")

    lms.frame_locator("[name=player]").locator("iframe").wait_for()
    launch()
    assert lms.evaluate(STATUS) == "incomplete"
    # To play by itself and to look at another preset is not to use it.
    panel.get_by_role("link", name="One planar layer").click()
    panel.locator("[aria-current=page]", has_text="One planar layer").wait_for()
    panel.locator("h1").click()
    lms.keyboard.press("Tab")
    assert lms.evaluate(STATUS) == "incomplete"
    leave()
    assert lms.evaluate("kept['cmi.core.exit']") == "suspend"
    assert re.fullmatch(r"\d{4}:[0-5]\d:[0-5]\d\.\d\d", lesson_time(lms))
    made = calls(lms)
    assert made[:2] == ["LMSInitialize", "LMSGetValue"] and made[-2:] == ["LMSCommit", "LMSFinish"]

    launch()
    box = panel.locator(".fv-stage-handle").first.bounding_box()
    lms.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lms.mouse.down()
    lms.mouse.move(box["x"] + 40, box["y"] + 30, steps=3)
    lms.mouse.up()
    assert lms.evaluate(STATUS) == "completed"
    leave()
    assert lms.evaluate("kept['cmi.core.exit']") == ""
    assert calls(lms)[-1] == "LMSFinish"

    launch()
    leave()
    assert lms.evaluate(STATUS) == "completed", "it was before"


def test_a_key_that_does_something_is_use_as_well(address: str, open_page: Any) -> None:
    lms = open_page(1280, 720)
    lms.goto(f"{address}/lms.html")
    lms.evaluate("frames.player.location = 'package/trajectories/index.html'")
    panel = lms.frame_locator("[name=player]").frame_locator("iframe")
    panel.locator(".fv-run-train").wait_for()
    panel.locator("h1").click()
    lms.keyboard.press("Shift")
    assert lms.evaluate(STATUS) == "incomplete"
    lms.keyboard.press("Space")
    assert lms.evaluate(STATUS) == "completed"


def test_a_lesson_in_a_window_of_an_lms_is_completed_once_it_was_read(
    address: str, open_page: Any
) -> None:
    lms = open_page()
    lms.goto(f"{address}/lms.html")
    with lms.expect_popup() as opened:
        lms.evaluate("void window.open('package/01_small/index.html')")
    window = opened.value
    lesson = window.frame_locator("iframe")
    lesson.frame_locator("iframe").locator(".fv-run-train").wait_for()
    assert lms.evaluate(STATUS) == "incomplete"
    lesson.get_by_text("Answer").click()
    lesson.locator("details[open]").evaluate(HEARD)
    assert lms.evaluate(STATUS) == "incomplete", "its end was not reached"
    lesson.get_by_text("And this is its end.").scroll_into_view_if_needed()
    lms.wait_for_function(f"{STATUS} === 'completed'")
    window.close()
    lms.wait_for_function("calls.at(-1)[0] === 'LMSFinish'")
    assert lesson_time(lms) >= "0000:00:00.01"


def test_without_an_lms_a_panel_plays_from_a_file(folder: Path, open_page: Any) -> None:
    page = open_page()
    page.goto((folder / "package/trajectories/index.html").as_uri())
    panel = page.frame_locator("iframe")
    panel.locator(".fv-run-train").click()
    page.frames[-1].wait_for_function("flowviz.run?.get('step') >= 1", timeout=30_000)

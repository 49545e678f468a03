"""The notebooks in JupyterLab, as ``flowviz --lab`` opens it."""

from __future__ import annotations

import re
from contextlib import suppress

import nbformat
from playwright.sync_api import TimeoutError, expect

from flowviz import panels
from flowviz.serving import paths

IDLE = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator[data-status="idle"]'
"""The notebook in sight runs nothing."""

COLOURS = """canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(pixels.data.buffer)).size;
}"""
READY = ".fv-panel:not(.fv-away)"


def run_first_cell(page) -> None:
    """Press Ctrl+Enter in it until it counts as run: a notebook still settling drops keys."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    prompt = cell.locator(".jp-InputPrompt")
    dialog = page.locator(".jp-Dialog")
    for _ in range(30):
        assert dialog.count() == 0, dialog.all_inner_texts()
        cell.click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(1000)
        if re.search(r"[*\d]", prompt.inner_text()):
            return
    raise AssertionError(f"the cell did not run: its prompt is {prompt.inner_text()!r}")


def test_a_lesson_opens_without_a_question_and_without_unsaved_changes(start_flowviz, open_page):
    server = start_flowviz("--lab", "lessons")
    page = open_page()
    page.goto(server.address(f"/lab/tree/{paths.lessons()[0].name}"), wait_until="commit")
    page.wait_for_selector(
        IDLE,
        timeout=60_000,
    )
    page.wait_for_timeout(3000)  # both come some time after the kernel
    assert page.locator(".Toastify__toast").count() == 0, "JupyterLab asks about news"
    assert page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").count() == 0
    for warning in ("Deprecat", "deprecat", "not trusted"):
        assert warning not in server.log()


def test_the_dashboard_runs_in_a_notebook(lab_server, open_page, screenshots):
    page = open_page(width=1400, height=900)
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(lab_server.address("/lab/tree/dashboard.ipynb"), wait_until="commit")
    page.wait_for_selector(
        IDLE,
        timeout=60_000,
    )
    run_first_cell(page)
    page.wait_for_selector(READY, timeout=60_000)
    address = page.url
    first, last = panels.landing(), panels.names()[-1]
    assert page.locator(f"{READY} .fv-title").inner_text() == panels.entry(first).title
    page.get_by_role("button", name=panels.entry(last).title, exact=True).click()
    page.wait_for_function(
        "title => document.querySelector('.fv-panel:not(.fv-away) .fv-title')?.innerText === title",
        arg=panels.entry(last).title,
        timeout=60_000,
    )
    page.screenshot(path=screenshots / "lab-dashboard.png")
    assert page.url == address, "the address belongs to JupyterLab"
    outside = [u for u in requested if not u.startswith((lab_server.origin, "data:", "blob:"))]
    assert outside == []


# ------------------------------------------------------------------ the life of a panel in its cell

CELLS = (
    "import ipywidgets, threading, flowviz\n"
    "panel = flowviz.panels.make('trajectories', compact=True)\npanel",
    "panel",
    "training = any(t.name == 'flowviz-jobs' for t in threading.enumerate())\n"
    "print(f'widgets: {len(ipywidgets.widget._instances)}, training: {training}')",
)
PATIENCE = 60_000
TALL = 2_400  # JupyterLab draws only the cells that are in sight

# What is not inside the panel's box, and how high that is.
LOOK = """panel => {
  const box = panel.getBoundingClientRect();
  const inside = (one) => {
    const part = panel.querySelector(one).getBoundingClientRect();
    return part.width > 1 && part.left >= box.left && part.right <= box.right
      && part.top >= box.top && part.bottom <= box.bottom;
  };
  const parts = ['.fv-slot-picture .fv-stage-plot', '.fv-run-play', '.fv-run-depth input',
    '.fv-run-train', '.fv-run-training .fv-run-words'];
  return { outside: parts.filter((one) => !inside(one)), height: box.height };
}"""

ICONS = """() => [...document.querySelectorAll('.fv-panel, .fv-panel *')]
  .filter((one) => one.classList.contains('jupyter-widgets-disconnected'))
  .filter((one) => getComputedStyle(one, '::before').content !== 'none').length"""
NOTICES = """() => [...document.querySelectorAll('.fv-panel .fv-header, .fv-panel .fv-header *')]
  .map((one) => getComputedStyle(one, '::after').content)
  .filter((said) => said.includes('run this cell again')).length"""


class Notebook:
    """A notebook of :data:`CELLS` in JupyterLab."""

    def __init__(self, server, page) -> None:
        self.path = server.folder / "notebooks" / "life.ipynb"
        cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), self.path
        )
        self.page = page
        # anywidget gives a widget's code two seconds, which a busy machine needs: here, none.
        page.add_init_script(
            "const after = AbortSignal.timeout.bind(AbortSignal);"
            "AbortSignal.timeout = (ms) => after(ms === 2000 ? 0 : ms);"
        )
        # In a workspace of its own, or notebooks of other tests would be opened again beside it.
        address = server.address(f"/lab/workspaces/life/tree/{self.path.name}")
        page.goto(address, wait_until="commit")
        page.wait_for_selector(
            IDLE,
            timeout=PATIENCE,
        )

    def menu(self, menu: str, item: str) -> None:
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=item, exact=False).first.click()

    def cell(self, index: int):
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").nth(index)

    def _prompt(self, index: int):
        return self.cell(index).locator(".jp-InputPrompt")

    def run(self, index: int) -> str:
        """Run a cell, and return what it prints."""
        prompt = self._prompt(index)
        before = prompt.inner_text()
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(
            "([prompt, before]) => /\\d/.test(prompt.innerText) && prompt.innerText !== before",
            arg=[prompt.element_handle(), before],
            timeout=PATIENCE,
        )
        return self.cell(index).locator(".jp-OutputArea").inner_text()

    def run_all(self) -> None:
        """Choose "Run All Cells" until it counts: a notebook still settling drops it."""
        for _ in range(10):
            self.menu("Run", "Run All Cells")
            with suppress(AssertionError):
                return expect(self._prompt(0)).to_have_text(re.compile(r"[*\d]"), timeout=6_000)
        raise AssertionError(f"no cell ran: the first prompt is {self._prompt(0).inner_text()!r}")

    def panel(self, index: int):
        """The panel that a cell shows, drawn."""
        panel = self.cell(index).locator(".fv-panel")
        try:
            panel.locator(".fv-stage-pixels").first.wait_for(timeout=PATIENCE)
        except TimeoutError as error:
            shown = self.cell(index).inner_text()
            raise AssertionError(f"no picture in cell {index}, which shows {shown!r}") from error
        return panel

    def saved(self) -> list[list[str]]:
        """What the file holds of each cell's output, once it is saved."""
        self.page.keyboard.press("Control+s")
        self.page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").wait_for(state="detached")
        cells = nbformat.read(self.path, as_version=4).cells
        return [sorted(kind for o in c.outputs for kind in o.get("data", {})) for c in cells]


def test_the_life_of_a_panel_in_its_cell(lab_server, open_page, screenshots):
    page = open_page(width=1280, height=TALL)
    notebook = Notebook(lab_server, page)
    notebook.run_all()
    first, second = notebook.panel(0), notebook.panel(1)
    count = notebook.run(2)
    assert re.search(r"widgets: \d{2,}, training: False", count)

    # It fits a cell, and the whole of it a small window.
    assert first.evaluate(LOOK) == {"outside": [], "height": 640}
    page.set_viewport_size({"width": 1280, "height": 720})
    first.evaluate("panel => panel.scrollIntoView()")
    page.wait_for_timeout(500)
    seen = first.evaluate(LOOK)
    assert seen["outside"] == [] and seen["height"] <= 600
    page.screenshot(path=screenshots / "lab-compact.png")
    page.set_viewport_size({"width": 1280, "height": TALL})
    notebook.panel(1)

    # Two views are one panel.
    depths = [view.locator(".fv-run-depth input") for view in (first, second)]
    depths[0].focus()
    page.keyboard.press("Home")
    page.wait_for_function(
        "inputs => inputs.every((input) => Number(input.value) === 0)",
        arg=[depth.element_handle() for depth in depths],
    )
    depths[1].focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "inputs => inputs.every((input) => input.value === input.max)",
        arg=[depth.element_handle() for depth in depths],
    )

    # Run again, a cell has as many widgets as before, and what trained there has ended.
    page.wait_for_timeout(200)
    first.locator(".fv-run-train").click()
    first.locator(".fv-running").wait_for(timeout=PATIENCE)
    assert "training: True" in notebook.run(2)
    notebook.run(0)
    notebook.run(1)
    first, second = notebook.panel(0), notebook.panel(1)
    assert notebook.run(2) == count
    kinds = ["application/vnd.jupyter.widget-view+json", "image/png", "text/plain"]
    assert notebook.saved()[:2] == [kinds, kinds]

    # Presented it takes the screen; leaving that ends it.
    page.set_viewport_size({"width": 1280, "height": 720})
    notebook.panel(0).evaluate("panel => panel.scrollIntoView()")
    present = first.locator(".fv-present-button")
    present.click()
    page.wait_for_function("document.fullscreenElement?.matches('.fv-panel.fv-present')")
    seen = first.evaluate(LOOK)
    assert seen["outside"] == [] and seen["height"] == 720
    page.screenshot(path=screenshots / "lab-presented.png")
    page.evaluate("document.exitFullscreen()")
    page.locator(".fv-present").first.wait_for(state="detached")
    present.click()
    page.wait_for_function("document.fullscreenElement?.matches('.fv-panel.fv-present')")
    present.click()
    page.wait_for_function("document.fullscreenElement === null")
    page.locator(".fv-present").first.wait_for(state="detached")

    page.set_viewport_size({"width": 1280, "height": TALL})
    notebook.panel(1)

    # A kernel that was restarted: said once in each view, and the picture stays.
    notebook.menu("Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog button", has_text="Restart").click()
    page.locator(".fv-panel.jupyter-widgets-disconnected").nth(1).wait_for(timeout=PATIENCE)
    assert page.evaluate(NOTICES) == 2
    assert page.evaluate(ICONS) == 0
    page.screenshot(path=screenshots / "lab-restarted.png")
    assert first.locator(".fv-stage-pixels").first.evaluate(COLOURS) > 20
    notebook.run(0)
    notebook.panel(0).locator(".fv-run-train").wait_for()
    page.wait_for_function(f"({NOTICES})() === 1")

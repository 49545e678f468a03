"""The notebooks in JupyterLab, as ``flowviz --lab`` opens it."""

from __future__ import annotations

import re

from flowviz import panels
from flowviz.serving import paths

READY = ".fv-panel:not(.fv-away)"


def run_first_cell(page) -> None:
    """Press Ctrl+Enter in it until it counts as run: a notebook still settling drops keys."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    prompt = cell.locator(".jp-InputPrompt")
    for _ in range(30):
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
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
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
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    run_first_cell(page)
    page.wait_for_selector(READY, timeout=60_000)
    address = page.url
    first, *_, last = panels.names()
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

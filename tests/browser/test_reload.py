"""A page that is loaded again while a flow trains comes back trained as far as it was."""

from __future__ import annotations

import re

PATIENCE = 90_000
PANEL = ".fv-panel:not(.fv-away)"
LINK = "panel=trajectories&target=two_moons&flow=real_nvp&layers=2&steps=20000"


def test_a_reload_while_training_comes_back_as_far(voila_server, open_page):
    page = open_page()
    page.goto(voila_server.address("/", LINK), wait_until="commit")
    page.locator(f"{PANEL} .fv-run-train").click(timeout=PATIENCE)
    page.wait_for_function("/trained=[1-9]/.test(location.search)", timeout=PATIENCE)
    assert page.locator(f"{PANEL} .fv-running").count() == 1, "it is still training"
    page.reload(wait_until="commit")
    page.locator(f"{PANEL} .fv-running").wait_for(timeout=PATIENCE)
    steps = int(re.search(r"trained=(\d+)", page.url)[1])
    status = page.locator(f"{PANEL} .fv-run-status")
    status.get_by_text(f"training {steps:,} steps again, about").wait_for(timeout=PATIENCE)
    cut = status.evaluate("one => one.scrollWidth - one.clientWidth")
    assert cut <= 1, "the words are cut"
    page.locator(f"{PANEL} .fv-run-bar:not(.fv-running)").wait_for(timeout=PATIENCE)
    words = page.locator(f"{PANEL} .fv-run-training .fv-run-words")
    assert words.inner_text().replace("\u202f", ",").startswith(f"step {steps:,} of")

    # A page that is being left gives its connection up, and does not ask for another one.
    page.route("**/voila/api/shutdown/**", lambda route: route.abort("aborted"))
    page.evaluate("dispatchEvent(new Event('beforeunload'))")
    page.wait_for_timeout(200)
    with page.expect_response("**/api/kernels/*") as asked:
        page.evaluate("dispatchEvent(new Event('online'))")
    assert asked.value.ok, "its kernel is still there"
    page.wait_for_timeout(200)

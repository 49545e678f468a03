"""A link of the dashboard in a browser that does not have the token."""

from __future__ import annotations

import pytest

PATIENCE = 120_000


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_login_page(voila_server, open_page, screenshots, theme, width):
    page = open_page(width=width, height=700, color_scheme=theme)
    page.goto(f"{voila_server.origin}/?panel=kl_comparison&layers=6")
    page.get_by_role("heading", name="This page needs its token").wait_for()
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.screenshot(path=screenshots / f"login-{theme}-{width}.png")
    assert page.evaluate("document.activeElement.id") == "token"
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(17, 21, 27)" if theme == "dark" else "rgb(251, 251, 250)")
    expected = [problem for problem in page.problems if "401" in problem]
    assert expected == page.problems
    page.problems.clear()


def test_the_colours_follow_the_system_until_somebody_chooses(voila_server, open_page):
    page = open_page(color_scheme="light")
    page.goto(f"{voila_server.origin}/")
    theme = "document.documentElement.dataset.fvTheme"
    assert page.evaluate(theme) == "light"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{theme} === 'dark'")
    assert page.evaluate("localStorage.getItem('flowviz-theme')") is None
    page.evaluate(f"{theme} = 'light'")
    page.wait_for_function("localStorage.getItem('flowviz-theme') === 'light'")
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(50)
    assert page.evaluate(theme) == "light"
    page.problems.clear()  # that the page needs its token


def test_the_state_of_a_link_comes_through_the_login(voila_server, open_page):
    page = open_page()
    page.goto(f"{voila_server.origin}/?panel=kl_comparison&layers=6&formula=x%2By%5E2")
    page.get_by_label("Token").fill(voila_server.token)
    page.get_by_role("button", name="Open the page").click()
    page.wait_for_selector(".fv-panel:not(.fv-away) .fv-slot-picture .fv-stage", timeout=PATIENCE)
    assert (
        page.locator(".fv-panel:not(.fv-away) .fv-title").inner_text() == "Forward and reverse KL"
    )
    page.wait_for_function("/layers=6/.test(location.search)", timeout=PATIENCE)
    assert "formula=x%2By%5E2" in page.url

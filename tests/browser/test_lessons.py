"""The lessons as a student meets them: a page in Voila, a notebook in JupyterLab."""

from __future__ import annotations

import math
import re
import time

import pytest

from tests.browser.test_accessible import AXE, LOOK

LESSON = "04_forward_and_reverse_kl.ipynb"
PATIENCE = 120_000
TALL = 9_000  # JupyterLab draws only the cells that are in sight

COLOURS = """canvas => {
  const context = canvas.getContext("2d");
  if (!context || !canvas.width || !canvas.height) return 0;
  const pixels = new Uint32Array(
    context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return new Set(pixels).size;
}"""


# ------------------------------------------------------------------ what holds in both


def panels_are_drawn(page, count: int) -> None:
    """So many panels, each with a picture of many colours."""
    page.wait_for_function(
        f"document.querySelectorAll('.fv-panel canvas').length >= {count}", timeout=PATIENCE
    )
    panels = page.locator(".fv-panel")
    assert panels.count() == count
    for panel in panels.all():
        panel.scroll_into_view_if_needed()
        canvases = panel.locator("canvas")
        deadline = time.monotonic() + 30
        while max(canvas.evaluate(COLOURS) for canvas in canvases.all()) < 20:
            assert time.monotonic() < deadline, "a panel's picture stays blank"
            page.wait_for_timeout(200)


def predicts_by_keyboard(page) -> None:
    """Mark an option and commit, without a mouse; the reason waits for the experiment."""
    card = page.locator(".fv-predict").first
    radios = card.get_by_role("radio")
    assert card.get_by_role("group").count() == 1  # the question names the group
    assert card.get_by_role("button", name="Commit").is_disabled()
    radios.nth(0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Commit"
    assert card.locator(".fv-predict-answer").inner_text() == ""
    page.keyboard.press("Enter")
    card.get_by_text("Your prediction stands").wait_for(timeout=PATIENCE)
    assert "press Train" in card.get_by_role("status").inner_text()
    assert page.evaluate("document.activeElement.className") == "fv-predict-answer"
    assert radios.nth(1).is_checked() and radios.nth(1).is_disabled()
    assert card.get_by_role("button").count() == 0
    assert page.get_by_text("One group alone is the cheaper fit").count() == 0, "given away"


def sees_after_training(page) -> None:
    """Press Train in the panel below the prediction; at its end the reason is there."""
    panel = page.locator(".fv-panel").first
    panel.locator(".fv-run-train").click()
    is_answered(page)
    panel.locator(".fv-run-bar:not(.fv-running)").wait_for(timeout=5_000)


def is_answered(page) -> None:
    card = page.locator(".fv-predict").first
    card.get_by_text("You predicted it").wait_for(timeout=PATIENCE)
    assert "One group alone is the cheaper fit" in card.get_by_role("status").inner_text()
    assert card.get_by_role("button", name="Ask me again").is_visible()


def a_wrong_prediction_is_told_why(page) -> None:
    card = page.locator(".fv-predict").nth(1)
    card.get_by_text("log 2 and log 2").click()
    card.get_by_role("button", name="Commit").click()
    card.get_by_text("It turns out otherwise").wait_for(timeout=PATIENCE)
    marked = card.locator(".fv-predict-right")
    assert marked.count() == 1 and "log 2 and infinite" in marked.inner_text()
    assert "your answer" in card.locator(".fv-predict-wrong").inner_text()
    assert "0.69 for k = 4" in card.get_by_role("status").inner_text()


def a_number_is_predicted(page) -> None:
    """What is no number is refused; a wrong one is told its mistake."""
    card = page.locator(".fv-predict", has_text="two well separated modes")
    field = card.get_by_role("textbox")
    assert card.get_by_role("button", name="Commit").is_disabled()
    for text in ("log 2", "0,693"):
        field.fill(text)
        page.keyboard.press("Enter")
        if text == "log 2":
            card.get_by_text("“log 2” is no number").wait_for(timeout=5_000)
    card.get_by_text("You said 0.693 nats; it is 1.39 nats.").wait_for(timeout=PATIENCE)
    assert "if both modes weighed the same" in card.get_by_role("status").inner_text()
    assert field.is_disabled()


def is_answered_so_far(page, words: str) -> None:
    page.locator(".fv-answered", has_text=f"{words} answered").wait_for(timeout=PATIENCE)


def solutions_unfold(page) -> None:
    folded = page.locator("details", has_text="Solution of task")
    assert folded.count() == 3
    for each in folded.all():
        code = each.locator("pre").first
        assert not code.is_visible()
        each.locator("summary").focus()
        page.keyboard.press("Enter")
        code.wait_for(state="visible", timeout=5_000)
        assert "```" not in each.inner_text()


def formulas_are_set(page) -> None:
    page.wait_for_function(
        "document.querySelectorAll('mjx-container, .MathJax').length > 60", timeout=PATIENCE
    )
    words = page.evaluate("document.body.innerText")
    assert "$$" not in words and "\\mathbb" not in words and "Math Processing Error" not in words


# ------------------------------------------------------------------ Voila


def test_a_lesson_in_voila(voila_server, open_page, screenshots):
    page = open_page(bypass_csp=True)
    page.goto(voila_server.address("/voila/render/index.ipynb"), wait_until="commit")
    page.get_by_role("link", name="4 · Forward and reverse KL").click(timeout=PATIENCE)
    page.wait_for_selector(".fv-predict >> visible=true", timeout=PATIENCE)
    assert LESSON in page.url
    panels_are_drawn(page, 3)
    formulas_are_set(page)
    page.evaluate(AXE)
    for theme, width in (("light", 400), ("dark", 1280), ("light", 1280)):
        fits_its_page(page, theme, width, screenshots)
        assert page.evaluate(LOOK) == []
    is_answered_so_far(page, "0 of 7")
    predicts_by_keyboard(page)
    sees_after_training(page)
    a_wrong_prediction_is_told_why(page)
    a_number_is_predicted(page)
    is_answered_so_far(page, "3 of 7")
    solutions_unfold(page)
    assert page.title() == "Forward and reverse KL · flowviz"
    onward = page.get_by_role("link", name="Next: The ratio travels")
    assert onward.get_attribute("href") == "05_the_ratio_travels.ipynb"
    assert page.get_by_text("Not answered yet").count() == 3
    assert page.get_by_text("this page has no cell to write it in").count() == 2
    page.locator(".fv-answered", has_text="2 are programmes, for JupyterLab").wait_for()
    answers_in_fields(page)
    assert "error when executing" not in page.evaluate("document.body.innerText")

    # Loaded again it has another kernel, and what was answered stands.
    page.reload(wait_until="commit")
    page.wait_for_selector(".fv-predict >> visible=true", timeout=PATIENCE)
    is_answered(page)
    is_answered_so_far(page, "3 of 7")
    number = page.locator(".fv-predict", has_text="two well separated modes")
    assert number.get_by_role("textbox").input_value() == "0,693"
    number.get_by_text("You said 0.693 nats").wait_for(timeout=PATIENCE)
    fields = page.locator(".fv-fields")
    fields.get_by_text("three decimals").wait_for(timeout=PATIENCE)
    assert fields.get_by_label("mean").input_value() == "-1"
    card = page.locator(".fv-predict").first
    card.get_by_role("button", name="Ask me again").click()
    card.get_by_role("button", name="Commit").wait_for(timeout=PATIENCE)
    assert card.get_by_role("radio", checked=True).count() == 0
    assert card.locator(".fv-predict-answer").inner_text() == ""
    is_answered_so_far(page, "2 of 7")
    page.get_by_role("link", name="Lessons", exact=True).click()
    page.get_by_role("link", name="2 of 7 answered · 60 min Forward and reverse KL").wait_for()


def answers_in_fields(page) -> None:
    """Two numbers, wrong ones: what is wrong is said, and kept."""
    fields = page.locator(".fv-fields")
    fields.get_by_label("mean").fill("-1")
    fields.get_by_label("standard deviation").fill("1.80")
    page.keyboard.press("Enter")
    fields.get_by_text("three decimals").wait_for(timeout=PATIENCE)


def test_a_drawing_and_a_choice_in_voila(voila_server, open_page, screenshots):
    """Sprayed and committed, the drawing is scored; that and the choice come back on reload."""
    page = open_page(width=400, bypass_csp=True)
    page.goto(voila_server.address("/voila/render/02_layers_add.ipynb"), wait_until="commit")
    card = page.locator(".fv-predict", has_text="Spray them")
    card.locator(".fv-stage-pixels").wait_for(timeout=PATIENCE)
    panels_are_drawn(page, 2)
    page.evaluate(AXE)
    assert page.evaluate(LOOK) == []
    assert card.get_by_role("button", name="Commit").is_disabled()
    assert card.evaluate("el => el.clientHeight <= el.parentElement.clientHeight"), "what follows"
    sprays(page, card, (2.0, 0.0))
    card.get_by_role("button", name="Commit").click()
    card.get_by_text("turned first, and shifted after that").wait_for(timeout=PATIENCE)
    assert "Elsewhere: the total variation" in card.get_by_role("status").inner_text()
    fields = page.locator(".fv-fields", has_text="invertible layers")
    fields.get_by_text("all layers", exact=True).click()
    fields.get_by_role("button", name="Check").click()
    fields.get_by_text("Task 1 is a counterexample").wait_for(timeout=PATIENCE)
    is_answered_so_far(page, "1 of 7")

    page.reload(wait_until="commit")
    card.get_by_text("turned first, and shifted after that").wait_for(timeout=PATIENCE)
    fields.get_by_text("Task 1 is a counterexample").wait_for(timeout=PATIENCE)
    card.screenshot(path=screenshots / "prediction-drawn.png")
    card.get_by_role("button", name="Ask me again").click()
    card.get_by_text("Draw points here").or_(card.locator(".fv-stage-tools")).first.wait_for()
    sprays(page, card, (0.0, 2.0))
    card.get_by_role("button", name="Commit").click()
    card.get_by_text("Close: the total variation").wait_for(timeout=PATIENCE)


def sprays(page, card, centre) -> None:
    """A disc of radius 2 about a point of the picture, in one stroke, denser in the middle."""
    picture = card.locator(".fv-stage-pixels")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    unit = box["width"] / 10  # the window goes from −5 to 5
    x = box["x"] + unit * (5 + centre[0])
    y = box["y"] + unit * (5 - centre[1])
    page.mouse.move(x, y)
    page.mouse.down()
    for turn in range(60):
        radius = 2 * unit * turn / 60
        page.mouse.move(x + radius * math.cos(2.4 * turn), y + radius * math.sin(2.4 * turn))
    page.mouse.up()
    card.locator("button:enabled", has_text="Commit").wait_for(timeout=PATIENCE)


def fits_its_page(page, theme: str, width: int, screenshots) -> None:
    """In a theme, at a width: nothing is cut, and all columns are in the middle."""
    page.evaluate("theme => { document.documentElement.dataset.fvTheme = theme; }", theme)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(500)
    page.screenshot(path=screenshots / f"lesson-{theme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    wide = page.evaluate(
        """[...document.querySelectorAll('mjx-container[display="true"]')]
          .filter(formula => formula.scrollWidth > formula.clientWidth)
          .map(formula => getComputedStyle(formula).overflowX)"""
    )
    assert set(wide) <= {"auto"} and bool(wide) == (width == 400), "a formula is cut"
    page_width = page.evaluate("document.documentElement.clientWidth")
    columns = {
        part: page.locator(f".fv-lesson {part}").first.bounding_box()
        for part in (".jp-MarkdownCell", ".fv-predict", ".jp-RenderedText", ".fv-panel")
    }
    for part, box in columns.items():
        left, right = box["x"], page_width - box["x"] - box["width"]
        assert abs(left - right) <= 4, f"{part} is not in the middle: {left} and {right} beside it"
    assert columns[".jp-RenderedText"]["width"] <= columns[".jp-MarkdownCell"]["width"] <= 760
    card = page.locator(".fv-predict").first
    ink, ground = card.evaluate(
        "el => [getComputedStyle(el).color, getComputedStyle(el).backgroundColor]"
    )
    assert (brightness(ink) > brightness(ground)) == (theme == "dark")
    assert card.bounding_box()["width"] <= width


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


# ------------------------------------------------------------------ JupyterLab


@pytest.fixture
def notebook(lab_server, open_page):
    """The lesson in JupyterLab, all cells run."""
    page = open_page(height=TALL)
    # anywidget gives a widget's code two seconds, which a busy machine needs: here, none at all.
    page.add_init_script(
        "const after = AbortSignal.timeout.bind(AbortSignal);"
        "AbortSignal.timeout = (ms) => after(ms === 2000 ? 0 : ms);"
    )
    page.goto(lab_server.address(f"/lab/tree/{LESSON}", "reset"), wait_until="commit")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_selector(".fv-predict >> visible=true", timeout=PATIENCE)
    page.get_by_text("Not answered yet").nth(2).wait_for(timeout=PATIENCE)
    return page


def test_a_lesson_in_jupyterlab(notebook, screenshots):
    page = notebook
    panels_are_drawn(page, 3)
    formulas_are_set(page)
    assert page.locator(".jp-RenderedText[data-mime-type*=stderr]").count() == 0
    assert page.get_by_text("as the right answer").count() == 0
    predicts_by_keyboard(page)
    sees_after_training(page)
    a_wrong_prediction_is_told_why(page)
    solutions_unfold(page)
    page.screenshot(path=screenshots / "lesson-lab.png")
    answers_a_task(page)
    is_answered_so_far(page, "3 of 7")
    stays_answered_in_another_kernel(page)


def stays_answered_in_another_kernel(page) -> None:
    """The kernel is started again and the first cells are run: what was answered still is."""
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Restart Kernel and Clear Outputs of All Cells…").click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.locator(".fv-predict").first.wait_for(state="detached", timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    is_answered(page)
    is_answered_so_far(page, "3 of 7")


def answers_a_task(page) -> None:
    """Write a wrong solution into the cell of task 1, then the right one."""
    cell = page.locator(".jp-CodeCell", has_text="def forward_kl_loss").first
    for body, verdict in (
        ("flow.log_prob(x).mean()", "the sign: this is the mean log-likelihood"),
        ("-flow.log_prob(x).mean()", "It asked for samples and T⁻¹ only"),
    ):
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(
            f"def forward_kl_loss(flow, x):\n    return {body}\n\n"
            'check("forward_kl", forward_kl_loss)'
        )
        page.keyboard.press("Control+Enter")
        cell.get_by_text(verdict).wait_for(timeout=PATIENCE)

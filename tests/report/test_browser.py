"""Pages in a real browser."""

import os
import shutil

import pytest

from mim_tf.report.pages import write_comparison, write_report
from tests.report.test_pages import page_of, storms

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = ("chromium", "chromium-browser", "google-chrome")
FIRST = "lead time 1 of 4"


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # root cannot have one
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "phone"])
def open_page(browser, request):
    """Open a file; at the end it must have had no error and requested nothing."""
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    problems, requests = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))

    def open_path(path):
        page.goto(path.as_uri())
        return page

    yield open_path
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    page.close()


@pytest.fixture
def page(open_page, run):
    return open_page(write_report(run))


def check_whole(page, pictures):
    """Check that all pictures are there, nothing is wider than the window, and colours fit."""
    widths = page.eval_on_selector_all("img", "images => images.map(each => each.naturalWidth)")
    assert len(widths) > pictures
    assert min(widths) > 0
    page.eval_on_selector_all("details", "all => all.forEach(each => (each.open = true))")
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window
    colour = "getComputedStyle(document.querySelector('{}')).{}"
    background = page.evaluate(colour.format("body", "backgroundColor"))
    assert (background == "rgb(255, 255, 255)") == (window == 1280)
    line = page.evaluate(colour.format(".chart .style-0 > path", "stroke"))
    assert line == ("rgb(0, 103, 165)" if window == 1280 else "rgb(98, 181, 240)")


def check_moves(player, page, key, before, after):
    """Check that a key moves all pictures of a player."""
    windows = player.locator(".window")
    pictures = [windows.nth(i).screenshot() for i in range(windows.count())]
    assert player.locator("output").inner_text() == before
    player.get_by_role("slider").focus()
    page.keyboard.press(key)
    assert player.locator("output").inner_text() == after
    assert all(windows.nth(i).screenshot() != each for i, each in enumerate(pictures))


def test_a_report_plays_by_slider_button_and_drag(page):
    check_whole(page, 20)
    player = page.locator(".player").first
    output = player.locator("output")
    check_moves(player, page, "ArrowRight", FIRST, "lead time 2 of 4")
    page.keyboard.press("Home")
    assert output.inner_text() == "context 1 of 3"
    player.get_by_role("button", name="play").click()
    page.wait_for_function(
        "text => document.querySelector('.player output').textContent != text",
        arg="context 1 of 3",
    )
    player.get_by_role("slider").focus()
    page.keyboard.press("Space")
    stopped = output.inner_text()
    assert player.get_by_role("button", name="play").count() == 1
    page.wait_for_timeout(500)
    assert output.inner_text() == stopped

    window = player.locator(".window").first
    window.scroll_into_view_if_needed()
    box = window.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 400, y, steps=4)
    page.mouse.up()
    assert output.inner_text() == "context 1 of 3"


def test_runs_of_a_comparison_move_together(open_page, runs, tmp_path):
    write_comparison(runs, tmp_path / "page.html", "mse")
    page = open_page(tmp_path / "page.html")
    check_whole(page, 30)
    player = page.locator(".player").first
    check_moves(player, page, "ArrowRight", FIRST, "lead time 2 of 4")
    windows = player.locator(".window")
    truth, first, _, error, _ = (windows.nth(i).bounding_box() for i in range(5))
    assert truth["y"] == first["y"] < error["y"]
    assert error["x"] == pytest.approx(first["x"], abs=1)  # an error stands below its prediction


def test_a_data_page_plays(open_page, tmp_path):
    page = open_page(page_of(tmp_path / "page.html", storms(2)))
    check_whole(page, 6)
    check_moves(page.locator(".player").first, page, "End", "frame 1 of 5", "frame 5 of 5")

"""Pages in a real browser."""

import os
import shutil

import pytest

from mim_tf.report.write import write_comparison, write_report
from tests.report.test_data_page import Field, frames, page_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = ("chromium", "chromium-browser", "google-chrome")


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
    """Opens a file; at the end it must have had no error and asked for nothing."""
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
    """The report, open."""
    return open_page(write_report(run))


@pytest.fixture
def comparison(open_page, runs, tmp_path):
    """The page of a comparison, open."""
    write_comparison(runs, tmp_path / "page.html", "mse")
    return open_page(tmp_path / "page.html")


def check_pictures_and_width(page, pictures):
    """All pictures are whole, nothing is wider than the window, and colours are as wished."""
    widths = page.eval_on_selector_all("img", "images => images.map(each => each.naturalWidth)")
    assert len(widths) > pictures
    assert min(widths) > 0
    page.eval_on_selector_all("details", "all => all.forEach(each => (each.open = true))")
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (window == 1280)


def test_a_report_is_whole(page):
    check_pictures_and_width(page, 20)


def test_a_comparison_is_whole_and_its_runs_move_together(comparison):
    check_pictures_and_width(comparison, 30)
    player = comparison.locator(".player").first
    windows = player.locator(".window")
    assert windows.count() == 5
    before = [windows.nth(i).screenshot() for i in range(5)]
    player.get_by_role("slider").focus()
    comparison.keyboard.press("ArrowRight")
    assert player.locator("output").inner_text() == "lead time 2 of 4"
    assert all(windows.nth(i).screenshot() != before[i] for i in range(5))
    truth, first, _, error, _ = (windows.nth(i).bounding_box() for i in range(5))
    assert truth["y"] == first["y"] < error["y"]
    assert error["x"] == pytest.approx(first["x"], abs=1)  # an error stands below its prediction


def test_a_data_page_is_whole_and_plays(open_page, tmp_path):
    page = open_page(page_of(tmp_path / "page.html", Field(frames(2))))
    check_pictures_and_width(page, 6)
    player = page.locator(".player").first
    assert player.locator("output").inner_text() == "frame 1 of 5"
    player.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert player.locator("output").inner_text() == "frame 5 of 5"


def test_the_slider_moves_all_pictures_of_a_sequence(page):
    player = page.locator(".player").first
    slider, output = player.get_by_role("slider"), player.locator("output")
    windows = player.locator(".window")
    assert windows.count() == 3
    before = [windows.nth(i).screenshot() for i in range(3)]
    assert output.inner_text() == "lead time 1 of 4"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert output.inner_text() == "lead time 2 of 4"
    assert all(windows.nth(i).screenshot() != before[i] for i in range(3))
    page.keyboard.press("Home")
    assert output.inner_text() == "context 1 of 3"


def test_plays_and_pauses_by_button_and_by_keyboard(page):
    player = page.locator(".player").first
    output, first = player.locator("output"), "lead time 1 of 4"
    player.get_by_role("button", name="play").click()
    page.wait_for_function(
        "text => document.querySelector('.player output').textContent != text", arg=first
    )
    player.get_by_role("slider").focus()
    page.keyboard.press("Space")
    stopped = output.inner_text()
    assert player.get_by_role("button", name="play").count() == 1
    page.wait_for_timeout(500)
    assert output.inner_text() == stopped


def test_dragging_a_picture_goes_through_time(page):
    window = page.locator(".player .window").first
    window.scroll_into_view_if_needed()
    box = window.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 200, y, steps=4)
    page.mouse.up()
    assert page.locator(".player output").first.inner_text() == "context 1 of 3"

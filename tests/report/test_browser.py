"""The page in a real browser."""

import os
import shutil

import pytest

from mim_tf.report.write import write_report

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
def page(browser, run, request):
    """The report, open; at the end it must have had no error and asked for nothing."""
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    problems, requests = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(write_report(run).as_uri())
    yield page
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    page.close()


def test_pictures_are_whole_and_nothing_is_wider_than_the_window(page):
    widths = page.eval_on_selector_all("img", "images => images.map(each => each.naturalWidth)")
    assert len(widths) > 20
    assert min(widths) > 0
    page.eval_on_selector_all("details", "all => all.forEach(each => (each.open = true))")
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (window == 1280)


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

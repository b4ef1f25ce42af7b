"""The leaderboard in a real Chromium: sorted by keyboard, on a phone, in the dark."""

from dataclasses import asdict

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from runs import run_of
from serval.options import EvalOptions
from serval.report.leaderboard import write_leaderboard
from serval.scores import scores_of
from serval.sweep import Cell, CellResult, Plan, leaderboard_document, sweep_of
from serval.sweep.standings import answers_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TRUTH = [0, 1, 2] * 8
SAID = {
    "b worse": [0, 1, 1] * 8,
    "a better": [0, 1, 2] * 8,
    "c middle": [0, 1, 2] * 6 + [0, 1, 1] * 2,
}


@pytest.fixture
def leaderboard(tmp_path):
    """The page of three models on one set."""
    results = []
    for name, said in SAID.items():
        run = run_of(tmp_path / name, TRUTH, said)
        settings = EvalOptions(output=str(tmp_path / name))
        cell = Cell(model=name, dataset="d", options="", settings=settings, corpus="d")
        space = {"full_set": None, "restricted": None}
        own = {name: asdict(one) for name, one in scores_of(run).overall.items()}
        results.append(
            CellResult(cell=cell, own=own, answers=answers_of(run),
                   label_space=space, clips=len(run))
        )  # fmt: skip
    plan = Plan(output=tmp_path, sort_by="uar", cells=tuple(r.cell for r in results))
    document = leaderboard_document(sweep_of(plan, results))
    return write_leaderboard(document, tmp_path / "leaderboard.html")


def names(browser):
    rows = browser.find_elements(By.CSS_SELECTOR, "#set-1 tbody th")
    return [row.text for row in rows]


def test_the_page_sorts_by_keyboard_and_fits_a_phone_in_the_dark(page, leaderboard):
    browser = page(leaderboard)
    assert names(browser) == ["a better", "c middle", "b worse", "majority label"]
    title = browser.find_element(By.XPATH, "//*[@id='set-1']//th[button='Model']/button")
    title.send_keys(Keys.ENTER)
    assert names(browser) == ["a better", "b worse", "c middle", "majority label"]
    title.send_keys(Keys.SPACE)
    assert names(browser)[0] == "majority label"
    header = title.find_element(By.XPATH, "..")
    assert header.get_attribute("aria-sort") == "descending"
    failed = browser.find_element(By.XPATH, "//*[@id='set-1']//th[button='Failed']/button")
    failed.send_keys(Keys.ENTER)
    assert names(browser)[-1] == "majority label"  # it has none, so it stays below
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 390
    goes_on = "return [...document.querySelectorAll('.sideways.wider.right')].length"
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(goes_on) == 2)
    assert browser.find_element(By.CSS_SELECTOR, ".sideways .more").is_displayed()
    back = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(back) == "rgb(16, 19, 23)"
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(back) == "rgb(246, 247, 249)"

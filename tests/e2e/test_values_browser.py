"""The pages of dimensions and of several emotions a clip in a real Chromium."""

import csv
import json

import numpy as np
import pytest
from audmetric import concordance_cc
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from build import classifier, labels_metadata, speech_set, write_manifest
from chromium import wait
from runs import run_of_sets
from serval.dimensions import dimension_run
from serval.evaluation import evaluate_named
from serval.multilabel import multilabel_run
from serval.options import EvalOptions
from serval.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NAMES = ("arousal", "dominance", "valence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("values")


@pytest.fixture(scope="module")
def runs(folder):
    path = speech_set(folder / "clips", 24)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    for row in rows:
        row |= {name: f"{rng.uniform(1, 7):.2f}" for name in NAMES}
    rows[5]["valence"] = ""
    write_manifest(path, rows)
    return [evaluated(folder / name, path, seed) for seed, name in enumerate("ab")]


def evaluated(place, clips, seed):
    place.mkdir()
    metadata = labels_metadata(NAMES, task="dimensions", scale="-20..20", normalize="none")
    model = classifier(place / f"{place.name}.onnx", k=3, seed=seed, metadata=metadata)
    options = EvalOptions(
        model=str(model), dataset=str(clips), scale="1..7", output=str(place / "run"), plots=False
    )
    return evaluate_named(options).run


@pytest.fixture(scope="module")
def report(runs, folder):
    return write_report(runs[0], folder / "one.html").path


@pytest.fixture(scope="module")
def pair(runs, folder):
    return write_report(runs[1], folder / "pair.html", baseline=runs[0]).path


def content_of(browser):
    text = browser.execute_script("return document.getElementById('content').textContent")
    return json.loads(text)


def opened(browser):
    return browser.find_element(By.ID, "clip-name").text


def spots(browser):
    """The middle of each dot of the plane, in pixels of the window."""
    return browser.execute_script(
        "document.querySelector('.plane').scrollIntoView({block: 'center'});"
        "return [...document.querySelectorAll('.plane circle')]"
        ".filter((dot) => dot.getAttribute('r') === '3.4').map((dot) => {"
        "const box = dot.getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]; })"
    )  # fmt: skip


def press(browser, spot):
    """A click of the mouse at a place of the window."""
    actions = ActionChains(browser)
    actions.w3c_actions.pointer_action.move_to_location(*map(round, spot))
    actions.w3c_actions.pointer_action.click()
    actions.perform()


def loneliest(places):
    """The position of the place that is furthest from every other."""
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1) + 1e9 * np.eye(len(places))
    return int(gaps.min(axis=1).argmax())


def test_a_click_on_the_plane_plays_that_clip(page, report, runs):
    browser = page(report)
    assert browser.find_elements(By.CSS_SELECTOR, ".matrix") == []
    places = np.array(spots(browser))
    predicted = dimension_run(runs[0]).predicted
    # Valence goes across and arousal up, so that a dot's place tells its clip.
    i = loneliest(places)
    across = np.argsort(np.argsort(predicted[:, 2]))
    assert (np.argsort(np.argsort(places[:, 0])) == across).all()
    press(browser, places[i])
    clip = runs[0].clip_ids[i]
    wait(browser, lambda: opened(browser) == clip)
    sound = "return document.querySelector('.detail audio')"
    wait(browser, lambda: browser.execute_script(f"{sound}.currentTime") > 0.05)
    assert browser.execute_script(f"{sound}.getAttribute('aria-label')") == f"Clip {clip}"
    assert browser.current_url.endswith(f"#clip={clip}")
    said = browser.find_element(By.CSS_SELECTOR, "#plane [aria-live]").text
    values = dimension_run(runs[0])
    assert f"valence {predicted[i, 2]:.2f} (rated {values.truth[i, 2]:.2f})" in said


def test_the_plane_is_walked_with_the_arrow_keys(page, report, runs):
    browser = page(report)
    plane = browser.find_element(By.CSS_SELECTOR, ".plane")
    assert plane.get_attribute("role") == "application"
    assert "Arrow keys" in plane.get_attribute("aria-label")
    valence = dict(zip(runs[0].clip_ids, dimension_run(runs[0]).predicted[:, 2], strict=True))
    plane.send_keys(Keys.ARROW_RIGHT)
    first = opened(browser)
    plane.send_keys(Keys.ARROW_LEFT)
    assert valence[opened(browser)] < valence[first]
    plane.send_keys(Keys.ENTER)
    playing = "const a = document.querySelector('.detail audio'); return !a.paused || a.ended"
    wait(browser, lambda: browser.execute_script(playing))
    browser.find_element(By.XPATH, "//button[text()='Go to the clip']").click()
    assert browser.switch_to.active_element.get_attribute("name") == "next"


def test_the_largest_errors_come_first_in_all_or_one_dimension(page, report, runs):
    browser = page(report)
    values = dimension_run(runs[0])
    errors = np.abs(values.predicted - values.truth)
    rows = browser.find_elements(By.CSS_SELECTOR, ".rows .row")
    assert runs[0].clip_ids[int(np.nanmean(errors, axis=1).argmax())] in rows[0].text
    Select(browser.find_element(By.NAME, "dimension")).select_by_visible_text("valence")
    rows = browser.find_elements(By.CSS_SELECTOR, ".rows .row")
    worst = int(np.nanargmax(errors[:, 2]))
    assert runs[0].clip_ids[worst] in rows[0].text
    assert f"{errors[worst, 2]:.2f}" in rows[0].text
    assert runs[0].clip_ids[5] in rows[-1].text, "what has no rating comes last"
    assert "valence n/a" in rows[-1].text
    assert browser.current_url.endswith("#dimension=valence")


def test_two_runs_show_where_they_agree(page, pair, runs):
    browser = page(pair)
    a, b = (dimension_run(run).predicted for run in runs)
    charts = {c["id"]: c for section in content_of(browser)["sections"] for c in section["charts"]}
    gap = (b - a)[:, 0]
    row = next(r for r in charts["by-gender"]["rows"] if r["label"] == "arousal, F")
    women, truth = np.array(runs[0].groups["gender"]) == "F", dimension_run(runs[0]).truth
    assert row["value"] == pytest.approx(concordance_cc(truth[women, 0], a[women, 0]), abs=1e-6)
    (limits,) = charts["agreement-0"]["rows"]
    assert limits["value"] == pytest.approx(gap.mean(), abs=1e-6)
    assert limits["upper"] == pytest.approx(gap.mean() + 1.96 * gap.std(ddof=1), abs=1e-6)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart-agreement-0 circle")) == 24
    browser.find_element(By.XPATH, "//button[text()='Hear what moved most']").click()
    first = browser.find_element(By.CSS_SELECTOR, ".rows .row").text
    assert runs[0].clip_ids[int(np.abs(b - a).mean(axis=1).argmax())] in first


@pytest.mark.parametrize("which", ["report", "pair"])
def test_it_fits_a_phone(page, which, report, pair):
    browser = page(report if which == "report" else pair)
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    drawn = "return document.querySelector('.plane svg').clientWidth"
    wait(browser, lambda: browser.execute_script(drawn) < 390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def test_the_numbers_of_several_emotions_show_their_clips(page, tmp_path):
    rng = np.random.default_rng(3)
    truth = rng.random((40, 3)) < 0.4
    scores = [np.clip(0.3 + 0.4 * truth + rng.normal(0, 0.3, (40, 3)), 0.01, 0.99) for _ in "ab"]
    a, b = (run_of_sets(tmp_path / name, truth, of) for name, of in zip("ab", scores, strict=True))
    browser = page(write_report(b, tmp_path / "sets.html", baseline=a, audio="none").path)
    named = [multilabel_run(run).predicted for run in (a, b)]
    missed = truth[:, 1] & ~named[1][:, 1]
    cells = browser.find_elements(By.CSS_SELECTOR, "[data-kind=missed][data-label='1']")
    assert [int(cell.text.split()[0]) for cell in cells] == [
        int((truth[:, 1] & ~own[:, 1]).sum()) for own in named
    ]
    browser.execute_script("arguments[0].click()", cells[1])
    shown = {
        row.get_attribute("data-clip") for row in browser.find_elements(By.CSS_SELECTOR, ".row")
    }
    assert shown == {str(i) for i in np.flatnonzero(missed)}
    assert browser.current_url.endswith("#side=B&outcome=missed&emotion=happy")
    differ = browser.find_element(By.XPATH, "//button[text()='See where the answers differ']")
    browser.execute_script("arguments[0].click()", differ)
    count = browser.find_element(By.CSS_SELECTOR, ".listhead strong").text
    assert count == f"{int((named[0] != named[1]).any(axis=1).sum())} clips"
    hidden = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert browser.execute_script(hidden) <= 0

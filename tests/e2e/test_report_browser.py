"""The report in a real Chromium, opened from disk, with every request and error seen."""

import csv
import io
import json
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from build import write_manifest
from chromium import wait
from pages import HARM, evaluated, spoken_set
from serval.errors import ConfigError
from serval.options import EvalOptions
from serval.report import build
from serval.report.build import Further, write_report
from serval.stress import StressOptions, load_stress, stress, write_stress
from serval.wording import csv_cell, percent

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ASSETS = Path(build.__file__).parent / "assets"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def run(folder):
    return evaluated(folder / "a", spoken_set(folder / "clips", 32, broken=1))


@pytest.fixture(scope="module")
def report(run, folder):
    return write_report(run, folder / "one report.html").path


@pytest.fixture(scope="module")
def pair(run, folder):
    other = evaluated(folder / "b", folder / "clips" / "set.csv", seed=1, name="other")
    return other, write_report(other, folder / "pair.html", baseline=run).path


@pytest.fixture(scope="module")
def apart(run, folder):
    """A run that has only the first clips of the other, beside it."""
    other = evaluated(folder / "c", folder / "clips" / "set.csv", seed=1, name="few", limit=9)
    return write_report(other, folder / "apart.html", baseline=run, audio="none").path


def rows(browser):
    return browser.find_elements(By.CSS_SELECTOR, ".rows .row")


def texts(browser, selector):
    return [node.text for node in browser.find_elements(By.CSS_SELECTOR, selector)]


def shown_count(browser):
    counted = browser.find_element(By.CSS_SELECTOR, ".listhead strong").text
    return int(counted.split()[0].replace(",", ""))


def click(browser, node):
    """Clicks a node that the bar at the top may cover."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)
    node.click()


def choose(browser, name, text):
    Select(browser.find_element(By.NAME, name)).select_by_visible_text(text)


def background(browser):
    return browser.execute_script("return getComputedStyle(document.body).backgroundColor")


AUDIO = "document.querySelector('audio')"


def played(browser):
    return browser.execute_script(f"return {AUDIO}.currentTime")


def test_it_opens_from_disk_and_says_the_verdict(page, report, run):
    browser = page(report)
    heading = browser.find_element(By.TAG_NAME, "h1").text
    assert heading.startswith("emo names the right emotion in")
    assert f"{len(run)} clips" in heading
    assert len(browser.find_elements(By.CSS_SELECTOR, ".plot svg")) >= 6
    assert "failed and are in no score: 1" in browser.find_element(By.CSS_SELECTOR, ".caveats").text
    assert len(browser.find_elements(By.CSS_SELECTOR, "main, header, nav, footer")) >= 4


def test_a_cell_opens_its_clips(page, report, run):
    browser = page(report)
    counts = np.zeros((8, 8), int)
    np.add.at(counts, (run.truth, run.predicted), 1)
    t, p = next(zip(*np.nonzero(counts * (1 - np.eye(8, dtype=int))), strict=True))
    cell = browser.find_element(By.CSS_SELECTOR, f"button[data-t='{t}'][data-p='{p}']")
    assert cell.text.split()[0] == str(counts[t, p])
    cell.click()
    assert shown_count(browser) == len(rows(browser)) == counts[t, p]
    assert cell.get_attribute("aria-pressed") == "true"
    assert all(f"{run.labels[t]} → {run.labels[p]}" in row.text for row in rows(browser))


def test_the_matrix_is_walked_with_the_arrow_keys(page, report):
    browser = page(report)
    browser.find_element(By.CSS_SELECTOR, "button[data-t='0'][data-p='0']").send_keys(
        Keys.ARROW_DOWN
    )
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    reached = browser.switch_to.active_element
    assert (reached.get_attribute("data-t"), reached.get_attribute("data-p")) == ("1", "1")
    assert reached.get_attribute("textContent").endswith("of calm, predicted calm")


def test_the_most_confident_mistake_comes_first_and_is_heard(page, report, run):
    browser = page(report)
    wrong = np.flatnonzero(run.truth != run.predicted)
    surest = wrong[run.probs[wrong].max(axis=1).argmax()]
    first = rows(browser)[0]
    assert run.clip_ids[surest] in first.text
    first.click()
    wait(browser, lambda: played(browser) > 0.05)
    picture = browser.find_element(By.CSS_SELECTOR, ".stage img")
    assert browser.execute_script("return arguments[0].naturalHeight", picture) == 56
    drawn = (
        "const c = document.querySelector('.stage canvas');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)"
    )
    assert browser.execute_script(drawn)
    bars = texts(browser, ".probs tbody tr")
    assert len(bars) == 8
    assert f"Say the word number {run.index[surest]}." in texts(browser, ".detail dd")
    assert texts(browser, ".heard [role=status]") == [""]
    browser.execute_script(f"{AUDIO}.src = 'data:audio/ogg;base64,AAAA'")
    wait(browser, lambda: "cannot play" in texts(browser, ".heard [role=status]")[0])


def test_keys_go_through_the_clips_and_play(page, report, run):
    browser = page(report)
    rows(browser)[0].click()
    first = browser.current_url
    browser.switch_to.active_element.send_keys("j")
    wait(browser, lambda: browser.current_url != first)
    assert rows(browser)[1].get_attribute("aria-current") == "true"
    # A row that is chosen is played, and so is the next one, to its end.
    wait(browser, lambda: browser.execute_script(f"return {AUDIO}.ended"))
    browser.execute_script(f"{AUDIO}.onplaying = (event) => (event.target.title = 'again')")
    browser.switch_to.active_element.send_keys(" ")
    wait(browser, lambda: browser.execute_script(f"return {AUDIO}.title") == "again")
    browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
    wait(browser, lambda: browser.current_url == first)


def test_filters_narrow_the_list(page, report, run):
    browser = page(report)
    assert shown_count(browser) == int((run.truth != run.predicted).sum())
    choose(browser, "outcome", "all")
    assert shown_count(browser) == len(run)
    choose(browser, "truth", "happy")
    assert shown_count(browser) == int((run.truth == run.labels.index("happy")).sum())
    choose(browser, "truth", "any")
    choose(browser, "speaker", "s1")
    assert shown_count(browser) == run.speakers.count("s1")
    choose(browser, "speaker", "any")
    choose(browser, "group", "gender: F")
    assert shown_count(browser) == run.groups["gender"].count("F")
    choose(browser, "group", "any")
    browser.find_element(By.NAME, "text").send_keys("NUMBER 1")
    wanted = sum("number 1" in text for text in run.groups["text"])
    wait(browser, lambda: shown_count(browser) == wanted)
    browser.find_element(By.CSS_SELECTOR, ".filters button").click()
    low = browser.find_element(By.NAME, "low")
    low.send_keys(Keys.CONTROL, "a")
    low.send_keys("50")
    sure = (run.truth != run.predicted) & (run.probs.max(axis=1) >= 0.5)
    wait(browser, lambda: shown_count(browser) == int(sure.sum()))
    choose(browser, "predicted", "calm")
    low.send_keys("00")
    wait(browser, lambda: not rows(browser))
    assert "No clip passes" in browser.find_element(By.CSS_SELECTOR, ".rows").text


def test_a_link_leads_to_its_clip(page, report, run):
    right = int(np.flatnonzero(run.truth == run.predicted)[0])
    browser = page(report, f"#clip={run.clip_ids[right]}")
    assert browser.find_element(By.ID, "clip-name").text == run.clip_ids[right]
    assert "no audio" in browser.find_element(By.CSS_SELECTOR, ".detail").text
    browser.execute_script(f"location.hash = '#clip={run.clip_ids[3]}'")
    wait(browser, lambda: browser.find_element(By.ID, "clip-name").text == run.clip_ids[3])


def test_an_address_of_a_clip_that_is_not_there_says_so(page, report, run):
    browser = page(report, "#clip=nobody%20here&outcome=all")
    said = "There is no clip named “nobody here” in this page. Choose one from the list."
    assert browser.find_element(By.CSS_SELECTOR, ".detail [role=status]").text == said
    assert shown_count(browser) == len(run)
    rows(browser)[0].click()
    assert browser.find_element(By.ID, "clip-name").text in rows(browser)[0].text


def test_filters_stay_in_the_address(page, report, run):
    browser = page(report)
    choose(browser, "outcome", "all")
    choose(browser, "truth", "happy")
    choose(browser, "group", "gender: F")
    browser.find_element(By.NAME, "text").send_keys("a&b=c")
    browser.find_element(By.NAME, "text").clear()
    browser.find_element(By.NAME, "text").send_keys("number")
    address = browser.current_url
    assert address.endswith("#outcome=all&truth=happy&group=gender%3AF&text=number")
    listed = [row.text for row in rows(browser)]
    rows(browser)[1].click()
    clip = browser.find_element(By.ID, "clip-name").text
    fragment = browser.current_url.partition("#")[2]
    assert fragment == f"clip={clip.replace('/', '%2F')}&{address.partition('#')[2]}"
    browser.get("about:blank")
    browser.get(f"{report.as_uri()}#{fragment}")
    wait(browser, lambda: [row.text for row in rows(browser)] == listed)
    assert browser.find_element(By.ID, "clip-name").text == clip
    assert Select(browser.find_element(By.NAME, "truth")).first_selected_option.text == "happy"
    browser.find_element(By.XPATH, "//button[text()='Reset filters']").click()
    assert browser.current_url.endswith("#clips")
    browser.execute_script("location.hash = '#truth=nobody&low=x&order=long'")
    wait(browser, lambda: browser.find_element(By.NAME, "order").get_attribute("value") == "long")
    assert shown_count(browser) == int((run.truth != run.predicted).sum())


def test_who_listens_goes_on_listening(page, report):
    browser = page(report)
    playing = "const a = document.querySelector('audio'); return !a.paused || a.ended"
    click(browser, browser.find_element(By.NAME, "next"))
    assert not browser.execute_script(playing)
    rows(browser)[0].click()
    wait(browser, lambda: browser.execute_script("return document.querySelector('audio').ended"))
    browser.find_element(By.NAME, "next").click()
    wait(browser, lambda: browser.execute_script(playing))
    browser.execute_script("document.querySelector('audio').pause()")
    rows(browser)[1].send_keys("j")
    assert not browser.execute_script("return document.querySelector('audio').currentTime")


@pytest.mark.parametrize("which", ["report", "pair"])
def test_player_and_probabilities_stand_side_by_side_on_a_laptop(page, which, report, pair):
    browser = page(report if which == "report" else pair[1])
    metrics = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_script("document.querySelector('.explorer').scrollIntoView()")
    player, probs = box(browser, ".detail audio"), box(browser, ".detail .probs")
    assert probs["left"] > player["right"]
    assert max(probs["bottom"], player["bottom"]) <= 800
    panel = browser.find_element(By.CSS_SELECTOR, ".detail")
    assert panel.get_property("scrollTop") == 0


def test_on_a_phone_a_clip_opens_where_it_was_tapped(page, report):
    browser = page(report)
    narrow(browser, 390)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".rows .detail"))
    row = rows(browser)[4]
    browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", row)
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", row)
    row.click()
    wait(browser, lambda: played(browser) > 0.05)
    assert browser.execute_script("return arguments[0].getBoundingClientRect().top", row) == (
        pytest.approx(top, abs=1)
    )
    shown = browser.execute_script(
        "const row = arguments[0].parentElement.nextElementSibling;"
        "return [row.querySelector('#clip-name').textContent, row.getBoundingClientRect().top]", row
    )  # fmt: skip
    assert shown[0] in row.text
    assert shown[1] < 200
    narrow(browser, 1280)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".explorer > .detail"))


def test_a_matrix_that_is_wider_than_the_phone_shows_it(page, report):
    browser = page(report)
    sides = "return document.querySelector('.sideways').className"
    assert browser.execute_script(sides) == "sideways"
    narrow(browser, 390)
    wait(browser, lambda: browser.execute_script(sides) == "sideways wider right")
    assert browser.find_element(By.CSS_SELECTOR, ".sideways .more").is_displayed()
    browser.execute_script("document.querySelector('.scroll').scrollLeft = 9999")
    wait(browser, lambda: browser.execute_script(sides) == "sideways wider left")


def test_one_rare_emotion_does_not_set_the_scale_of_the_differences(page, run, folder):
    many = crowd(run, 800)
    truth = np.where(np.arange(800) < 3, 7, many.truth % 7)
    rare = replace(many, truth=truth, predicted=truth.copy())
    wrong = truth.copy()
    wrong[[0, *range(10, 800, 40)]] = 6
    path = write_report(
        replace(rare, predicted=wrong, folder=run.folder / "b"), folder / "rare.html",
        baseline=rare, audio="none",
    ).path  # fmt: skip
    browser = page(path)
    frame = box(browser, "#chart-difference svg")
    band = box(browser, "#chart-difference .margin rect")
    assert band["width"] > 0.02 * frame["width"]
    ends = texts(browser, "#chart-difference g[text-anchor=end][font-weight='700'] text")
    assert ends == ["\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"]
    inner = "[...document.querySelectorAll('#chart-difference circle')]"
    places = browser.execute_script(f"return {inner}.map((dot) => dot.getBoundingClientRect().x)")
    assert min(places) >= frame["left"]


def test_what_runs_it_again_is_whole(page, report, run):
    browser = page(report)
    said = texts(browser, "#about dd code")
    assert said[0].startswith("serval evaluate --model ")
    assert said[1:] == [run.provenance.model["sha256"], run.provenance.dataset["fingerprint"]]


def test_letters_are_dark_or_light_enough(page, report):
    browser = page(report)
    for theme in ("light", "dark"):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": theme}]},
        )
        for selector in (
            ".eyebrow",
            ".row .to",
            ".detail .tag.t",
            ".caveats li",
            ".sideways .more",
        ):
            assert contrast(browser, selector) >= 4.5, (theme, selector)


PAINTED = """
const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const painted = (colours) => {
  for (const colour of colours) {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
  }
  return [...pen.getImageData(0, 0, 1, 1).data];
};
const node = document.querySelector(arguments[0]);
const behind = [];
for (let n = node; n; n = n.parentElement) behind.unshift(getComputedStyle(n).backgroundColor);
return [painted([...behind, getComputedStyle(node).color]), painted(behind)];
"""


def contrast(browser, selector):
    """The contrast of an element's letters with what is behind them, as WCAG 2 defines it."""
    ink, paper = browser.execute_script(PAINTED, selector)
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
              for c in (value / 255 for value in rgb[:3])]  # fmt: skip
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_dark_and_light(page, report):
    browser = page(report)
    light = background(browser)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    dark = background(browser)
    assert dark != light
    toggle = browser.find_element(By.ID, "theme")
    toggle.click()
    assert background(browser) == light
    toggle.click()
    assert (toggle.text, background(browser)) == ("Theme: dark", dark)
    toggle.click()


def test_it_fits_a_tablet_and_a_phone(page, report):
    browser = page(report)
    for width in (768, 360):
        narrow(browser, width)
        wide = "return document.documentElement.scrollWidth"
        wait(browser, lambda: browser.execute_script(wide) <= width)  # noqa: B023 - called here
        assert browser.execute_script(wide) == browser.execute_script("return innerWidth") == width


def test_paper_gets_the_numbers_and_not_the_controls(page, report):
    browser = page(report)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element(By.CSS_SELECTOR, ".filters").is_displayed()
    assert not browser.find_element(By.CSS_SELECTOR, "header.bar").is_displayed()
    assert browser.find_element(By.CSS_SELECTOR, ".matrix").is_displayed()
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 20_000


def saved(browser, name):
    path = Path(browser.downloads) / name
    wait(browser, lambda: path.is_file() and path.stat().st_size)
    time.sleep(0.1)
    return path.read_text("utf-8")


def test_every_chart_has_its_table_and_its_files(page, report, run):
    browser = page(report)
    for chart in browser.find_elements(By.CSS_SELECTOR, ".chart"):
        assert chart.find_elements(By.CSS_SELECTOR, "table tbody tr"), chart.get_attribute("id")
    chart = browser.find_element(By.ID, "chart-per-class")
    buttons = {node.text: node for node in chart.find_elements(By.CSS_SELECTOR, ".tools button")}
    browser.execute_script(
        "arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", chart
    )
    buttons["CSV"].click()
    table = list(csv.DictReader(io.StringIO(saved(browser, "per-class.csv"))))
    assert len(table) == 24
    assert {row["emotion"] for row in table} == set(run.labels)
    buttons["SVG"].click()
    picture = saved(browser, "per-class.svg")
    assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in picture


def test_two_runs_show_both_answers_to_a_flip(page, pair, run):
    other, path = pair
    browser = page(path)
    assert len(browser.find_elements(By.CSS_SELECTOR, "table.matrix")) == 2
    flips = int((run.predicted != other.predicted).sum())
    browser.find_element(By.XPATH, "//button[text()='Hear all flips']").click()
    assert shown_count(browser) == flips
    assert len(browser.find_elements(By.CSS_SELECTOR, ".detail .said")) == 2
    assert len(browser.find_elements(By.CSS_SELECTOR, ".probs .track i.b")) == 8
    rows(browser)[0].click()
    wait(browser, lambda: played(browser) > 0.05)
    click(browser, browser.find_element(By.CSS_SELECTOR, "[data-run='1'][data-t='2'][data-p='2']"))
    assert shown_count(browser) == int(((other.truth == 2) & (other.predicted == 2)).sum())


def test_markup_in_every_field_stays_text(page, folder):
    labels = tuple(f"{name}{HARM}" for name in ("angry", "happy", "sad"))
    manifest = spoken_set(folder / "harm", 12, labels=labels, harm=HARM, broken=1)
    run = evaluated(
        folder / "harmful", manifest, labels=labels, name="<img src=x onerror=alert(1)>"
    )
    named = replace(
        run.provenance, dataset=dict(run.provenance.dataset) | {"name": HARM, "caveats": [HARM]}
    )
    path = write_report(replace(run, provenance=named), folder / "harm.html", audio="all").path
    browser = page(path)
    choose(browser, "outcome", "all")
    for row in rows(browser)[:3]:
        row.click()
    assert browser.execute_script("return window.harmed") is None
    assert browser.find_elements(By.CSS_SELECTOR, "main script, img[src='x']") == []
    assert HARM[:40] in browser.find_element(By.CSS_SELECTOR, ".detail").text
    assert HARM[:40] in browser.find_element(By.CSS_SELECTOR, ".caveats").text


def test_audio_beside_the_page_is_heard(page, run, folder, monkeypatch):
    monkeypatch.setattr(build, "EMBED_MB", 0.0)
    written = write_report(run, folder / "beside it.html", audio="all")
    assert len(list(written.beside.glob("*.ogg"))) == len(set(run.audio_sha256))
    browser = page(written.path)
    rows(browser)[0].click()
    wait(browser, lambda: played(browser) > 0.05)


def crowd(run, n, **changed):
    """A run of n clips that nobody recorded, on the labels of another."""
    rng, k = np.random.default_rng(0), len(run.labels)
    probs = rng.dirichlet(np.ones(k) / 3, n).astype(np.float32)
    clips = {
        "clip_ids": tuple(f"clip {i}" for i in range(n)), "index": np.arange(n),
        "truth": rng.integers(0, k, n), "predicted": probs.argmax(axis=1), "probs": probs,
        "logits": np.log(probs + 1e-9), "duration_s": rng.uniform(1, 5, n), "failures": (),
        "inference_s": rng.uniform(0.01, 0.02, n), "audio_sha256": ("",) * n,
        "speakers": tuple(f"s{i % 90}" for i in range(n)), "groups": {},
    }  # fmt: skip
    return replace(run, **(clips | changed))


def silent(run, path):
    return write_report(run, path, audio="none").path


def narrow(browser, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait(browser, lambda: browser.execute_script("return innerWidth") == width)


def box(browser, selector):
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
    return browser.execute_script(script, selector)


def test_two_thousand_clips_are_listed_a_page_at_a_time(page, run, folder):
    browser = page(silent(crowd(run, 2000), folder / "many.html"))
    choose(browser, "outcome", "all")
    assert (shown_count(browser), len(rows(browser))) == (2000, 50)
    choose(browser, "order", "dataset order")
    browser.find_element(By.XPATH, "//button[text()='Later']").click()
    assert "clip 50" in rows(browser)[0].text
    rows(browser)[-1].click()
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    wait(browser, lambda: "clip 100" in rows(browser)[0].text)
    assert rows(browser)[0] == browser.switch_to.active_element


@pytest.fixture(scope="module")
def stressed_page(folder, run):
    """A page with a stress test of the same model, on labels that make every clean answer right."""
    answers = [
        {"path": f"clips/{Path(name).name}", "label": run.labels[p]}
        for name, p in zip(run.clip_ids, run.predicted, strict=True)
    ]
    model = str(run.provenance.model["path"])
    options = EvalOptions(
        model=model, dataset=str(write_manifest(folder / "as_heard.csv", answers)),
        output=str(folder / "stress"), workers=1,
    )  # fmt: skip
    suite = "white_20db,white_10db,white_5db,white_0db,mulaw"
    write_stress(stress(StressOptions(evaluation=options, suite=suite)))
    return write_report(
        run, folder / "stress.html", further=Further(stress=load_stress(folder / "stress"))
    ).path


def test_what_a_perturbation_broke_is_heard_clean_and_perturbed(page, stressed_page):
    browser = page(stressed_page)
    assert browser.find_elements(By.CSS_SELECTOR, "#chart-stress-white svg circle")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart-stress-cases tbody tr")) == 5
    summary = browser.find_element(By.CSS_SELECTOR, ".examples > summary")
    assert summary.text.startswith("Hear ")
    assert browser.find_elements(By.CSS_SELECTOR, ".example audio") == []
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.click()
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".example audio"))
    first = browser.find_element(By.CSS_SELECTOR, ".example")
    clean, perturbed = first.find_elements(By.TAG_NAME, "audio")
    assert clean.get_attribute("src") != perturbed.get_attribute("src")
    assert [len(first.find_elements(By.CSS_SELECTOR, mark)) for mark in (".good", ".bad")] == [1, 1]
    stage = first.find_elements(By.CSS_SELECTOR, ".stage")[1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    stage.click()
    wait(browser, lambda: browser.execute_script("return arguments[0].currentTime", perturbed) > 0)


def test_a_stress_test_of_another_model_is_refused(stressed_page, pair, folder):
    other, _ = pair
    with pytest.raises(ConfigError, match="is of another model than"):
        write_report(
            other, folder / "no.html", further=Further(stress=load_stress(folder / "stress"))
        )


def test_a_button_that_makes_its_surroundings_anew_keeps_the_focus(page, run, folder):
    browser = page(silent(crowd(run, 70), folder / "focus.html"))
    choose(browser, "outcome", "all")
    for name in ("next", "previous"):
        browser.find_element(By.NAME, name).send_keys(Keys.ENTER)
        assert browser.switch_to.active_element.get_attribute("name") == name
    browser.find_element(By.NAME, "Later").send_keys(Keys.ENTER)
    assert "page 2 of 2" in browser.find_element(By.CSS_SELECTOR, ".pager").text
    assert browser.switch_to.active_element.get_attribute("name") == "Earlier"


def test_speakers_who_are_all_understood_stay_inside_of_their_chart(page, run, folder):
    many = crowd(run, 360)
    right = replace(many, predicted=many.truth.copy())
    browser = page(silent(right, folder / "right.html"))
    frame = box(browser, "#chart-speakers .plot svg")
    spots = browser.execute_script(
        "return [...document.querySelectorAll('#chart-speakers circle')]"
        ".map((dot) => dot.getBoundingClientRect().toJSON())"
    )
    assert len(spots) == 90
    assert min(spot["top"] for spot in spots) >= frame["top"]
    assert max(spot["bottom"] for spot in spots) <= frame["bottom"]
    ticks = texts(browser, "#chart-speakers [text-anchor=middle] text")
    assert len(set(ticks)) == len(ticks)


def test_where_nothing_was_wrong_all_clips_are_listed(page, run, folder):
    many = crowd(run, 30)
    browser = page(silent(replace(many, predicted=many.truth.copy()), folder / "none wrong.html"))
    assert shown_count(browser) == 30
    assert Select(browser.find_element(By.NAME, "outcome")).first_selected_option.text == "all"


def test_a_run_without_an_answer_opens_without_empty_charts(page, folder):
    run = evaluated(folder / "zero", spoken_set(folder / "zero clips", 2, broken=2))
    browser = page(silent(run, folder / "zero.html"))
    assert browser.find_element(By.TAG_NAME, "h1").text == "emo answered no clip."
    for chart in browser.find_elements(By.CSS_SELECTOR, ".chart"):
        assert chart.find_elements(By.CSS_SELECTOR, "tbody tr"), chart.get_attribute("id")


def test_thirty_classes_keep_their_names_and_numbers_readable(page, folder):
    labels = tuple(f"emotion {i:02d}" for i in range(30))
    manifest = spoken_set(folder / "thirty clips", 30, labels=labels)
    run = evaluated(folder / "thirty", manifest, labels=labels)
    browser = page(silent(crowd(run, 300), folder / "thirty.html"))
    narrowest, cut = browser.execute_script(
        "const heads = [...document.querySelectorAll('.matrix thead th')];"
        "return [Math.min(...heads.map((head) => head.offsetWidth)),"
        " heads.filter((head) => head.scrollHeight > head.clientHeight + 1).length]"
    )
    assert narrowest >= 32
    assert cut == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1360


def test_a_half_is_rounded_alike_in_words_and_numbers(page, run, folder):
    many = crowd(run, 800)
    truth = (many.predicted + 1) % 8
    truth[:25] = many.predicted[:25]
    browser = page(silent(replace(many, truth=truth), folder / "half.html"))
    assert "in 3.12 % (95" in browser.find_element(By.TAG_NAME, "h1").text
    assert texts(browser, ".tile .value")[0] == "3.12 %"


def test_names_of_either_direction_stand_apart_from_what_follows(page, run, folder):
    speakers = ("\u0645\u062a\u062d\u062f\u062b 1",) * 20
    browser = page(silent(crowd(run, 20, speakers=speakers), folder / "direction.html"))
    first = browser.find_element(By.CSS_SELECTOR, ".rows .row")
    apart = [node.text for node in first.find_elements(By.TAG_NAME, "bdi")]
    clip = browser.find_element(By.ID, "clip-name").text
    assert apart[2:] == [clip, speakers[0]]
    assert set(apart[:2]) <= set(run.labels)


def test_two_runs_fit_a_phone(page, pair):
    _, path = pair
    browser = page(path)
    narrow(browser, 360)
    wait(browser, lambda: browser.execute_script("return document.body.scrollWidth") <= 360)
    chart, words = (box(browser, f"#change {part}") for part in ("#chart-difference", ".side"))
    assert (chart["left"], chart["width"]) == (words["left"], words["width"])
    longest = browser.execute_script(
        "return Math.max(...[...document.querySelectorAll('#chart-group-differences td')]"
        ".map((cell) => cell.offsetHeight))"
    )
    assert longest < 60


def test_on_a_phone_a_link_leads_to_the_clip_itself(page, report, run):
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser = page(report)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_script(f"location.hash = '#clip={run.clip_ids[3]}'")
    wait(browser, lambda: 0 <= box(browser, "#clip-name")["top"] < 400)
    assert browser.find_element(By.ID, "clip-name").text == run.clip_ids[3]


def test_paper_has_no_gaps_cut_tables_or_screen_wide_charts(page, pair):
    _, path = pair
    browser = page(path)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    style = (
        "const of = (s, p) => getComputedStyle(document.querySelector(s))[p];"
        "return [of('.listcard', 'breakInside'), of('.tall', 'maxHeight'),"
        " of('h2', 'breakAfter'), of('.legend i', 'printColorAdjust')]"
    )
    assert browser.execute_script(style) == ["auto", "none", "avoid", "exact"]
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert box(browser, "#chart-per-class svg")["width"] <= 700
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script("return document.documentElement.className") == ""


def test_a_saved_chart_of_two_runs_says_which_colour_is_which(page, pair):
    _, path = pair
    browser = page(path)
    button = browser.find_element(By.CSS_SELECTOR, "#chart-reliability .tools button:last-child")
    click(browser, button)
    picture = ET.fromstring(saved(browser, "reliability.svg"))
    words = {n.text: n.get("text-anchor") for n in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert (words.get("A emo"), words.get("B other")) == ("start", "start")


def test_the_list_is_one_stop_on_the_way_to_the_clip(page, run, folder):
    browser = page(silent(crowd(run, 70), folder / "stops.html"))
    choose(browser, "outcome", "all")
    rows(browser)[3].click()
    stops = "return [...document.querySelectorAll('.row')].map((row) => row.tabIndex)"
    assert browser.execute_script(stops) == [-1, -1, -1, 0] + [-1] * 46
    click(browser, browser.find_element(By.NAME, "Later"))
    assert browser.execute_script(stops) == [0] + [-1] * 19


def test_both_scores_are_of_the_clips_whose_difference_is_shown(apart, page):
    browser = page(apart)
    content = json.loads(browser.find_element(By.ID, "content").get_attribute("textContent"))
    tile = content["pair"]["tiles"][0]
    values = texts(browser, ".tiles .tile:first-child .two .value")
    assert values == [percent(tile[side]) for side in "ab"]
    ranges = texts(browser, ".tiles .two .range")
    assert (ranges[::2], all(ranges[1::2])) == ([""] * 4, True), "of A's no interval is known"
    assert "of the 8 clips that both answered" in browser.find_element(By.CLASS_NAME, "hero").text


def test_the_page_writes_numbers_and_cells_as_python_does(browser):
    script = (ASSETS / "dom.js").read_text(encoding="utf-8")
    shares = [0.125, 0.875, 0.135, 0.005, 1 / 3, 0.5, 1.0]
    cells = ["=A1", "  =A1", "\uff1d1", "-0.5", "1e5", "-5 dB", "@x", "angry", "+1", "- "]
    said = browser.execute_script(
        f"{script}; return [arguments[0].map(wholePercent), arguments[1].map(csvCell)];",
        shares, cells,
    )  # fmt: skip
    whole = [percent(share, 0) if share > 0.005 else "< 1 %" for share in shares]
    assert said == [[text.replace(" ", "\u00a0") for text in whole], list(map(csv_cell, cells))]


def test_long_names_that_begin_alike_can_be_told_apart(browser):
    script = (ASSETS / "dom.js").read_text(encoding="utf-8")
    names = [f"emotion number {i} with a long name" for i in (1, 10, 2)] + ["joy", "x" * 20]
    said = browser.execute_script(
        f"{script}; return [...shortened(arguments[0], 16).values()];", names
    )
    assert said == [
        "…1 with a long …",
        "…10 with a long…",
        "…2 with a long …",
        "joy",
        "x" * 15 + "…",
    ]


def test_names_from_right_to_left_turn_nothing_beside_them(browser):
    script = (ASSETS / "dom.js").read_text(encoding="utf-8")
    line = "Best: سعيد جدا (F1 80 %), حزين (F1 70 %)."
    said = browser.execute_script(
        f"{script}; return sentence(arguments[0]).map((part) => part.outerHTML ?? part);", line
    )
    assert said == [
        "Best: ",
        "<bdi>سعيد جدا</bdi>",
        " (F1 80 %), ",
        "<bdi>حزين</bdi>",
        " (F1 70 %).",
    ]

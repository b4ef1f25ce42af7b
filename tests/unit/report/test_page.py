import json
import re

import pytest

from pages import HARM, evaluated, spoken_set
from serval.report import build
from serval.report.build import write_report
from serval.report.page import page_html

BLOCK = re.compile(r'<script type="application/json" id="(\w+)">(.*?)</script>', re.DOTALL)


def blocks(path):
    return {name: json.loads(text) for name, text in BLOCK.findall(path.read_text("utf-8"))}


def labels_of_harm():
    return tuple(f"{name}{HARM}" for name in ("angry", "happy", "sad"))


@pytest.fixture
def harmful(tmp_path):
    labels = labels_of_harm()
    manifest = spoken_set(tmp_path / "clips", 12, labels=labels, harm=HARM, broken=1)
    return evaluated(tmp_path, manifest, labels=labels, name="<b>emo")


def test_the_page_names_nothing_outside_of_itself(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 8))
    html = write_report(run, tmp_path / "page.html").path.read_text("utf-8")
    outside = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', html)
    assert outside == []
    assert "url(" not in html.split("<style>")[1].split("</style>")[0]


def test_the_policy_allows_the_scripts_of_the_page_and_no_others(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 8))
    html = write_report(run, tmp_path / "page.html", audio="none").path.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src &#x27;none&#x27;" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert len(re.findall("sha256-", policy.split("style-src")[0])) == 3
    assert len(re.findall(r"<script>", html)) == 3


def test_what_a_dataset_says_cannot_leave_its_block(harmful, tmp_path):
    path = write_report(harmful, tmp_path / "page.html").path
    html = path.read_text("utf-8")
    assert "harmed" in html
    assert "<script>window.harmed" not in html
    assert "<img src=x" not in html
    assert len(re.findall("</script>", html)) == 5
    content = blocks(path)["content"]
    assert content["labels"] == list(labels_of_harm())
    assert HARM in content["clips"]["text"][0]


def test_the_numbers_of_the_page_are_those_of_the_run(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 24, broken=2))
    content = blocks(write_report(run, tmp_path / "page.html").path)["content"]
    right = int((run.truth == run.predicted).sum())
    assert sum(map(sum, content["runs"][0]["counts"])) == 22
    assert content["runs"][0]["tiles"][0]["value"] == pytest.approx(right / 22, abs=1e-6)
    assert f"{100 * right / 22:.2f}" in content["verdict"]
    assert any("failed and are in no score: 2" in line for line in content["caveats"])
    sections = {section["id"]: section["charts"] for section in content["sections"]}
    failures = next(chart for chart in sections["run"] if chart["id"] == "failures")
    assert [row["stage"] for row in failures["rows"]] == ["read", "read"]
    assert sum(row["clips"] for row in sections["trust"][0]["rows"]) == 22


def test_wrong_clips_can_be_heard_and_only_those(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 16))
    page = write_report(run, tmp_path / "page.html")
    found = blocks(page.path)
    wrong = (run.truth != run.predicted).tolist()
    assert [at >= 0 for at in found["content"]["clips"]["sound"]] == wrong
    assert page.sounds == len(found["sounds"]) == sum(wrong)
    assert found["sounds"][0]["src"].startswith("data:audio/ogg;base64,")


def test_audio_that_is_too_much_lies_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "EMBED_MB", 0.001)
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 4))
    page = write_report(run, tmp_path / "my page.html", audio="all")
    assert page.beside == tmp_path / "my page-audio"
    for sound in blocks(page.path)["sounds"]:
        name = sound["src"].removeprefix("my%20page-audio/")
        assert (page.beside / name).read_bytes().startswith(b"OggS")


def test_a_run_without_an_answer_still_makes_a_page(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 3, broken=3))
    content = blocks(write_report(run, tmp_path / "page.html").path)["content"]
    assert "answered no clip" in content["verdict"]
    assert content["clips"]["id"] == []
    assert content["sentences"] == []
    assert all(chart["rows"] for section in content["sections"] for chart in section["charts"])


def test_one_clip_is_one_clip(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 1))
    content = blocks(write_report(run, tmp_path / "page.html", audio="none").path)["content"]
    assert content["verdict"].endswith("of 1 clip.")
    assert "1 clip can be heard" in content["listen"]


def test_a_nan_never_reaches_the_page():
    with pytest.raises(ValueError, match="not JSON compliant"):
        page_html({"title": "", "verdict": "", "version": "", "x": float("nan")}, [])

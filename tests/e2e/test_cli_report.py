import json

import pytest
from huggingface_hub import ModelCard

from build import EMOTIONS
from pages import evaluated, spoken_set
from phone import DOCUMENT


@pytest.mark.slow
def test_evaluate_makes_the_page_when_asked(serval, model_file, tmp_path):
    manifest = spoken_set(tmp_path / "clips", 8)
    done = serval(
        *("evaluate", "-m", model_file, "-d", manifest, "-o", "out", "--report", "-q", "--no-plots")
    )
    assert done.returncode == 0, done.stderr
    assert "audio/ogg" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_report_and_card_of_stored_runs(serval, tmp_path):
    manifest = spoken_set(tmp_path / "clips", 16)
    a = evaluated(tmp_path / "a", manifest).folder
    b = evaluated(tmp_path / "b", manifest, seed=1, name="other").folder
    done = serval("report", a)
    assert (done.returncode, done.stdout.strip()) == (0, str(a / "report.html")), done.stderr
    assert "clips can be heard" in done.stderr
    (tmp_path / "phone.json").write_text(json.dumps(DOCUMENT), "utf-8")
    done = serval("report", a, "--bench", "phone.json", "--audio", "none", "-o", "timed.html")
    assert done.returncode == 0, done.stderr
    assert "Chromium 156 on Pixel 9 Android" in (tmp_path / "timed.html").read_text("utf-8")
    done = serval("report", b, "--baseline", a, "-o", "pair.html", "--audio", "none")
    assert done.returncode == 0, done.stderr
    assert "other (B)" in (tmp_path / "pair.html").read_text("utf-8")
    done = serval("card", a, "-o", "CARD.md")
    assert done.stdout.strip() == "CARD.md", done.stderr
    assert ModelCard.load(tmp_path / "CARD.md").data.eval_results[0].metric_type == "accuracy"


def test_what_is_no_run_is_one_line(serval, tmp_path):
    for command in ("report", "card"):
        done = serval(command, tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("serval: no run in")


@pytest.mark.slow
def test_runs_that_cannot_be_compared_are_one_line(serval, tmp_path):
    a = evaluated(tmp_path / "a", spoken_set(tmp_path / "clips", 8)).folder
    labels = EMOTIONS[:3]
    other = spoken_set(tmp_path / "other", 6, labels=labels)
    b = evaluated(tmp_path / "b", other, labels=labels).folder
    done = serval("report", b, "--baseline", a)
    assert done.returncode == 2
    assert "different labels" in done.stderr

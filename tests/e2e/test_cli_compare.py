"""`serval compare`, `serval gate` and `serval score` as a user meets them."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from runs import noisy, run_of

TRUTH = np.random.default_rng(0).integers(0, 3, 300)
SPEAKERS = [f"s{i // 10}" for i in range(300)]


@pytest.fixture
def stored(tmp_path):
    rng = np.random.default_rng(1)
    first = noisy(TRUTH, 0.85, rng)
    far = np.where(rng.random(300) < 0.6, rng.integers(0, 3, 300), first)
    groups = {"gender": ["FM"[(i // 10) % 2] for i in range(300)]}
    for name, predicted in {"a": first, "same": first, "far": far}.items():
        run_of(tmp_path / name, TRUTH, predicted, speakers=SPEAKERS, groups=groups)
    return tmp_path


@pytest.mark.usefixtures("empty_pictures")
def test_compare_prints_a_verdict_and_writes_its_files(serval, stored):
    done = serval("compare", "a", "same", "far", "-o", "out")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("same (B) is not worse than a (A): ")
    assert second.startswith("far (C) is worse than a (A): ")
    assert "points (95 % interval -" in second
    assert "Exact McNemar" in done.stdout
    assert "Ranks" in done.stdout
    assert "same - a" in done.stdout
    assert "far - same" in done.stdout
    assert "p, Holm" in done.stdout
    assert "gender:" in done.stdout
    assert "Speakers that changed most, of " in done.stdout
    for name in ("comparison.json", "flips.csv", "comparison.png"):
        assert (stored / "out" / name).stat().st_size > 0


@pytest.mark.usefixtures("empty_pictures")
def test_compare_as_json_is_the_file(serval, stored):
    done = serval("compare", "a", "far", "--json", "--margin", "2", "-o", "out")
    printed = json.loads(done.stdout)
    assert printed["options"]["margin"] == 0.02
    assert printed == json.loads((stored / "out" / "comparison.json").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("empty_pictures")
def test_compare_lists_what_only_one_run_has(serval, stored):
    run_of(stored / "short", TRUTH[:200], TRUTH[:200], speakers=SPEAKERS)
    done = serval("compare", "a", "short", "-o", "out")
    assert "100 clips of a are not in every run: clip200, clip201, clip202 ..." in done.stdout


def test_what_cannot_be_compared_is_one_line(serval, stored):
    run_of(stored / "ids", [0, 1], [0, 1], ids=["p", "q"], shas={0: "p", 1: "q"})
    run_of(stored / "labels", [0, 1], [0, 1], labels=("x", "y", "z"))
    for arguments, message in (
        (["a", "gone"], "no run in gone: journal.jsonl is missing"),
        (["a"], "a comparison needs at least 2 runs"),
        (["a", "ids"], "the runs have no clip in common"),
        (["a", "labels"], "a and labels have different labels"),
        (["a", "far", "--margin", "0"], "a margin of 0 points cannot be judged"),
    ):
        done = serval("compare", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"serval: {message}")
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""


def test_gate_passes_and_writes_junit(serval, stored):
    done = serval(
        *("gate", "same", "--baseline", "a", "--min", "accuracy=0.5", "--max", "failures=0.01"),
        *("--max-drop", "uar=2", "--max-group-gap", "uar:gender=90", "--junit", "gate.xml"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passes the gate: " in done.stdout
    assert ET.parse(stored / "gate.xml").getroot().get("tests") == "4"


def test_gate_fails_with_1_and_says_why(serval, stored):
    done = serval("gate", "far", "--baseline", "a", "--max-drop", "accuracy=2", "--json")
    assert done.returncode == 1
    (check,) = json.loads(done.stdout)["checks"]
    assert check["verdict"] == "fail"
    table = serval("gate", "far", "--min", "accuracy=0.99")
    assert table.returncode == 1
    assert "does NOT pass the gate: " in table.stdout


def test_gate_reads_its_file(serval, stored):
    (stored / "gate.toml").write_text("[min]\naccuracy = 0.99\n", encoding="utf-8")
    assert serval("gate", "a").returncode == 1
    both = json.loads(serval("gate", "a", "--max", "failures=0.5", "--json").stdout)["checks"]
    assert [check["metric"] for check in both] == ["accuracy", "failures"]
    (stored / "other.toml").write_text("[min]\naccuracy = 0.5\n", encoding="utf-8")
    assert serval("gate", "a", "-f", "other.toml").returncode == 0
    assert serval("gate", "a", "-f", "other.toml", "--min", "accuracy=0.99").returncode == 1


def test_a_gate_that_makes_no_sense_is_one_line(serval, stored):
    for arguments, message in (
        (["gone", "--min", "accuracy=1"], "no run in gone"),
        (["a"], "the gate has no bound"),
        (["a", "--min", "accuracy"], "--min 'accuracy' is not of the form"),
        (["a", "--min", "wer=1"], "unknown metric 'wer'"),
        (["a", "--min", "uarr=1"], "unknown metric 'uarr'"),
        (["a", "--max-drop", "uar=1"], "--max-drop needs a run to measure against"),
        (["a", "-f", "gone.toml"], "gate file gone.toml cannot be read"),
    ):
        done = serval("gate", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"serval: {message}")
        assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("empty_pictures")
def test_score_writes_every_file_anew(serval, stored):
    done = serval("score", "a")
    assert done.returncode == 0, done.stderr
    assert "by gender" in done.stdout
    assert "abstain on 20 %" in done.stdout
    assert "UAR of random labels: 33.33 %" in " ".join(done.stdout.split())
    assert "of the most frequent label alone: 33.33 %" in " ".join(done.stdout.split())
    first = (stored / "a" / "results.json").read_bytes()
    document = json.loads(first)
    assert document["calibration"]["n"] == 300
    assert [table["column"] for table in document["groups"]["tables"]] == ["speaker", "gender"]
    assert (stored / "a" / "reliability.png").stat().st_size > 0
    assert json.loads(serval("score", "a", "--json", "--no-plots").stdout) == document
    assert (stored / "a" / "results.json").read_bytes() == first


@pytest.mark.usefixtures("empty_pictures")
def test_score_fits_a_temperature_on_another_run(serval, stored):
    shas = {i: f"dev{i}" for i in range(300)}
    run_of(stored / "dev", TRUTH, noisy(TRUTH, 0.85, np.random.default_rng(9)), shas=shas)
    done = serval("score", "a", "--calibrate-on", "dev", "--no-groups", "--no-plots")
    assert done.returncode == 0, done.stderr
    assert "At temperature" in done.stdout
    assert "\n  by gender" not in done.stdout
    assert "group clips" not in done.stdout
    refused = serval("score", "a", "--calibrate-on", "same")
    assert refused.returncode == 2
    assert "300 clips are in both" in refused.stderr


@pytest.mark.usefixtures("empty_pictures")
def test_score_of_an_unfinished_run(serval, stored):
    run_of(stored / "half", TRUTH[:50], TRUTH[:50], end=False)
    done = serval("score", "half", "--no-plots")
    assert done.returncode == 0
    assert "not finished" in done.stdout


def test_score_without_a_run_is_one_line(serval, stored):
    done = serval("score", "gone")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("serval: no run in gone")

"""`serval stress` as people call it."""

import json
import signal
import subprocess
import sys
import time

import pytest

from build import classifier, labels_metadata
from conftest import process_environment
from serval.stress import load_stress

SUITE = "gain_minus2db,white_20db,babble_10db,speed_plus10"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def command(model_file, manifest, out, *more):
    return ["stress", "-m", model_file, "-d", manifest, "-o", out, "--suite", SUITE, *more]


def test_stress_says_its_cost_runs_every_case_and_goes_on(serval, model_file, manifest, out):
    done = serval(*command(model_file, manifest, out, "--workers", "2"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("to do: 12 clips clean, then under 4 perturbations; ")
    assert "cost: 4 perturbations x 12 clips x " in done.stderr
    assert "[3/4] babble_10db" in done.stderr
    assert "a random model" in done.stdout
    assert "white_20db" in done.stdout
    assert "kept" in done.stdout, "the verdicts fit into 80 columns"
    assert "…" not in done.stdout
    assert "Whether the thresholds of" in " ".join(done.stdout.split()), "12 clips decide none"
    first = (out / "stress.json").read_bytes()
    assert {"stress.json", "stress.csv", "stress.md", "stress_heatmap.png", "clean"} <= {
        path.name for path in out.iterdir()
    }
    assert list(json.loads(first)["cases"]) == SUITE.split(",")

    last = out / "speed_plus10" / "journal.jsonl"
    lines = last.read_text(encoding="utf-8").splitlines(keepends=True)
    last.write_text("".join(lines[:5]) + lines[5][:20], encoding="utf-8")
    again = serval(*command(model_file, manifest, out, "--workers", "1", "--json"))
    assert again.returncode == 0, again.stderr
    assert "cost: 1 perturbation x 12 clips" in again.stderr
    resumed, before = json.loads(again.stdout), json.loads(first)
    for part in ("cases", "families", "clean", "random", "invariance", "fairness"):
        assert resumed[part] == before[part]


def test_a_killed_test_goes_on_where_it_was(serval, empty_pictures, model_file, manifest, out):
    arguments = [sys.executable, "-m", "serval", *map(str, command(model_file, manifest, out))]
    process = subprocess.Popen(
        arguments, env=process_environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 90
    while not (out / "white_20db" / "journal.jsonl").is_file() and process.poll() is None:
        assert time.monotonic() < deadline, "the second perturbation never began"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = serval(*command(model_file, manifest, out, "--quiet"))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    whole = serval(*command(model_file, manifest, out.with_name("whole"), "--quiet"))
    assert whole.returncode == 0, whole.stderr
    for name in SUITE.split(","):
        one, two = (load_stress(folder).runs[name] for folder in (out, out.with_name("whole")))
        assert one.complete
        assert one.logits.tolist() == two.logits.tolist()


def test_the_baseline_is_a_model_or_the_folder_of_its_test(
    serval, empty_pictures, model_file, manifest, out, tmp_path
):
    other = classifier(tmp_path / "fp32.onnx", metadata=labels_metadata(), seed=1)
    done = serval(*command(model_file, manifest, out, "--baseline", other, "--json"))
    assert done.returncode == 0, done.stderr
    by_model = json.loads(done.stdout)["against"]
    assert by_model["model"] == "fp32"
    assert set(by_model["cases"]) == set(SUITE.split(","))
    done = serval(*command(model_file, manifest, out, "--baseline", out / "against", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["against"]["families"] == by_model["families"]
    for flags, fault in ((("--seed", "1"), "made with --seed 0, not 1"),
                         (("--limit", "5"), "another limit (None, not 5)")):  # fmt: skip
        late = tmp_path / "late"
        done = serval(*command(model_file, manifest, late, "--baseline", out / "against", *flags))
        assert (done.returncode, late.exists()) == (2, False), "said before the first clip"
        assert fault in done.stderr
    three = classifier(tmp_path / "three.onnx", k=3, metadata=labels_metadata(list("abc")))
    for base in (three, manifest):
        done = serval(*command(model_file, manifest, late, "--baseline", base, "--drop-unmapped"))
        assert (done.returncode, late.exists()) == (2, False), "said before the first clip"


def test_a_set_without_a_clip_that_works_is_not_perturbed(serval, model_file, out, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"nonsense")
    manifest = tmp_path / "bad.csv"
    manifest.write_text("path,label\nbad.wav,angry\n", encoding="utf-8")
    done = serval(*command(model_file, manifest, out))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no clip could be predicted (1 failure)" in done.stderr
    assert "bad.wav: decode: not decodable" in done.stderr
    assert [path.name for path in out.iterdir()] == ["clean"]


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_a_cluster_gives_the_same_answers_to_perturbed_clips(
    serval, serval_process, empty_pictures, model_file, manifest, out
):
    """On a cluster that is started here, with the perturbation that takes most along: voices."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    local = out.with_name("local")
    mild = ("--quiet", "--suite", "babble_10db", "--workers", "1")
    done = serval(*command(model_file, manifest, local, *mild))
    assert done.returncode == 0, done.stderr
    done = serval_process(
        *command(model_file, manifest, out, *mild, "--engine", "ray"), timeout=300
    )
    assert done.returncode == 0, done.stderr
    mine, its = (load_stress(folder) for folder in (out, local))
    assert list(mine.runs) == ["babble_10db"]
    for there, here in (
        (mine.clean, its.clean),
        (mine.runs["babble_10db"], its.runs["babble_10db"]),
    ):
        assert there.logits.tolist() == here.logits.tolist()
    assert mine.clean.logits.tolist() != mine.runs["babble_10db"].logits.tolist()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--suite", "whites"), "unknown perturbation 'whites'; known: quick, full, level"),
        (("--baseline", "."), "no stress test in ."),
        (("--baseline", "gone.onnx"), "no model 'gone.onnx'"),
        (("--workers", "0"), "--workers is 0"),
        (("--seed", "-1"), "-1 is not in the range x>=0"),
    ],
)
def test_what_is_wrong_is_one_line_and_no_clip_is_decoded(
    flags, message, serval, model_file, manifest, out
):
    done = serval(*command(model_file, manifest, out), *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()

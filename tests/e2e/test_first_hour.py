"""The first commands of a new user: examples, the self-test, one's own clip, names, runs."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from build import encoded, speech_set, voice
from runs import run_of

TRUTH = [0, 1, 2, 0, 1, 2]


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds" / "deep"
    folder.mkdir(parents=True)
    (folder / "b.flac").write_bytes(encoded(voice(2), form="FLAC"))
    (tmp_path / "sounds" / "a.wav").write_bytes(encoded(voice(1)))
    (tmp_path / "sounds" / "notes.txt").write_text("no sound")
    return tmp_path / "sounds"


@pytest.mark.usefixtures("empty_pictures")
def test_every_command_that_takes_a_run_takes_an_example(serval, tmp_path):
    done = serval("compare", "example:fp32", "example:int8", "-o", "both")
    assert "serval-tiny INT8 (B) is not worse than serval-tiny FP32 (A)" in done.stdout
    for arguments in (
        ("gate", "example:int8", "--baseline", "example:fp32", "--max-drop", "accuracy=1.0"),
        ("card", "example:int8"),
        ("score", "example:fp32", "--no-plots", "-o", "scored"),
    ):
        done = serval(*arguments)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "scored" / "results.json").exists()
    done = serval("score", "example:int8", "--no-plots")
    assert "serval-tiny INT8 names the right emotion in 85.49" in done.stdout
    written = json.loads((tmp_path / "example-int8" / "results.json").read_text(encoding="utf-8"))
    assert (written["name"], written["metadata"]["total_samples"]) == ("serval-tiny INT8", 1999)
    assert "journal" not in done.stdout


def test_the_page_of_an_example_says_once_that_nothing_can_be_heard(serval, tmp_path):
    done = serval("report", "example:int8", "--baseline", "example:fp32", "--audio", "all")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("No clip can be heard: this run comes with serval") == 1
    assert (tmp_path / "example-int8" / "report.html").exists()


@pytest.mark.slow
def test_the_demo_set_is_a_self_test_beside_a_real_result(serval, tmp_path):
    done = serval("evaluate", "--no-plots", COLUMNS="60")
    said = " ".join(done.stdout.split())
    assert said.startswith("Self-test: 64 of 64 clips decoded and answered, ")
    assert "serval-tiny INT8 names the right emotion in 85.49" in said
    assert "serval compare example:fp32 example:int8" in said
    assert "accuracy 29.69 % there says" in said
    assert max(map(len, done.stdout.splitlines()[:20])) <= 60
    results = (tmp_path / "evaluation_results" / "results.json").read_text(encoding="utf-8")
    assert json.loads(results)["metadata"]["total_samples"] == 64
    other = serval("evaluate", "--no-plots", "--normalize", "zscore", "--limit", 4, "-o", "other")
    assert "Self-test: 4 of 4" in other.stdout
    assert "of the same model" not in other.stdout


def test_a_folder_called_demo_and_another_model_have_their_own_headline(
    serval, model_file, tmp_path
):
    speech_set(tmp_path / "demo", 8, name="metadata.csv")
    done = serval("evaluate", "-m", model_file, "-d", "./demo", "--no-plots")
    assert "names the right emotion" in done.stdout
    assert "Self-test" not in done.stdout
    done = serval("evaluate", "-m", model_file, "--no-plots", "-o", "other")
    assert "Self-test: 64 of 64" in done.stdout
    assert "serval-tiny" not in done.stdout


def test_one_clip_is_shown_as_bars_within_60_columns(serval, model_file, sounds):
    done = serval("predict", sounds / "a.wav", "-m", model_file, COLUMNS="60")
    head, *bars = done.stdout.splitlines()
    assert head.startswith(f"{sounds / 'a.wav'}: ")
    assert len(bars) == 8
    shares = [float(line.split("%")[0].split()[-1]) for line in bars]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert max(map(len, bars)) <= 60
    lengths = [line.count("\N{FULL BLOCK}") for line in bars]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 0


def test_folders_are_walked_and_written_in_every_form(serval, model_file, sounds, tmp_path):
    files = [str(sounds / "a.wav"), str(sounds / "deep" / "b.flac")]
    shown = serval("predict", sounds, "-m", model_file, "--json")
    rows = json.loads(shown.stdout)
    assert [row["file"] for row in rows] == files
    for name in ("p.csv", "p.json", "p.PARQUET"):
        done = serval("predict", sounds, "-m", model_file, "-o", name)
        assert (done.returncode, done.stdout.strip()) == (0, name), done.stderr
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8")) == rows
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as lines:
        written = list(csv.DictReader(lines))
    table = pq.read_table(tmp_path / "p.PARQUET").to_pylist()
    for mine, one, row in zip(written, table, rows, strict=True):
        assert mine["emotion"] == one["emotion"] == row["emotion"]
        assert float(mine["confidence"]) == one["confidence"] == row["confidence"]
        assert one["prob_sad"] == row["probabilities"]["sad"]


def test_what_predict_cannot_take_is_said_before_the_model_is_opened(serval, sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    done = serval("predict", "empty", "-m", "gone.onnx")
    assert (done.returncode, done.stderr) == (
        2,
        "serval: there is no audio file below empty; name the files themselves\n",
    )
    done = serval("predict", sounds, "-m", "gone.onnx", "-o", "x.txt")
    assert "--output x.txt ends in no form; known: .csv, .json, .parquet" in done.stderr


def test_a_failed_file_is_in_the_table_that_is_written(serval, model_file, sounds, tmp_path):
    (sounds / "c.wav").write_bytes(b"nonsense")
    done = serval("predict", sounds, "-m", model_file, "-o", "p.parquet")
    assert done.returncode == 3
    failed = pq.read_table(tmp_path / "p.parquet").to_pylist()[1]
    assert failed["file"].endswith("c.wav")
    assert (failed["emotion"], failed["prob_sad"]) == (None, None)
    assert failed["failure"].startswith("decode: ")


@pytest.mark.usefixtures("empty_pictures")
def test_a_name_is_used_wherever_the_run_is_spoken_of(serval, model_file, manifest, tmp_path):
    arguments = ("-m", model_file, "-d", manifest, "--no-plots")
    assert serval("evaluate", *arguments, "-o", "one").returncode == 0
    done = serval("evaluate", *arguments, "-o", "two", "--name", "int8 smooth")
    assert "int8 smooth names the right emotion" in done.stdout
    assert "int8 smooth on" in (tmp_path / "two" / "summary.md").read_text(encoding="utf-8")
    assert (
        "int8 smooth (B) may or may not be worse than emo (A)"
        in serval("compare", "one", "two").stdout
    )
    assert "# int8 smooth" in serval("card", "two").stdout
    assert serval("report", "two", "-o", "two.html", "--audio", "none").returncode == 0
    assert "int8 smooth" in (tmp_path / "two.html").read_text(encoding="utf-8")
    done = serval("evaluate", *arguments, "-o", "one", "--name", "fp32")
    assert "complete already" in done.stdout
    assert "fp32 names the right emotion" in serval("score", "one", "--no-plots").stdout
    done = serval("evaluate", *arguments, "-o", "three", "--name", " ")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "serval: --name ' ' is no name; give one line of text",
    )


def test_runs_lists_what_is_stored_below_a_folder(serval, tmp_path):
    run_of(tmp_path / "all" / "a", TRUTH, TRUTH)
    run_of(tmp_path / "all" / "deep" / "b", TRUTH, TRUTH[::-1], end=False)
    (tmp_path / "all" / "c").mkdir()
    (tmp_path / "all" / "c" / "journal.jsonl").write_text("nonsense\n")
    done = serval("runs", "all")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0
    rows = {line[0]: line for line in lines if line[0].startswith("all")}
    assert set(rows) == {"all/a", "all/deep/b"}
    assert "100.0" in rows["all/a"]
    assert rows["all/a"][-1] == "2026-01-01"
    assert "6, not finished" in done.stdout
    assert "all/c/journal.jsonl" in done.stderr
    assert "there are runs in it: all/a" in serval("score", "all").stderr
    assert "serval evaluate -o 'no where/NAME'" in serval("runs", "no where").stderr
    assert "all/a/journal.jsonl is a file" in serval("runs", "all/a/journal.jsonl").stderr


@pytest.mark.usefixtures("empty_pictures")
def test_predictions_in_a_file_are_scored_and_compared(serval, tmp_path):
    (tmp_path / "mine.csv").write_text(
        "clip_id,truth,prob_sad,prob_angry,speaker,room\n"
        "1,sad,0.9,0.1,x,hall\n2,angry,0.2,0.8,y,hall\n3,angry,0.7,0.3,x,\n"
    )
    (tmp_path / "hard.csv").write_text(
        "clip_id,truth,predicted\n1,sad,sad\n2,angry,sad\n3,angry,sad\n"
    )
    done = serval("score", "mine.csv", "--no-plots")
    assert "mine names the right emotion in 66.67" in done.stdout
    assert (tmp_path / "mine" / "results.json").exists()
    done = serval("compare", "mine.csv", "hard.csv")
    assert done.stdout.startswith("hard (B) may or may not be worse than mine (A): 33.33 % against")
    assert "\n3 common clips, " in done.stdout
    for file in ("mine/detailed_results.csv", "mine/predictions.parquet"):
        again = serval("score", file, "--no-plots", "-o", "again")
        assert "in 66.67" in again.stdout, again.stderr
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    done = serval("score", "odd.csv")
    assert done.stderr == (
        "serval: odd.csv has the columns a, b; predictions need truth, and predicted or prob_LABEL "
        "for each label\n"
    )

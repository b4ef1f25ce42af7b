"""`serval evaluate` as a user meets it: killed, interrupted, given bad input."""

import csv
import json
import re
import runpy
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from build import classifier, encoded, labels_metadata, speech_set, voice, write_manifest
from conftest import ROOT, process_environment
from serval.cli import COMMANDS, group
from serval.evaluation import evaluate_named
from serval.options import EvalOptions
from serval.run import JOURNAL, Journal, load_run

CLIPS = 120
PATIENT = """
import os
import time

import numpy as np


class Patient:
    labels = ["angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised"]
    sample_rate = 16_000

    def __call__(self, waveform):
        time.sleep(float(os.environ.get("PAUSE_S", "0")))
        return 10 * np.abs(np.fft.rfft(waveform[0, :400]))[1:9]
"""


@pytest.fixture(scope="module")
def slow_set(tmp_path_factory):
    """Enough clips that a process can be killed in the middle."""
    return speech_set(tmp_path_factory.mktemp("slow"), CLIPS, seconds=3, speakers=10)


@pytest.fixture(scope="module")
def patient_model(tmp_path_factory):
    """Told to rest, still in the middle when a busy machine lets the test go on; else quick."""
    file = tmp_path_factory.mktemp("patient") / "patient.py"
    file.write_text(PATIENT, encoding="utf-8")
    return f"python:{file}:Patient"


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory):
    """So slow that a process is still in the middle when a busy machine lets the test go on."""
    folder = tmp_path_factory.mktemp("slow")
    return classifier(folder / "slow.onnx", metadata=labels_metadata(), bands=2000)


def start(arguments, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "serval", "evaluate", *map(str, arguments)],
        cwd=cwd,
        env=process_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=hear_ctrl_c,
    )


def hear_ctrl_c():
    """A test that runs in the background of a shell hands a deaf ear down to its processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_for_records(journal, more_than, process):
    for _ in range(2000):
        if journal.exists() and journal.read_bytes().count(b"\n") > more_than:
            return
        if process.poll() is not None:
            return
        time.sleep(0.005)
    raise AssertionError(f"no more than {more_than} lines in {journal}")


def comparable(folder):
    """The results without timestamps, timings and paths."""
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for key in ("evaluation_time_seconds", "samples_per_second", "timestamp"):
        del document["metadata"][key]
    del document["speed"], document["options"]["output"]
    return document


def test_the_results_stand_in_the_folder_and_on_the_terminal(
    serval, model_file, manifest, tmp_path
):
    done = serval("evaluate", "-m", model_file, "-d", manifest, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "model contract: 8 labels [model metadata]" in done.stderr
    assert "12/12 clips" in done.stderr
    for part in (
        "emotion",
        "precision",
        "accuracy (WA)",
        "12 clips, 0 failed",
        "results.json",
        "Next:",
    ):
        assert part in done.stdout
    document = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert document["metadata"]["total_samples"] == 12
    assert not list((tmp_path / "out").glob(".*-*"))


def test_json_goes_to_stdout_alone(serval, model_file, manifest):
    done = serval("evaluate", "-m", model_file, "-d", manifest, "--json", "--no-plots")
    assert json.loads(done.stdout)["metadata"]["total_samples"] == 12


def test_quiet_is_quiet(serval, model_file, manifest):
    done = serval("evaluate", "-m", model_file, "-d", manifest, "-q", "--no-plots")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_three_times_the_run_ends_with_the_same_numbers(
    serval, patient_model, slow_set, tmp_path
):
    arguments = ["-m", patient_model, "-d", slow_set, "--workers", "1", "--no-plots"]
    assert serval("evaluate", *arguments, "-o", "whole").returncode == 0
    journal = tmp_path / "cut" / JOURNAL
    for kills in range(3):
        process = start([*arguments, "-o", "cut"], tmp_path, PAUSE_S=0.01)
        wait_for_records(journal, 10 + 15 * (kills + 1), process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "cut" / "results.json").exists()
    assert 50 < len(load_run(tmp_path / "cut")) < CLIPS
    assert serval("evaluate", *arguments, "-o", "cut").returncode == 0
    assert comparable(tmp_path / "cut") == comparable(tmp_path / "whole")
    assert len(journal.read_bytes().splitlines()) == CLIPS + 1 + 4 + 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "told to end"])
def test_a_stopped_run_keeps_the_journal_and_says_how_to_go_on(
    serval, patient_model, slow_set, tmp_path, sent
):
    arguments = ["-m", patient_model, "-d", slow_set, "-o", "out", "--workers", "1", "--no-plots"]
    process = start(arguments, tmp_path, PAUSE_S=0.01)
    wait_for_records(tmp_path / "out" / JOURNAL, 20, process)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "clips are kept in out: give the same command to go on" in said
    assert "Traceback" not in said
    assert serval("evaluate", *arguments).returncode == 0
    assert len(load_run(tmp_path / "out")) == CLIPS


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_told_to_stop_again_it_stops_at_once(serval, slow_model, slow_set, tmp_path):
    """Soon after the first time, and later, when it is gone on with."""
    arguments = ["-m", slow_model, "-d", slow_set, "-o", "out", "--no-plots"]
    for gap_s, more_than in ((0.02, 20), (0.1, 50)):
        process = start(arguments, tmp_path)
        wait_for_records(tmp_path / "out" / JOURNAL, more_than, process)
        for _ in range(4):
            process.send_signal(signal.SIGINT)
            time.sleep(gap_s)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "stopped" in said
        assert "Traceback" not in said
        assert "terminate" not in said
    assert serval("evaluate", *arguments).returncode == 0
    assert len(load_run(tmp_path / "out")) == CLIPS


def test_a_second_process_in_the_folder_is_refused(
    serval, serval_process, model_file, manifest, tmp_path
):
    arguments = ["-m", model_file, "-d", manifest, "-o", "out", "--no-plots"]
    assert serval("evaluate", *arguments).returncode == 0
    provenance = load_run(tmp_path / "out").provenance
    with Journal(folder=tmp_path / "out", provenance=provenance):
        second = serval_process("evaluate", *arguments)
        assert second.returncode == 2
        assert "out is in use by another serval process" in second.stderr
    assert serval("evaluate", *arguments).returncode == 0


def test_too_many_failures_end_with_3_after_writing_everything(serval, model_file, tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(voice()))
    (tmp_path / "b.wav").write_bytes(b"nonsense")
    rows = [{"path": f"{name}.wav", "label": "sad"} for name in "ab"]
    write_manifest(tmp_path / "set.csv", rows)
    done = serval("evaluate", "-m", model_file, "-d", "set.csv", "-o", "out")
    assert done.returncode == 3
    assert "1 of 2 clips failed" in done.stderr
    assert "b.wav" in done.stderr
    assert (tmp_path / "out" / "confusion_matrix.png").stat().st_size > 2_000


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-m", "gone.onnx"], "no model 'gone.onnx': neither a file nor built in"),
        (["-d", "gone.csv"], "gone.csv"),
        (["--limit", "-1"], "--limit"),
        (["--label-map", "nonsense"], "label map 'nonsense' is neither"),
        (["--labels", "a,b"], "8 outputs but 2 labels (a, b, from command line)"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_2(serval, model_file, manifest, arguments, line):
    done = serval("evaluate", "-m", model_file, "-d", manifest, *arguments)
    assert done.returncode == 2
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_odd_names_and_places_work(serval, serval_process, tmp_path):
    folder = tmp_path / "Größe & ünï 'q'"
    clips = speech_set(folder, 4, labels=("angry", "ärger"))
    labels = ("angry", "ärger")
    model = classifier(folder / "mödel.onnx", k=2, metadata=labels_metadata(labels))
    done = serval_process("evaluate", "-m", model, "-d", clips, "-o", folder / "öut", "--no-plots")
    assert done.returncode == 0, done.stderr
    done = serval("score", folder / "öut")
    assert done.returncode == 0, done.stderr
    assert (folder / "öut" / "confusion_matrix.png").exists()
    assert "ärger" in (folder / "öut" / "summary.md").read_text(encoding="utf-8")


def test_help_names_every_option_and_needs_no_heavy_import(serval):
    assert "--drop-unmapped" in serval("evaluate", "--help").stdout
    code = (
        "import sys, serval.cli; from click.testing import CliRunner; "
        "CliRunner().invoke(serval.cli.group, ['--help']); "
        "print([m for m in ('numpy', 'onnxruntime', 'rich', 'datasets', 'matplotlib') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=process_environment(),
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_is_plain_text(name):
    done = CliRunner().invoke(group, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "\\b" not in done.output


def test_python_dash_m_and_version(serval_process):
    assert "serval, version" in serval_process("--version").stdout
    assert "evaluate" in serval_process("--help").stdout


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        ((), "no model 'emotion_recognition_quantized.onnx' in .*; set MODEL_PATH in .*export"),
        (("-S",), "package '[a-z]+' is not installed; .*pip install -r requirements.txt"),
    ],
    ids=["no model", "no packages"],
)
def test_the_published_script_says_what_it_lacks_in_one_line(tmp_path, flags, remedy):
    done = subprocess.run(
        [sys.executable, *flags, ROOT / "evaluation_emotion.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=process_environment(HF_HUB_OFFLINE=1, HF_HOME=tmp_path / "hf"),
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(f"evaluation_emotion.py: {remedy}.*\n", done.stderr)


@pytest.mark.parametrize("dev", [False, True])
def test_the_published_script_evaluates_ssi_as_it_is_set(tmp_path, monkeypatch, dev):
    text = (ROOT / "evaluation_emotion.py").read_text(encoding="utf-8")
    script = tmp_path / "evaluation_emotion.py"
    text = text.replace("DEV_MODE = False", f"DEV_MODE = {dev}")
    script.write_text(text.replace("emotion_recognition_quantized.onnx", "serval-tiny"))
    asked = []
    monkeypatch.setattr("serval.commands.evaluate.run_evaluation", lambda o: asked.append(o) or 0)
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(script), run_name="__main__")
    assert done.value.code == 0
    (options,) = asked
    assert (options.dataset, options.split, options.output) == (
        "ssi", "validation", "./evaluation_results"
    )  # fmt: skip
    assert (options.limit, options.dev_mode) == ((50, True) if dev else (None, False))


def test_predict_prints_each_file(serval, model_file, tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(voice(1)))
    (tmp_path / "b.flac").write_bytes(encoded(voice(2), form="FLAC"))
    table = serval("predict", "-m", model_file, "a.wav", "b.flac", COLUMNS=200)
    assert table.returncode == 0
    assert "a.wav" in table.stdout
    rows = json.loads(serval("predict", "-m", model_file, "--json", "a.wav", "b.flac").stdout)
    assert [row["file"] for row in rows] == ["a.wav", "b.flac"]
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    text = serval("predict", "-m", model_file, "--csv", "a.wav", "gone.wav")
    assert text.returncode == 3
    assert "gone.wav: read: cannot read" in text.stderr
    assert text.stdout.splitlines()[0].startswith("file,emotion,confidence,duration_s,angry")
    assert len(text.stdout.splitlines()) == 3


def test_no_spreadsheet_runs_a_prediction(serval, tmp_path):
    labels = ("=1+1", "@SUM(A1)")
    model = classifier(tmp_path / "m.onnx", k=2, metadata=labels_metadata(labels))
    (tmp_path / "-a.wav").write_bytes(encoded(voice()))
    done = serval("predict", "-m", model, "--csv", "--", "-a.wav")
    rows = list(csv.reader(done.stdout.splitlines()))
    assert [row[0] for row in rows] == ["file", "'-a.wav"]
    assert rows[0][4:6] == ["'=1+1", "'@SUM(A1)"]
    assert rows[1][1] in rows[0][4:6]


def test_what_is_built_in_is_listed_whole_on_a_narrow_terminal_too(serval):
    for columns in (80, 200):
        shown = serval("datasets", COLUMNS=columns).stdout
        assert "demo" in shown
        assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert "serval-tiny" in serval("models", COLUMNS=80).stdout


MARKUP = ("[/red]", "[bold]x", ":smile:")


@pytest.fixture
def marked_up(tmp_path):
    """Two runs whose labels, models and sets are named like markup."""
    clips = speech_set(tmp_path / "[/b]", 12, labels=MARKUP)
    for seed in (0, 1):
        path = tmp_path / f"[red]{seed}.onnx"
        classifier(path, k=3, metadata=labels_metadata(MARKUP), seed=seed)
        evaluate_named(
            EvalOptions(
                model=str(path), dataset=str(clips), output=f"{tmp_path}/{seed}", plots=False
            )
        )
    return tmp_path


def test_names_that_look_like_markup_are_printed_as_they_are(marked_up, serval):
    model, clips = marked_up / "[red]0.onnx", marked_up / "[/b]" / "set.csv"
    for arguments in (
        ("score", "0"),
        ("evaluate", "-m", model, "-d", clips, "-o", "0", "--no-plots"),
        ("compare", "0", "1"),
        ("gate", "0", "--min", "recall:[/red]=0"),
        ("predict", "-m", model, marked_up / "[/b]" / "clip0000.wav"),
        ("inspect", model),
        ("audit", clips),
    ):
        done = serval(*arguments, COLUMNS=200)
        assert done.returncode == 0, done.stderr
        named = "[red]0" if arguments[0] == "inspect" else "[/red]"
        assert named in done.stdout, arguments


def test_a_folder_that_cannot_be_written_is_one_line(serval, model_file, manifest, tmp_path):
    (tmp_path / "taken").write_text("mine")
    done = serval("evaluate", "-m", model_file, "-d", manifest, "-o", "taken")
    assert done.returncode == 2
    assert re.search("cannot write taken: .+; choose another place", done.stderr)
    assert "Traceback" not in done.stderr
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_full_disk_is_one_line_and_the_journal_goes_on(serval, model_file, slow_set, tmp_path):
    arguments = ["evaluate", "-m", str(model_file), "-d", str(slow_set), "-o", "out", "-q"]
    arguments.append("--no-plots")
    done = subprocess.run(
        [
            "bash",
            "-c",
            'ulimit -f 16; exec "$@"',
            "bash",
            sys.executable,
            "-m",
            "serval",
            *arguments,
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=process_environment(PYTHONDONTWRITEBYTECODE=1),
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "journal.jsonl: File too large; choose another place, or make room" in done.stderr
    assert 5 < len(load_run(tmp_path / "out")) < CLIPS
    assert serval(*arguments).returncode == 0
    assert len(load_run(tmp_path / "out")) == CLIPS

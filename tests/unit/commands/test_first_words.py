"""What stands alone or first when something is wrong: the error, with the name that was meant."""

import pytest

from build import classifier, encoded, labels_metadata, speech_set, voice
from runs import run_of


@pytest.fixture
def model(tmp_path):
    return classifier(tmp_path / "model.onnx", metadata=labels_metadata())


def test_an_error_of_the_set_stands_alone(serval, model, tmp_path):
    speech_set(tmp_path, 3, labels=("furious",), name="set.csv")
    done = serval("evaluate", "-m", model, "-d", "set.csv", "-o", "out")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "furious" in done.stderr
    speech_set(tmp_path, 3, labels=("angry",), name="set.csv")
    done = serval("evaluate", "-m", model, "-d", "set.csv", "-o", "out", "--no-plots")
    assert done.stderr.startswith("model contract: ")
    assert "- All clips are angry: UAR is the recall of that one emotion" in done.stdout
    assert "No scored clip: " in done.stdout
    done = serval("evaluate", "-m", model, "-d", "set.csv", "-o", "out", "--limit", 2)
    assert "out holds another run: limit was not given and is now 2; choose" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("-m", "serval-tinny"), "serval-tiny"),
        (("-m", "modl.onnx"), "model.onnx"),
        (("-m", "model.onnx", "-d", "ravdes:/x"), "RAVDESS"),
        (("-m", "model.onnx", "-d", "dmo"), "demo"),
        (("-m", "model.onnx", "-d", "stt.csv"), "set.csv"),
    ],
)
def test_a_name_that_is_misspelt_is_told_with_its_like(serval, model, tmp_path, arguments, meant):
    (tmp_path / "set.csv").write_text("path,label\n", encoding="utf-8")
    done = serval("evaluate", *arguments)
    assert done.returncode == 2
    assert done.stderr.endswith(f"; did you mean '{meant}'?\n")


def test_a_file_that_cannot_be_predicted_is_told_with_a_remedy(serval, model, tmp_path):
    whole = encoded(voice(0))
    (tmp_path / "clip.wav").write_bytes(whole)
    (tmp_path / "cut.wav").write_bytes(whole[:300])
    (tmp_path / "empty.wav").write_bytes(b"")
    done = serval("predict", "-m", model, "clp.wav", "cut.wav", "empty.wav", "far/none.wav")
    assert done.returncode == 3
    *_, missing, cut, empty, far = done.stderr.splitlines()
    assert missing.endswith("; did you mean 'clip.wav'?")
    assert cut.endswith("; fetch or record it again, or convert it: ffmpeg -i FILE new.wav")
    assert empty.endswith("; fetch or record it again")
    assert far.endswith("; name a file that is there")


def test_runs_under_perturbations_are_not_listed_as_runs(serval, model, tmp_path):
    speech_set(tmp_path, 3, labels=("angry",), name="set.csv")
    common = ("-m", model, "-d", "set.csv")
    done = serval("stress", *common, "--suite", "gain_plus1db", "-o", "stress", "-q")
    assert done.returncode == 0, done.stderr
    shown = serval("runs", ".").stdout
    assert shown.startswith("1 run below .")
    assert "stress/clean" in shown
    assert "Not listed: 1 run under perturbations" in shown
    assert serval("runs", "stress/gain_plus1db").stdout.startswith("Not listed: 1 run under")


@pytest.mark.parametrize(("flags", "said"), [((), "command to"), (("--fresh",), "without --fresh")])
def test_a_stopped_run_says_what_goes_on(serval, model, tmp_path, monkeypatch, flags, said):
    speech_set(tmp_path, 3, labels=("angry",), name="set.csv")

    def stopped(model, dataset, options, watch):
        run_of(tmp_path / "out", [0], [0], end=False)
        raise KeyboardInterrupt

    monkeypatch.setattr("serval.commands.evaluate.evaluate", stopped)
    done = serval("evaluate", "-m", model, "-d", "set.csv", "-o", tmp_path / "out", "-q", *flags)
    assert done.returncode == 130
    assert f"give the same {'command ' * bool(flags)}{said}" in done.stderr


def test_a_run_without_a_prediction_is_listed(serval, tmp_path):
    run_of(tmp_path / "empty", [], [], failures=2)
    shown = serval("runs", ".", COLUMNS="120")
    assert (shown.returncode, shown.stdout.splitlines()[3].split()[:5]) == (
        0,
        ["empty", "empty", "empty", "d", "0"],
    )


def test_hidden_files_of_a_folder_are_left_out_in_one_line(serval, model, tmp_path):
    for name in ("calls/a.wav", "calls/._a.wav", "calls/.old/b.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encoded(voice(0)))
    done = serval("predict", "-m", model, "calls")
    assert done.returncode == 0
    assert "serval: calls: left out 2 hidden files, such as ._a.wav" in done.stderr.splitlines()
    assert "calls/a.wav" in done.stdout
    assert ".old" not in done.stdout


def test_of_a_web_address_it_is_said_once_what_to_do(serval, model):
    done = serval("predict", "-m", model, "https://example.org/a.wav")
    assert done.stderr.strip().endswith("download the file, and write its path")


def test_who_evaluates_an_own_model_on_an_own_set_is_not_told_to(serval, model, tmp_path):
    speech_set(tmp_path, 3, name="set.csv")
    words = "serval evaluate -m model.onnx -d my_clips.csv -o mine"
    for given, is_told in ((("-d", "set.csv"), False), (("-d", "demo", "--limit", "3"), True)):
        done = serval("evaluate", "-m", model, *given, "-o", f"out{is_told}", "--no-plots")
        assert "serval report" in done.stdout
        assert (words in done.stdout) == is_told


def test_an_entry_of_the_label_map_that_fits_no_label_is_a_warning(serval, model, tmp_path):
    speech_set(tmp_path, 3, labels=("calm", "sad"), name="set.csv")
    done = serval("evaluate", "-m", model, "-d", "set.csv", "-o", "out", "--no-plots",
                  "--label-map", "clam=neutral,sad=angry")  # fmt: skip
    said = "--label-map clam=neutral does nothing: no clip is labelled 'clam'; did you mean 'calm'?"
    assert said in " ".join(done.stdout.split())
    assert "--label-map sad" not in done.stdout

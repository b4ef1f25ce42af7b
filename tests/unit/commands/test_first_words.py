"""What stands alone or first when something is wrong: the error, with the name that was meant."""

import pytest

from build import classifier, encoded, labels_metadata, speech_set, voice


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

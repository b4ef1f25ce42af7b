import json
import re

import pytest

from build import classifier, labels_metadata
from graphs import classifier_graph, node


def test_inspect_prints_a_table_and_verdicts(serval, model_file):
    done = serval("inspect", model_file, COLUMNS=120)
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("GMAC per second of audio", "fp32 100.0 %", "angry, calm", "No attention mask"):
        assert said in done.stdout


def test_two_files_stand_side_by_side(serval, model_file, tmp_path):
    other = classifier(tmp_path / "other.onnx", k=12, metadata=labels_metadata())
    done = serval("inspect", model_file, other)
    assert done.returncode == 0
    assert "not a reduction by quantization" in " ".join(done.stdout.split())


def test_the_json_holds_both_files_and_the_comparison(serval, model_file, tmp_path):
    other = classifier(tmp_path / "other.onnx", seed=1, metadata=labels_metadata())
    document = json.loads(serval("inspect", model_file, other, "--json").stdout)
    assert [model["parameters"] for model in document["models"]] == [4904, 4904]
    assert document["comparison"]["parameter_ratio"] == 1


@pytest.mark.parametrize("command", ["inspect", "evaluate"])
@pytest.mark.parametrize("content", [b"", b"RIFF, not a graph" * 9], ids=["empty", "damaged"])
def test_a_broken_file_is_one_line(serval, tmp_path, command, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    option = [] if command == "inspect" else ["-m"]
    done = serval(command, *option, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("serval: ")


def test_inspect_says_whether_a_file_runs_in_a_browser(serval, model_file):
    done = serval("inspect", model_file)
    assert re.search(r"in a browser +runs in ONNX Runtime Web [\d.]+; 0\.0 MB to load", done.stdout)
    later = classifier_graph(model_file.with_name("later.onnx"), opset=26, ir=13)
    done = serval("inspect", later)
    assert re.search(r"in a browser +does not run there, see below", done.stdout)
    assert "not for a browser: it is of opset 26" in " ".join(done.stdout.lower().split())


def test_inspect_says_what_a_phone_takes(serval, model_file):
    said = " ".join(serval("inspect", model_file, COLUMNS=200).stdout.split())
    assert "on a phone runs in the full package of ONNX Runtime; XNNPACK takes" in said


def test_a_file_that_cannot_be_opened_is_not_said_to_run_anywhere(serval, tmp_path):
    classifier_graph(tmp_path / "own.onnx", after=[node("Mine", "scores", "logits")])
    said = " ".join(serval("inspect", "own.onnx", COLUMNS=200).stdout.split())
    closed = "does not run: ONNX Runtime cannot open it here either"
    assert f"in a browser {closed} on a phone {closed}" in said

"""What `serval init` writes is run here: manifest, bounds and the commands of the CI file."""

import shlex

import pytest
import yaml

from build import classifier, encoded, voice
from serval.commands.init import GATE, MANIFEST, WORKFLOW
from serval.labels import EMOTIONS


@pytest.mark.usefixtures("empty_pictures")
def test_the_starter_files_evaluate_and_gate_a_folder_of_audio(serval, tmp_path):
    for i, emotion in enumerate(EMOTIONS[:3]):
        place = tmp_path / "audio" / emotion
        place.mkdir(parents=True)
        (place / f"a,{i}.wav").write_bytes(encoded(voice(i, 0.4)))
    (place / "._a,2.wav").write_bytes(b"of macOS")
    done = serval("init")
    assert done.returncode == 0, done.stderr
    *wrote, command = done.stdout.splitlines()
    assert [line.split()[0] for line in wrote] == ["wrote"] * 3 + ["Next:"]
    assert command == "  serval evaluate -d clips.csv -o run", "a line that can be copied"
    first = (tmp_path / MANIFEST).read_text(encoding="utf-8").splitlines()
    assert first[:2] == ["path,emotion,speaker", f'"audio/{EMOTIONS[0]}/a,0.wav",{EMOTIONS[0]},']
    assert len(first) == 4
    classifier(tmp_path / "model.onnx")
    bounds = (tmp_path / GATE).read_text(encoding="utf-8")
    (tmp_path / GATE).write_text(bounds.replace("uar = 0.5 ", "uar = 0.0 "), encoding="utf-8")
    commands = _commands(tmp_path / WORKFLOW)
    assert [words[1] for words in commands] == ["evaluate", "gate"]
    for words in commands:
        own = ["model.onnx" if word == "serval-tiny" else word for word in words[1:]]
        done = serval(*own)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "gate.xml").is_file()
    assert "min uar" in done.stdout
    assert "max failures" in done.stdout


def _commands(workflow):
    steps = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]["evaluate"]["steps"]
    said = [step["run"] for step in steps if "run" in step]
    return [shlex.split(line) for line in said if line.startswith("serval ")]


def test_an_empty_folder_gets_rows_to_follow_and_no_file_is_overwritten(serval, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / GATE).write_text("mine", encoding="utf-8")
    done = serval("init", "new")
    assert "kept   new/gate.toml: it is there already" in done.stdout.replace("\\", "/")
    assert (tmp_path / "new" / GATE).read_text(encoding="utf-8") == "mine"
    assert "audio/first.wav,happy," in (tmp_path / "new" / MANIFEST).read_text(encoding="utf-8")

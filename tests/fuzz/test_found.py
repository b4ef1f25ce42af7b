"""Faults that were found by fuzzing or by hand, each as the smallest file that showed it."""

import json
import sys
from pathlib import Path

import onnx
import pytest

from fuzz.forked import forked
from fuzz.inputs import EVALUATE, Case, world
from fuzz.mutations import BIDI, ESC, YAML_MARKS, raw
from fuzz.verdict import fault_of, write

pytestmark = [
    pytest.mark.xdist_group("fuzz"),
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and bounds the memory of the child"),
]


def said(folder, arguments, files):
    """Exit code and standard error of a command on these files."""
    write(Case(kind="", arguments=arguments, files=files), folder)
    seen = forked(arguments, folder)
    assert seen.done is not None, seen.death
    return seen.done.returncode, seen.done.stderr


def plan(value):
    text = json.dumps({"models": ["model.onnx"], "datasets": ["clips/set.csv"], "x": value})
    return {"plan.yaml": raw(text, YAML_MARKS)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("@deep@", "nested too deep"),
        ("@deepmap@", "nested too deep"),
        ("@bomb@", "its aliases repeat too much"),
        ("@loop@", "its aliases repeat too much"),
        ("@digits@", "Exceeds the limit"),
        ("@date@", "month must be in 1..12"),
        ("@complexkey@", "unhashable key"),
    ],
)
def test_a_plan_whose_yaml_is_hostile_is_one_line(tmp_path, value, reason):
    code, line = said(tmp_path, ("sweep", "plan.yaml"), plan(value))
    assert (code, line.count("\n")) == (2, 1)
    assert line.startswith("serval: plan plan.yaml cannot be read as YAML: ")
    assert reason in line


@pytest.mark.parametrize("text", ["!!timestamp x", "!!int ''", "!!float ''", "!!bool x"])
def test_yaml_that_is_not_of_the_type_it_names_is_one_line(tmp_path, text):
    files = {"plan.yaml": f"models: [model.onnx]\ndatasets: [d]\nx: {text}\n".encode()}
    code, line = said(tmp_path, ("sweep", "plan.yaml"), files)
    assert (code, line.count("\n")) == (2, 1)
    assert "cannot be read as YAML" in line


def test_bombs_under_a_scalar_key_end_at_once(tmp_path):
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n".encode()
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    files = {"plan.yaml": bomb + b"models: [*i]\ndatasets: [d]\noutput: *i\n"}
    code, line = said(tmp_path, ("sweep", "plan.yaml"), files)
    assert code == 2
    assert "its aliases repeat too much" in line


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("min.x = " + "[" * 20_000, "nested too deep"),
        ("min.x = " + "9" * 5_000, "Exceeds the limit"),
        ("min.x = 0x" + "f" * 5_000, "more than 30 digits"),
        ("baseline = 0x" + "f" * 5_000, "more than 30 digits"),
        (".".join(["a"] * 2_000) + " = 1", "nested too deep"),
        ("min = 1", "must be a table"),
        ("baseline = [1]", "must be text, not [1]"),
        ("[min]\naccuracy = nan", "is nan, not a number"),
    ],
)
def test_a_hostile_gate_file_is_one_line(tmp_path, text, reason):
    code, line = said(tmp_path, ("gate", "run"), {"gate.toml": text.encode()})
    assert (code, line.count("\n")) == (2, 1)
    assert reason in line


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("[" * 20_000, "a", "nested too deep"),
        ('{"a": ' + "9" * 5_000 + "}", "a", "Exceeds the limit"),
        ('{"a": 1' + "0" * 400 + "}", "a", "more than 30 digits"),
        ('{"a": [1]}', "a.\u00b2", "no number"),
        ('{"a": [1]}', "a." + "9" * 5_000, "no number"),
    ],
)
def test_a_hostile_bench_file_is_one_line(tmp_path, text, key, reason):
    arguments = ("gate", "run", "--max", f"bench.{key}=3", "--bench", "odd.json")
    code, line = said(tmp_path, arguments, {"odd.json": text.encode()})
    assert (code, line.count("\n")) == (2, 1)
    assert reason in line


def test_settings_are_read_from_regular_files_only(tmp_path):
    for arguments in (("gate", "run", "-f", "/dev/zero"),
                      ("gate", "run", "--max", "bench.a=1", "--bench", "/dev/zero")):  # fmt: skip
        code, line = said(tmp_path, arguments, {})
        assert code == 2
        assert "it is a folder, a device or a pipe" in line


@pytest.mark.parametrize("name", [b"Conv", b"input_values", b"labels"])
@pytest.mark.parametrize("verb", ["inspect", "predict", "evaluate"])
def test_a_model_with_a_name_that_is_not_utf8_is_one_line(tmp_path, name, verb):
    content = world()["model.onnx"].replace(name, b"\xff" * len(name))
    arguments = {"inspect": ("inspect", "model.onnx"),
                 "predict": ("predict", "-m", "model.onnx", "clips/clip0000.wav"),
                 "evaluate": (*EVALUATE, "-d", "clips/set.csv", "-o", "out")}[verb]  # fmt: skip
    code, line = said(tmp_path, arguments, {"model.onnx": content})
    assert (code, line.count("\n")) == (2, 1), line


def test_a_model_that_promises_a_billion_labels_is_no_classifier(tmp_path):
    model = onnx.load_from_string(world()["model.onnx"])
    kind = model.graph.output[0].type.tensor_type
    kind.elem_type = 0
    kind.shape.dim.add().dim_value = 10**9
    content = model.SerializeToString()
    write(Case(kind="", arguments=(), files={"model.onnx": content}), tmp_path)
    seen = forked(("inspect", "model.onnx"), tmp_path)
    assert "Not a raw-waveform classifier" in seen.done.stdout
    assert seen.peak_mb < 500


@pytest.mark.parametrize("flag", ["--limit", "--sample"])
def test_more_clips_than_there_can_be_are_refused(tmp_path, flag):
    code, line = said(tmp_path, (*EVALUATE, "-d", "clips/set.csv", "-o", "o", flag, "9" * 30), {})
    assert (code, line.count("\n")) == (2, 1)
    assert "is more clips than any set has" in line


@pytest.mark.parametrize("harm", [ESC, BIDI, "\x9b2J", "\u2028"])
@pytest.mark.parametrize("where", ["path", "label", "speaker", "gender", "column"])
def test_no_text_of_a_set_is_obeyed_by_what_shows_it(harm, where):
    rows = [
        {"path": f"clip000{i}.wav", "label": label, "speaker": "s", "gender": "F"}
        for i, label in enumerate(("angry", "happy", "sad"))
    ]
    for row in rows[:2]:
        row[harm if where == "column" else where] = harm
    content = "\n".join(map(json.dumps, rows)).encode()
    arguments = (
        *(part for part in EVALUATE if part != "--quiet"),
        "-d",
        "clips/set.jsonl",
        "-o",
        "o",
    )
    files = {"clips/set.jsonl": content, f"clips/{harm}": b"RIFF"}
    assert fault_of(Case(kind="", arguments=arguments, files=files)) == ""


@pytest.mark.parametrize("harm", [ESC, BIDI])
def test_no_name_of_a_cell_or_of_a_file_is_obeyed(harm):
    tree = {"models": [{"model": "model.onnx", "name": harm}, harm], "datasets": ["clips/set.csv"]}
    files = {"plan.yaml": json.dumps(tree).encode(), harm: b"RIFF"}
    for arguments in (("sweep", "plan.yaml"), ("predict", "-m", "model.onnx", harm),
                      ("inspect", harm), ("predict", f"{harm}x"), ("score", harm)):  # fmt: skip
        assert fault_of(Case(kind="", arguments=arguments, files=files)) == ""


def test_a_plan_that_writes_elsewhere_says_where(tmp_path, empty_pictures):
    inside, plans = tmp_path / "plans", {"models": ["model.onnx"], "datasets": ["../clips/set.csv"]}
    inside.mkdir()
    (inside / "in.yaml").write_text(json.dumps(plans), encoding="utf-8")
    (inside / "out.yaml").write_text(json.dumps(plans | {"output": "../there"}), encoding="utf-8")
    bare = ("-q", "--no-reports")
    _, line = said(tmp_path, ("sweep", "plans/out.yaml", *bare), {})
    assert f"plans/out.yaml writes outside of its own folder: to {tmp_path / 'there'}" in line
    assert "writes outside" not in said(tmp_path, ("sweep", "plans/in.yaml", *bare), {})[1]
    assert Path(tmp_path / "there" / "sweep.md").is_file()

"""The files of a comparison on other runtimes."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from onnxruntime.quantization import quantize_dynamic

from serval.bench.subjects import other_runtimes
from serval.errors import ConfigError, ModelError
from serval.labels import LabelSet
from serval.models.contract import Overrides
from serval.quantize import QuantizeOptions, variants
from serval.quantize.choice import best_of, marked
from serval.quantize.clips import Clips
from serval.quantize.judged import by_accuracy


def test_every_file_that_another_runtime_opens_runs_on_it_too(monkeypatch):
    stated, told = Overrides(sample_rate=8_000), []

    def opened(path, overrides, runtime):
        if path == "static.onnx":
            raise ModelError("no operator QGemm")
        return (path, overrides, runtime)

    monkeypatch.setattr(variants, "load_model", opened)
    files = {name: SimpleNamespace(path=f"{name}.onnx") for name in ("fp32", "static")}
    found = dict(variants._elsewhere(files, ["openvino"], stated, told.append))
    assert found == {"fp32 on openvino": ("fp32.onnx", stated, "openvino")}
    assert told == ["left out, openvino does not run static: no operator QGemm"]


@pytest.mark.parametrize("way", ["m.variants", "sub/../m.variants", "link"])
def test_a_model_that_lies_where_variants_are_put_is_not_removed(tmp_path, way):
    for folder in ("m.variants", "sub"):
        (tmp_path / folder).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "m.variants")
    model = tmp_path / way / "m.fp32.onnx"
    model.write_bytes(b"precious")
    options = QuantizeOptions(method="dynamic", evaluation="demo")
    with pytest.raises(ConfigError, match=r"lies in .*, whose files --compare-all replaces; move"):
        variants.compare_all(str(model), tmp_path / "m.onnx", options)
    assert model.read_bytes() == b"precious"


def test_the_file_to_take_is_chosen_by_what_onnx_runtime_makes_of_it():
    def variant(name, speed, runtime="onnxruntime"):
        judged = SimpleNamespace(verdict=lambda: "not worse", b=0.8)
        ratio = SimpleNamespace(median=speed, told_apart=speed != 1)
        return SimpleNamespace(
            name=name,
            runtime=runtime,
            judged=judged,
            against_fp32=ratio,
            size_bytes=1,
            pareto=True,
            refused="",
        )

    told = [variant("fp32", 1), variant("static", 2), variant("static on openvino", 3, "openvino")]
    assert best_of(told) == "static"


def test_a_file_that_the_target_refuses_leaves_the_choice_and_the_front(tmp_path, network):
    usual = tmp_path / "usual.onnx"
    quantize_dynamic(network, usual)
    files = {name: SimpleNamespace(path=path) for name, path in
             (("fp32", network), ("default dynamic", usual), ("static", network))}  # fmt: skip
    told = []
    refused = variants._refused(files, "web", told.append)
    assert list(refused) == ["default dynamic"]
    assert refused["default dynamic"].startswith("has ConvInteger with signed weights")
    (line,) = told
    assert line.startswith("left out of the choice, default dynamic does not run on --target web")
    assert variants._refused(files, "server", told.append) == {}
    del files["static"]
    with pytest.raises(ModelError, match="--target web: no file that was made runs there"):
        variants._refused(files, "web", told.append)


def test_what_an_earlier_command_left_beside_the_file_goes_with_it(tmp_path):
    output, folder = tmp_path / "m.onnx", tmp_path / "m.variants"
    folder.mkdir()
    for name in ("m.int4.onnx", "m.static.onnx", "m.static.onnx.data", "mine.onnx", "note.txt"):
        (folder / name).write_text("old", "utf-8")
    for name in ("quantization.json", "quantization.svg", "../m.tried.json", "../n.tried.json"):
        (folder / name).write_text("old", "utf-8")
    variants.remove_stale(output)
    assert {path.name for path in tmp_path.iterdir()} == {"m.variants", "n.tried.json"}
    makers = {"int4": lambda path: path.write_text("new", "utf-8")}
    variants._made(makers, output, lambda _line: None)
    assert {path.name for path in folder.iterdir()} == {"m.int4.onnx", "mine.onnx", "note.txt"}


def test_only_runtimes_for_model_files_are_taken():
    assert other_runtimes(["openvino", "openvino"]) == ("openvino",)
    for name in ("onnxruntime", "torch", "python", "tpu"):
        with pytest.raises(ConfigError, match=f"unknown --runtime '{name}'; known: openvino"):
            other_runtimes([name])


def test_another_runtime_takes_no_file_off_the_front(monkeypatch):
    @dataclass(frozen=True)
    class Each:
        name: str
        runtime: str
        size_bytes: int
        pareto: bool = False
        refused: str = ""
        judged: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(b=1 / 3))

    told = [
        Each("fp32", "onnxruntime", 4),
        Each("static", "onnxruntime", 1),
        Each("static on openvino", "openvino", 1),
    ]
    seconds = {"fp32": [3.0] * 5, "static": [2.0] * 5, "static on openvino": [1.0] * 5}
    times = {name: np.array(each) for name, each in seconds.items()}
    same = dict.fromkeys(times, np.float32([[1, 0], [0, 1], [1, 0]]))
    clips = Clips(
        name="s",
        waveforms=(),
        reference=same["fp32"],
        labels=LabelSet(["angry", "sad"]),
        truth=np.array([0, 0, 0]),
        judge=by_accuracy,
        speakers=("a", "b", "c"),
    )
    assert [each.pareto for each in marked(told, times, clips, same)] == [False, True, True]
    told[1] = Each("static", "onnxruntime", 1, refused="has ConvInteger")
    assert [each.pareto for each in marked(told, times, clips, same)] == [True, False, True]

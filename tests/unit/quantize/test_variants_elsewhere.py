"""The files of a comparison on other runtimes."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from serval.bench.subjects import other_runtimes
from serval.errors import ConfigError, ModelError
from serval.models.contract import Overrides
from serval.quantize import variants
from serval.quantize.variants import best_of


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


def test_the_file_to_take_is_chosen_by_what_onnx_runtime_makes_of_it():
    def variant(name, speed, runtime="onnxruntime"):
        measured = SimpleNamespace(verdict=lambda _drop: "not worse", accuracy=0.8)
        ratio = SimpleNamespace(median=speed, told_apart=speed != 1)
        return SimpleNamespace(
            name=name,
            runtime=runtime,
            measured=measured,
            against_fp32=ratio,
            size_bytes=1,
            pareto=True,
        )

    told = [variant("fp32", 1), variant("static", 2), variant("static on openvino", 3, "openvino")]
    assert best_of(told) == "static"


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

    told = [
        Each("fp32", "onnxruntime", 4),
        Each("static", "onnxruntime", 1),
        Each("static on openvino", "openvino", 1),
    ]
    seconds = {"fp32": [3.0] * 5, "static": [2.0] * 5, "static on openvino": [1.0] * 5}
    times = {name: np.array(each) for name, each in seconds.items()}
    same = dict.fromkeys(times, np.array([True, False, True]))
    marked = variants._marked(told, times, same, ["a", "b", "c"])
    assert [each.pareto for each in marked] == [False, True, True]

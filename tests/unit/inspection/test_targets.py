import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from build import classifier, labels_metadata
from graphs import classifier_graph, node
from serval.inspection import inspect_model, stored_graph, web_faults
from serval.models.load import BUILTIN_MODELS


def faults(path):
    return web_faults(stored_graph(path))


@pytest.fixture
def fp32(tmp_path):
    return classifier(tmp_path / "fp32.onnx", metadata=labels_metadata())


def test_the_built_in_model_and_a_plain_one_run_there(fp32):
    assert faults(BUILTIN_MODELS[0].path) == faults(fp32) == ()


@pytest.mark.filterwarnings("ignore")
def test_a_default_dynamic_file_does_not_and_the_command_that_makes_one_is_told(fp32, tmp_path):
    quantize_dynamic(fp32, tmp_path / "dynamic.onnx", weight_type=QuantType.QInt8)
    (fault,) = faults(tmp_path / "dynamic.onnx")
    assert "ConvInteger with signed weights" in fault
    assert "serval quantize FP32_FILE -o NEW_FILE --target web" in fault
    seen = inspect_model(tmp_path / "dynamic.onnx")
    (told,) = [verdict.text for verdict in seen.verdicts if verdict.code == "not-web"]
    assert told == f"not for a browser: it {fault}"
    assert seen.document["web_faults"] == [fault]


@pytest.mark.filterwarnings("ignore")
def test_unsigned_weights_run_there(fp32, tmp_path):
    quantize_dynamic(fp32, tmp_path / "unsigned.onnx", weight_type=QuantType.QUInt8)
    assert "ConvInteger" in stored_graph(tmp_path / "unsigned.onnx").ops
    assert faults(tmp_path / "unsigned.onnx") == ()


def test_a_later_opset_is_told(tmp_path):
    path = classifier_graph(tmp_path / "later.onnx", opset=26, ir=13)
    assert faults(path) == ("is of opset 26, and browsers take up to 25; export it so",)


def test_operators_that_browsers_lack_are_named(tmp_path):
    path = classifier_graph(
        tmp_path / "odd.onnx", after=[node("LpNormalization", "scores", "logits")], opset=22
    )
    assert faults(path)[0].startswith("has operators that browsers lack: LpNormalization;")


def test_weights_in_a_second_file_are_told(fp32):
    model = onnx.load(fp32)
    onnx.save(model, fp32, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert faults(fp32)[0].startswith("has its weights in a second file (w.bin); save it as one")


def test_half_precision_is_told_where_browsers_cannot_feed_or_hold_it(tmp_path):
    path = classifier_graph(
        tmp_path / "half.onnx",
        before=[
            node("Cast", "input_values", "wide", to=TensorProto.FLOAT),
            node("Unsqueeze", "wide one", "wave"),
        ],
    )
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    brain = helper.make_tensor("brain", TensorProto.BFLOAT16, [1], [1.0])
    model.graph.initializer.append(brain)
    onnx.save(model, path)
    assert [fault.partition(",")[0].partition(";")[0] for fault in faults(path)] == [
        "has weights in bfloat16",
        "wants its waveform in 16 bits",
    ]


def test_a_file_that_no_phone_can_open_is_told(fp32, monkeypatch):
    monkeypatch.setattr("serval.inspection.verdicts.LARGEST_MB", 0.001)
    assert faults(fp32)[0].endswith("over 0.001 MB; quantize it first")

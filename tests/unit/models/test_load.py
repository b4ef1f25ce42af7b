"""From names to models, and what is said of files that are none."""

import json
import os

import onnx
import pytest
from onnx import TensorProto, helper

from build import classifier, labels_metadata
from graphs import classifier_graph, node
from serval.errors import ConfigError, ModelError
from serval.inspection import inspect_model
from serval.models.graph import external_names, parsed, read_skeleton
from serval.models.hub import hub_model
from serval.models.load import load_model, model_path
from serval.models.onnx import load_onnx, ort_reason, providers

DEEP = "[" * 200_000


def refusal(call, *arguments):
    with pytest.raises(ModelError) as raised:
        call(*arguments)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1_500
    return str(raised.value)


def test_a_folder_with_models_names_them(tmp_path):
    assert "folder without an .onnx file" in refusal(model_path, str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    said = refusal(model_path, str(tmp_path))
    assert "folder with a config.json but without weights" in said
    classifier(tmp_path / "a.onnx")
    (tmp_path / "onnx").mkdir()
    classifier(tmp_path / "onnx" / "b.onnx")
    said = refusal(model_path, str(tmp_path))
    assert f"-m {tmp_path / 'a.onnx'}, -m {tmp_path / 'onnx' / 'b.onnx'}" in said


def test_what_can_be_no_name_is_one_line():
    for name in ("x" * 5_000, "a\0b", "", "hf\0"):
        assert "built in" in refusal(model_path, name) or name == ""


def test_an_unknown_runtime_is_named(model_file):
    with pytest.raises(ConfigError, match="unknown runtime 'tpu'; known: onnxruntime, openvino"):
        load_model(str(model_file), runtime="tpu")


@pytest.mark.parametrize(
    "name",
    ["hf:a/b/../../x.onnx", "hf:a/b//x.onnx", "hf:a/b/./x.onnx", "hf:a/b/c/..\\x.onnx",
     "hf:a/b/\x1b[0m.onnx"],
)  # fmt: skip
def test_a_name_that_leaves_its_repository_is_refused_before_the_hub_is_asked(name, monkeypatch):
    monkeypatch.setattr("serval.models.hub._asking", lambda *_: pytest.fail("asked"))
    assert "does not name a file within a hub model" in refusal(hub_model, name)


def external(path, location):
    """A classifier whose head is said to lie in a file of that name."""
    classifier(path)
    model = onnx.load(path)
    head = next(tensor for tensor in model.graph.initializer if tensor.name == "head")
    head.ClearField("raw_data")
    head.data_location = TensorProto.EXTERNAL
    head.external_data.add(key="location", value=location)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "location",
    ["../w.bin", "/dev/zero", "a/../../w.bin", "C:\\w.bin", "..\\w.bin", "\\\\host\\w.bin", "/"],
)
def test_weights_outside_of_the_model_s_folder_are_neither_read_nor_hashed(tmp_path, location):
    (tmp_path / "in").mkdir()
    path = external(tmp_path / "in" / "m.onnx", location)
    (tmp_path / "w.bin").write_bytes(b"\0" * 384)
    for call in (load_onnx, inspect_model):
        assert "outside of its own folder" in refusal(call, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_weights_in_a_pipe_are_not_waited_for(tmp_path):
    path = external(tmp_path / "m.onnx", "pipe")
    os.mkfifo(tmp_path / "pipe")
    for call in (load_onnx, inspect_model):
        assert "'pipe', which is no regular file" in refusal(call, path)


def test_missing_weights_are_named_in_one_line(tmp_path):
    path = external(tmp_path / "m.onnx", "w\x1b[2J.bin")
    assert "its weights in w\\x1b[2J.bin are not beside it" in refusal(load_onnx, path)


METADATA = {
    "sampling_rate": ["1e999", "9" * 10_000, "-1", "nan", DEEP],
    "labels": [DEEP, '{"0":' * 50_000, "x" * 20_000_000, json.dumps(["a"] * 100_000)],
    "id2label": [DEEP, "[" + "9" * 5_000 + "]"],
    "max_seconds": ["1e999", "9" * 10_000, "nan"],
    "normalize": ["x" * 1_000_000],
}
CASES = [(key, text) for key, texts in METADATA.items() for text in texts]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_absurd_metadata_is_one_short_line(tmp_path, case):
    key, text = CASES[case]
    refusal(load_onnx, classifier(tmp_path / "m.onnx", metadata={key: text}))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [DEEP, '{"a":' * 100_000, "{", "[1]", "1" * 6_000, "\xff"])
def test_absurd_config_files_are_one_short_line(tmp_path, name, content):
    path = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    assert name in refusal(load_onnx, path)


def test_a_config_of_absurd_size_is_not_read(tmp_path):
    path = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(10**12)
    assert "config.json is not readable JSON: it is larger than 64 MB" in refusal(load_onnx, path)


@pytest.mark.parametrize("junk", [b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x3b" * 999,
                                  b"\x3a\x02" * 999, b"\xff" * 99, b"location" * 99])  # fmt: skip
def test_junk_is_one_line_and_has_no_skeleton(tmp_path, junk):
    path = tmp_path / "m.onnx"
    path.write_bytes(junk)
    assert parsed(read_skeleton(path)) is None or external_names(read_skeleton(path), path) == []
    refusal(load_onnx, path)


def test_the_skeleton_of_a_file_has_all_but_its_weights(tmp_path):
    path = classifier(tmp_path / "m.onnx", bands=2_000)
    skeleton = read_skeleton(path)
    assert len(skeleton) < 5_000 < 3_000_000 < path.stat().st_size
    short, whole = parsed(skeleton), onnx.load(path)
    assert list(short.graph.node) == list(whole.graph.node)
    assert [t.name for t in short.graph.initializer] == [t.name for t in whole.graph.initializer]


def test_weights_in_nodes_of_inner_graphs_are_left_out_of_the_skeleton_too(tmp_path):
    large = helper.make_tensor("t", 1, [100_000], [0.0] * 100_000)
    inner = helper.make_graph(
        [node("Constant", "", "large", value=large), node("Identity", "scores", "then")],
        "inner",
        [],
        [helper.make_tensor_value_info("then", 1, None)],
    )
    after = [node("If", "yes", "logits", then_branch=inner, else_branch=inner)]
    path = classifier_graph(tmp_path / "m.onnx", after=after, constants={"yes": [True]})
    skeleton = read_skeleton(path)
    assert len(skeleton) < 30_000
    (branch,) = [n for n in parsed(skeleton).graph.node if n.op_type == "If"]
    assert [n.op_type for n in branch.attribute[0].g.node] == ["Constant", "Identity"]


REASONS = {
    "ir": ({"ir": 99}, r"Unsupported model IR version: 99, .*newer onnxruntime"),
    "opset": ({"opset": 99}, r"official support for domain ai\.onnx is till opset \d+; install"),
    "operator": (
        {"after": [node("Frobnicate", "scores", "logits")]},
        r"Frobnicate with domain_version of 20; install",
    ),
    "domain": (
        {"after": [node("Own", "scores", "logits", domain="my.domain")], "domains": ("my.domain",)},
        r"my\.domain",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_of_onnx_runtime_is_kept_without_its_source(tmp_path, case):
    changes, reason = REASONS[case]
    path = classifier_graph(tmp_path / "m.onnx", **changes)
    with pytest.raises(ModelError, match=reason) as raised:
        load_onnx(path)
    said = str(raised.value)
    assert not any(
        trace in said for trace in ("::", ".cc", ".h:", "const ", "ONNXRuntimeError", "&")
    )


def test_signatures_with_templates_and_qualifiers_are_dropped():
    said = (
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running "
        "Conv node. Name:'c' Status Message: D:\\a\\_work\\1\\s\\onnxruntime\\core\\conv.cc(12) "
        "onnxruntime::common::Status onnxruntime::Conv<float>::Compute(std::function<void(int)>, "
        "const T*) const [with T = float] Invalid input shape: {100}"
    )
    assert ort_reason(ValueError(said)) == "at c (Conv): Invalid input shape: {100}"


def test_a_provider_that_is_not_installed_is_named_with_those_that_are(model_file):
    with pytest.raises(ConfigError, match=r"no --provider 'cuda'; it has .*cpu; install"):
        load_model(str(model_file), provider="cuda")


def test_providers_go_by_short_names_and_the_cpu_runs_the_rest(model_file, monkeypatch):
    import onnxruntime

    asked = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers):
            asked.append(providers)
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return asked[-1] if starts else super().get_providers()

    names = ["CUDAExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("serval.models.onnx.ort.get_available_providers", lambda: names)
    monkeypatch.setattr("serval.models.onnx.ort.InferenceSession", Session)
    assert list(providers()) == ["cuda", "cpu"]
    starts = True
    model = load_model(str(model_file), provider="cuda")
    assert asked == [["CUDAExecutionProvider", "CPUExecutionProvider"]]
    assert model.facts["runtime"] == {"name": "onnxruntime", "provider": "cuda"}
    assert "runtime" not in load_model(str(model_file)).facts
    starts = False
    with pytest.raises(ConfigError, match="--provider cuda does not start on this machine"):
        load_model(str(model_file), provider="cuda")

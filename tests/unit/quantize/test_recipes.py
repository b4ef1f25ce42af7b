"""Smoothing, building, bias correction, the static choice and the search, on real graphs."""

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

import graphs
from build import classifier, labels_metadata
from network import speech_network
from serval.errors import ConfigError, ModelError
from serval.inspection.graph import stored_graph
from serval.models.contract import Overrides
from serval.models.load import model_path
from serval.models.onnx import load_onnx
from serval.quantize import graph as graph_room
from serval.quantize import recipes
from serval.quantize.build import Recipe, built, stored_weights
from serval.quantize.clips import Fidelity, fidelity, logits_of
from serval.quantize.equalize import bias_corrections, equalized, smooth_factors, smoothed
from serval.quantize.graph import index_of, read_graph, write_graph
from serval.quantize.judged import Judged, by_macro_f1
from serval.quantize.layers import layers_of
from serval.quantize.observe import ChannelBounds, Means, channel_bounds
from serval.quantize.options import QuantizeOptions
from serval.quantize.recipes import (
    chosen_static,
    default_dynamic,
    int4_candidate,
    plan_of,
    with_linear_layers,
    written_dynamic,
)
from serval.quantize.rounding import params_of
from serval.quantize.search import kept_within, sensitivities
from serval.quantize.workbench import Candidate, Trial, made_as, open_workbench, tagged
from serval.scores.stats import difference
from serval.trained_on import SoundRanges


def ops(graph):
    return Counter(node.op_type for node in graph.graph.node)


def bounds_of(bench):
    axes = {layer.source: -1 if layer.is_linear else 1 for layer in bench.layers}
    return channel_bounds(bench.observer(), bench.graph, axes)


def test_bounds_show_the_loud_channel(bench):
    peak = bounds_of(bench)["normed"].peak
    assert peak.argmax() == 3
    assert peak.max() > 10 * np.median(peak)


def linear_layers(bench):
    return [layer for layer in bench.layers if layer.role == "linear"]


def test_smoothing_changes_no_answer_and_calms_the_loud_channel(bench, waveforms, tmp_path):
    factors = smooth_factors(bench.graph, linear_layers(bench), bounds_of(bench), 0.5)
    graph = smoothed(bench.graph, linear_layers(bench), factors)
    calm = load_onnx(write_graph(graph, tmp_path / "calm.onnx"))
    before = logits_of(bench.model, waveforms, 1)
    np.testing.assert_allclose(logits_of(calm, waveforms, 1), before, rtol=1e-3, atol=1e-3)
    peak = channel_bounds(bench.observer(), graph, {"normed": -1})["normed"].peak
    assert peak.max() < 0.5 * bounds_of(bench)["normed"].peak.max()


def test_smoothing_folds_where_it_can_and_divides_where_others_read(bench):
    factors = smooth_factors(bench.graph, linear_layers(bench), bounds_of(bench), 0.5)
    graph = smoothed(bench.graph, linear_layers(bench), factors)
    sources = {layer.name: layer.source for layer in layers_of(graph, 8)}
    assert sources["/wide"] == "normed"
    assert sources["/gated"] == "serval/y/smoothed"
    # The half of `active` may belong to a GELU, which must stay recognizable.
    assert sources["/narrow"] == "serval/active/smoothed"
    assert ops(graph)["Mul"] == ops(bench.graph)["Mul"] + 2


def test_static_plan_treats_each_role_on_purpose(bench):
    roles = {layer.name: layer.role for layer in bench.layers}
    plan = {roles[name]: precision for name, precision in plan_of(bench).items()}
    assert plan == {
        "first convolution": "fp16",
        "convolution": "weight-only int8",
        "grouped convolution": "weight-only int8",
        "linear": "int8",
        "classifier": "fp32",
    }


def test_static_keeps_answers_and_quantizes_only_inputs_of_linear_layers(bench):
    candidate, trials = chosen_static(bench)
    graph = built(candidate.graph, candidate.layers, candidate.recipe)
    tried = [trial.what for trial in trials]
    methods = ["min-max ranges", "percentile ranges", "entropy ranges"]
    assert tried[:6] == [
        *methods,
        "no smoothing",
        "smoothing without multiplications",
        "integer convolutions and grouped convolutions",
    ]
    kernels = {layer.name for layer in candidate.layers if not layer.is_linear}
    integer = [name for name in kernels if candidate.recipe.plan[name] == "int8"]
    assert ops(graph)["QuantizeLinear"] == 3 + 2 * len(integer)
    model = bench.written(candidate, bench.folder / "static.onnx")
    found = fidelity(logits_of(model, bench.held_out.waveforms, 1), bench.held_out)
    assert found.agreement >= 0.9
    assert found.logit_error <= 1.25 * min(trial.measured.logit_error for trial in trials)
    said = model.backend.session.get_modelmeta().custom_metadata_map
    assert said["serval.precision"] == "int8"
    assert said["labels"].startswith('["angry"')
    sound = SoundRanges.parsed(said["sound_ranges"])
    assert (sound.of, sound.clips) == ("calibration clips of voices train", 6)
    assert sound.ranges["duration_s"] == pytest.approx((0.525, 0.65, 0.775), abs=0.08)
    assert -20 < sound.ranges["level_db"][1] < -5
    assert model.facts["sound_ranges"] == sound.facts()


def test_smoothing_that_costs_no_multiplication_is_taken_for_little_error(bench, monkeypatch):
    asked = replace(bench, options=QuantizeOptions(ranges="min-max", convolutions="weights"))

    def chosen(price):
        monkeypatch.setattr(recipes, "SMOOTHING_PRICE", price)
        candidate, _ = chosen_static(asked)
        return candidate.words[1], ops(candidate.graph)["Mul"] - ops(bench.graph)["Mul"]

    assert chosen(100.0) == ("SmoothQuant 0.5 without multiplications", 0)
    assert chosen(0.0) == ("SmoothQuant 0.5", 2)


def test_static_of_a_model_without_linear_layers_has_nothing_to_smooth(bench_of, tmp_path):
    """ONNX Runtime takes an empty list of tensors to observe for every output."""
    bench = bench_of(classifier(tmp_path / "small.onnx", metadata=labels_metadata()))
    assert {layer.role for layer in bench.layers} == {"first convolution", "classifier"}
    candidate, _ = chosen_static(bench)
    model = bench.written(candidate, tmp_path / "static.onnx")
    found = fidelity(logits_of(model, bench.held_out.waveforms, 1), bench.held_out)
    assert found.agreement == 1
    assert model.size_bytes < bench.model.size_bytes
    words = ("no layer in 8 or 4 bits", "large weights stored as FP16")
    assert made_as(model) == ("fp16", words)


def test_integer_convolutions_run_in_integers(bench, tmp_path):
    asked = replace(bench, options=QuantizeOptions(convolutions="int8", ranges="min-max"))
    candidate, _ = chosen_static(asked)
    graph = built(candidate.graph, candidate.layers, candidate.recipe)
    kinds = {t.name: t.data_type for t in graph.graph.initializer}
    assert kinds["serval//short/b32"] == onnx.TensorProto.INT32
    model = asked.written(candidate, tmp_path / "integer.onnx")
    runs = ops(onnx.load(optimized(model.path, tmp_path)))
    assert runs["QLinearConv"] == 2


def optimized(path, folder):
    """Return the file of the graph as the runtime is going to run it."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return folder / "optimized.onnx"


@pytest.mark.parametrize("qdq", [False, True])
def test_a_linear_layer_and_its_bias_are_one_step_unless_pairs_are_asked_for(bench, tmp_path, qdq):
    asked = replace(bench, options=QuantizeOptions(ranges="min-max", smoothing=0, qdq=qdq))
    candidate, _ = chosen_static(asked)
    products = sum(candidate.recipe.plan[layer.name] == "int8" for layer in linear_layers(bench))
    graph = built(candidate.graph, candidate.layers, candidate.recipe)
    assert ops(graph)["MatMulInteger"] == (0 if qdq else products)
    model = asked.written(candidate, tmp_path / "static.onnx")
    run = onnx.load(optimized(model.path, tmp_path)).graph.node
    fused = [node for node in run if node.op_type == "MatMulIntegerToFloat"]
    assert len(fused) == products == 3
    biased = [node.name for node in fused if any(node.input[6:])]
    assert biased == ([] if qdq else ["/wide", "/narrow"])


def test_both_forms_of_a_linear_layer_give_the_same_answers(bench, waveforms, tmp_path):
    asked = replace(bench, options=QuantizeOptions(ranges="min-max", smoothing=0))
    candidate, _ = chosen_static(asked)
    paired = replace(candidate, recipe=replace(candidate.recipe, qdq=True))
    one, other = (
        logits_of(bench.written(c, tmp_path / name), waveforms, 1)
        for c, name in ((candidate, "one.onnx"), (paired, "other.onnx"))
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


TAKEN = {
    "down_bias": "/wide_scales",
    "up_bias": "/wide_bias",
    "gamma": "/wide_scale",
    "beta": "/gated_s8",
    "bent": "/wide_f32",
    "z": "y_rounded",
    "placed": "short_level",
}
"""Names that a model may well use itself, in the words that recipes use."""


@pytest.mark.parametrize("qdq", [False, True])
def test_a_model_may_use_any_name_itself(bench_of, network, waveforms, tmp_path, qdq):
    path = renamed(network, TAKEN, tmp_path / "taken.onnx")
    asked = QuantizeOptions(ranges="min-max", convolutions="int8", smoothing=0, qdq=qdq)
    one, other = (
        logits_of(bench.written(chosen_static(bench)[0], tmp_path / name), waveforms, 1)
        for name, bench in (
            ("plain.onnx", replace(bench_of(network), options=asked)),
            ("made.onnx", replace(bench_of(path), options=asked)),
        )
    )
    np.testing.assert_array_equal(one, other)


def renamed(path, names, target):
    """Save a model with other names for some of its tensors, and for the nodes that make them."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in model.graph.node:
        node.name = names.get(node.output[0], node.name)
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    onnx.save(model, target)
    return target


@pytest.mark.parametrize("qdq", [False, True])
def test_a_row_added_to_a_single_score_is_no_bias_of_it(bench_of, tmp_path, waveforms, qdq):
    """ONNX Runtime takes any row of constants behind an integer product for its bias."""
    path = speech_network(tmp_path / "gate.onnx")
    model = onnx.load(path)
    score = np.random.default_rng(0).normal(0, 0.2, (32, 1)).astype(np.float32)
    row = np.linspace(-1, 1, 32, dtype=np.float32)
    model.graph.initializer.extend(
        [numpy_helper.from_array(score, "score"), numpy_helper.from_array(row, "row")]
    )
    gate = next(node for node in model.graph.node if node.name == "/gated")
    gate.input[1], gate.output[0] = "score", "scored"
    added = helper.make_node("Add", ["scored", "row"], ["gated"], name="/scored_row")
    place = list(model.graph.node).index(gate) + 1
    model.graph.node.insert(place, added)
    onnx.save(model, path)
    asked = QuantizeOptions(ranges="min-max", smoothing=0, qdq=qdq)
    bench = replace(bench_of(path), options=asked)
    made = bench.written(chosen_static(bench)[0], tmp_path / "made.onnx")
    exact, found = logits_of(bench.model, waveforms, 1), logits_of(made, waveforms, 1)
    np.testing.assert_allclose(found, exact, atol=0.05 * np.abs(exact).max())


def test_pairs_hold_whatever_the_search_moves(bench, tmp_path):
    asked = replace(bench, options=QuantizeOptions(ranges="min-max", smoothing=0, qdq=True))
    candidate, _ = chosen_static(asked)
    moved = replace(candidate, recipe=candidate.recipe.with_plan({"/wide": "weight-only int8"}))
    path = asked.written(moved, tmp_path / "pairs.onnx").path
    model = onnx.load(path)
    assert {node.domain for node in model.graph.node} == {""}
    assert {known.domain for known in model.opset_import} == {""}
    assert "linear layers in QDQ form" in candidate.words
    blocks = with_linear_layers(candidate, "weight-only int8")
    assert ops(built(blocks.graph, blocks.layers, blocks.recipe))["MatMulNBits"] == 3
    assert not chosen_static(asked, "int4")[0].recipe.qdq


@pytest.mark.parametrize("qdq", [False, True])
def test_what_scales_a_linear_layer_is_no_parameter(bench, tmp_path, qdq):
    asked = replace(bench, options=QuantizeOptions(ranges="min-max", smoothing=0, qdq=qdq))
    path = asked.written(chosen_static(asked)[0], tmp_path / "made.onnx").path
    new_bias = 32  # of the grouped convolution, to take the mean error off
    assert stored_graph(path).parameters == stored_graph(bench.model.path).parameters + new_bias


def test_the_runtime_still_knows_a_gelu_in_the_quantized_file(tmp_path):
    runs = ops(onnx.load(optimized(model_path("serval-tiny"), tmp_path)))
    assert runs["Erf"] == 0
    assert runs["Gelu"] + runs["BiasGelu"] == 6


def kernels(bench):
    return [y for y in bench.layers if y.role in {"convolution", "grouped convolution"}]


def outputs_of(bench, graph, layers):
    return channel_bounds(bench.observer(), graph, {layer.output: 1 for layer in layers})


def test_equalization_changes_no_answer_and_brings_channels_to_one_peak(bench, waveforms, tmp_path):
    before = outputs_of(bench, bench.graph, kernels(bench))
    graph = equalized(bench.graph, kernels(bench), before)
    level = load_onnx(write_graph(graph, tmp_path / "level.onnx"))
    expected = logits_of(bench.model, waveforms, 1)
    np.testing.assert_allclose(logits_of(level, waveforms, 1), expected, rtol=1e-3, atol=1e-3)
    found = {layer.name: layer for layer in layers_of(graph, 8)}
    twins = [found[layer.name] for layer in kernels(bench)]
    assert [twin.output for twin in twins] == ["serval/short/level", "serval/around/level"]
    for one, seen in outputs_of(bench, graph, twins).items():
        assert np.ptp(seen.peak) < 1e-3 * seen.peak.max()
        assert np.ptp(before[one.split("/")[1]].peak) > 0.1


def test_smoothing_a_grouped_convolution_changes_no_answer(bench, waveforms, tmp_path):
    bounds = channel_bounds(bench.observer(), bench.graph, {"short": 1, "energy": 1})
    factors = smooth_factors(bench.graph, kernels(bench), bounds, 0.5)
    assert {name: len(scale) for name, scale in factors.items()} == {"short": 32, "energy": 16}
    graph = smoothed(bench.graph, kernels(bench), factors)
    calm = load_onnx(write_graph(graph, tmp_path / "calm.onnx"))
    expected = logits_of(bench.model, waveforms, 1)
    np.testing.assert_allclose(logits_of(calm, waveforms, 1), expected, rtol=1e-3, atol=1e-3)


def test_a_grouped_convolution_has_its_mean_error_taken_off(bench):
    """The kernel of a group meets the mean of its own channels, not of the first ones."""
    layer = next(layer for layer in bench.layers if layer.role == "grouped convolution")
    recipe = Recipe(plan={layer.name: "weight-only int8"})
    mean = np.random.default_rng(0).normal(size=32)
    shift = bias_corrections(
        bench.graph, (layer,), recipe, {layer.source: Means(exact=mean, rounded=mean)}
    )[layer.name]
    exact = index_of(bench.graph).array(layer.weight).astype(np.float64)
    error = stored_weights(exact.astype(np.float32), layer, recipe) - exact
    wanted = [error[m].sum(axis=1) @ mean[m // 8 * 8 : m // 8 * 8 + 8] for m in range(32)]
    np.testing.assert_allclose(shift, wanted, atol=1e-6)


def test_outliers_cost_less_after_smoothing_and_bias_correction(bench):
    def error(**options):
        chosen = replace(bench, options=QuantizeOptions(ranges="min-max", **options))
        candidate, trials = chosen_static(chosen)
        return trials[0].measured.logit_error, candidate

    smooth, candidate = error(smoothing=0.5)
    rough, _ = error(smoothing=0.0)
    assert smooth < rough
    uncorrected = replace(candidate, recipe=replace(candidate.recipe, corrections={}))
    trial = bench.trial("uncorrected", uncorrected, bench.held_out)
    assert trial.measured.logit_error != smooth


def test_dynamic_leaves_convolutions_and_classifier_out(bench, tmp_path):
    model = written_dynamic(bench, tmp_path / "dyn.onnx")
    default = default_dynamic(bench, tmp_path / "default.onnx")
    chosen, usual = ops(onnx.load(model.path)), ops(onnx.load(default.path))
    assert chosen["MatMulInteger"] == 3
    assert chosen["ConvInteger"] == 0
    assert usual["ConvInteger"] == 3


def test_dynamic_leaves_a_lone_classifier_in_fp32(tmp_path):
    """ONNX Runtime takes an empty list of nodes to quantize for all nodes."""
    small = classifier(tmp_path / "small.onnx", metadata=labels_metadata())
    place = (tmp_path, 1, lambda _line: None)
    bench = open_workbench(load_onnx(small), read_graph(small), None, QuantizeOptions(), place)
    made = written_dynamic(bench, tmp_path / "dyn.onnx")
    assert ops(onnx.load(made.path))["MatMul"] == 1
    assert made_as(made) == ("fp16", ("no layer in 8 or 4 bits", "large weights stored as FP16"))


def test_dynamic_writes_large_weights_beside_the_file(bench, tmp_path, monkeypatch):
    for module in (recipes, graph_room):
        monkeypatch.setattr(module, "INLINE_LIMIT_BYTES", 10_000)
    (tmp_path / "out").mkdir()
    made = written_dynamic(bench, tmp_path / "out" / "dyn.onnx")
    usual = default_dynamic(bench, tmp_path / "out" / "default.onnx")
    assert made.identity.external.keys() == {"dyn.onnx.data"}
    assert usual.identity.external.keys() == {"default.onnx.data"}
    assert made.size_bytes < bench.model.size_bytes


def test_the_usual_recipe_is_judged_under_the_contract_of_the_fp32_file(tmp_path, waveforms):
    """A file of `quantize_dynamic` in another folder has lost what config.json said."""
    hub = tmp_path / "hub"
    hub.mkdir()
    network = speech_network(hub / "model.onnx", metadata={})
    names = json.dumps({"id2label": dict(enumerate("abcdefgh"))})
    (hub / "config.json").write_text(names, encoding="utf-8")
    (hub / "preprocessor_config.json").write_text('{"do_normalize": true}', encoding="utf-8")
    model = load_onnx(network)
    place = (tmp_path, 1, lambda _line: None)
    bench = open_workbench(model, read_graph(network), None, QuantizeOptions(), place)
    usual = default_dynamic(bench, tmp_path / "usual.onnx")
    assert (usual.labels, usual.contract.normalize) == (model.labels, "zscore")
    # It may be the one that is taken, so it has to say that by itself.
    alone = load_onnx(usual.path)
    assert (alone.labels, alone.contract.normalize) == (model.labels, "zscore")
    assert made_as(alone) == ("int8", ("quantize_dynamic with its defaults",))


def test_what_is_stated_on_the_command_line_goes_along_with_the_file(tmp_path):
    network = speech_network(tmp_path / "model.onnx", metadata={"sample_rate": "16000"})
    folder = tmp_path / "hub"
    folder.mkdir()
    moved = network.rename(folder / "model.onnx")
    (folder / "preprocessor_config.json").write_text('{"return_attention_mask": false}', "utf-8")
    model = load_onnx(moved, Overrides(sample_rate=8000, outputs="logits"))
    graph = tagged(read_graph(moved), model, "int8", ())
    made = load_onnx(write_graph(graph, tmp_path / "made.onnx"))
    assert (made.sample_rate, made.contract.masks_padding) == (8000, False)
    assert made.contract.stated_outputs == "logits"


def test_what_was_assumed_is_not_stated_by_the_new_file(tmp_path):
    network = speech_network(tmp_path / "model.onnx", metadata={})
    graph = tagged(read_graph(network), load_onnx(network), "int8", ())
    made = load_onnx(write_graph(graph, tmp_path / "made.onnx"))
    assert {*made.contract.sources.values()} == {"default"}
    assert len(made.contract.warnings) == 3


def test_the_output_that_was_named_is_that_of_the_new_file(tmp_path):
    after = [
        graphs.node("Identity", "scores", "logits"),
        graphs.node("Neg", "scores", "opposite"),
    ]
    outputs = [graphs.value(name, ["batch", 8]) for name in ("logits", "opposite")]
    path = graphs.classifier_graph(tmp_path / "two.onnx", after=after, outputs=outputs)
    model = load_onnx(path, Overrides(output_name="opposite"))
    graph = tagged(read_graph(path), model, "int8", ())
    made = write_graph(graph, tmp_path / "made.onnx")
    assert load_onnx(made).contract.output_name == "opposite"
    stated = load_onnx(made, Overrides(output_name="logits"))
    assert stated.contract.output_name == "logits"


def test_four_bits_are_smaller_than_eight(bench, tmp_path):
    same = {"ranges": "min-max", "convolutions": "weights"}
    large = replace(bench, options=QuantizeOptions(**same))
    eight = large.written(chosen_static(large)[0], tmp_path / "8.onnx")
    small = replace(bench, options=QuantizeOptions(method="int4", block=32, **same))
    candidate, _ = int4_candidate(small)
    four = small.written(candidate, tmp_path / "4.onnx")
    graph = built(candidate.graph, candidate.layers, candidate.recipe)
    assert ops(graph)["MatMulNBits"] == 3
    stored = [sum(numpy_helper.to_array(tensor).nbytes for tensor in
                  onnx.load(model.path).graph.initializer) for model in (four, eight)]  # fmt: skip
    assert stored[0] < stored[1]
    without = replace(small, calibration=None, held_out=None)
    assert int4_candidate(without)[1] == []


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"/wide": "int4"}, ("int4", "linear layers at 4 bits in blocks of 128", "x")),
        ({"/wide": "int8"}, ("int8", "static, U8 activations, S8 weights", "x")),
        ({"/wide": "weight-only int8"}, ("int8", "weights in 8 bits", "x")),
        ({"/wide": "fp32"}, ("fp32", "no layer in 8 or 4 bits")),
    ],
)
def test_a_file_says_what_became_of_its_layers_in_the_end(bench, plan, said):
    """--max-drop may take out every layer that the method rounds."""
    candidate = Candidate(
        graph=bench.graph, layers=bench.layers, recipe=Recipe(plan=plan), words=("x",)
    )
    assert (candidate.recipe.precision, *candidate.recipe_words) == said


def test_a_first_convolution_that_underflows_in_fp16_stays_fp32(bench):
    tensor = next(t for t in bench.graph.graph.initializer if t.name == "kernel")
    tensor.CopyFrom(numpy_helper.from_array(1e-7 * numpy_helper.to_array(tensor), "kernel"))
    assert plan_of(bench)["/bands"] == "fp32"


def test_a_clip_does_not_depend_on_its_neighbours(bench, waveforms, tmp_path):
    model = bench.written(chosen_static(bench)[0], tmp_path / "8.onnx")
    alone = logits_of(model, waveforms[:1], 1)[0]
    pair = np.stack([waveforms[0], 0.01 * waveforms[0][::-1]])
    together = model.logits(pair, np.full(2, pair.shape[1]))[0]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_sensitivity_ranks_the_layers(bench):
    candidate, _ = chosen_static(bench)
    ranked = sensitivities(bench, candidate, bench.held_out)
    errors = [one.logit_error for one in ranked]
    assert {"/wide", "/narrow", "/gated"} <= {one.layer for one in ranked}
    # Convolutions are rounded too, and --max-drop may have to take them back.
    assert {"/short", "/around"} <= {one.layer for one in ranked}
    assert errors == sorted(errors, reverse=True)


def test_the_error_of_a_layer_alone_has_no_part_of_the_others(bench):
    """A correction belongs to the layer that it corrects: alone, one layer has one of them."""
    candidate, _ = chosen_static(bench)
    size = next(layer.size for layer in bench.layers if layer.name == "/narrow") // 64
    wrong = {"/narrow": np.full(size, 30.0)}
    spoilt = replace(candidate, recipe=replace(candidate.recipe, corrections=wrong))
    errors = {one.layer: one.logit_error for one in sensitivities(bench, spoilt, bench.held_out)}
    assert errors["/narrow"] > 10 * max(errors["/wide"], errors["/gated"], errors["/short"])


def test_search_returns_a_model_that_holds_as_it_is(bench):
    candidate, _ = chosen_static(bench)
    clips = bench.held_out
    kept = kept_within(bench, candidate, clips, 100)
    assert kept.candidate is candidate
    assert [trial.what for trial in kept.trials] == ["the whole model"]
    assert kept.sensitive == ()


def test_search_moves_the_fewest_layers_that_hold_the_limit(bench, monkeypatch):
    """Errors are made so large by coarse scales that only other precisions keep the answers."""
    candidate, _ = chosen_static(bench)
    ruined = {
        name: replace(known, scale=known.scale * 60)
        for name, known in candidate.recipe.params.items()
    }
    bad = replace(candidate, recipe=replace(candidate.recipe, params=ruined, corrections={}))
    limit = 25.0
    found = kept_within(bench, bad, bench.held_out, limit)
    kept = found.candidate
    final = bench.trial("final", kept, bench.held_out)
    assert found.trials[0].measured.judged.verdict(limit) != "not worse"
    assert final.measured.judged.verdict(limit) == "not worse"
    assert {one.layer for one in found.sensitive} >= {"/wide", "/narrow", "/gated"}
    left = [name for name, precision in kept.recipe.plan.items() if precision == "int8"]
    assert len(left) < sum(p == "int8" for p in bad.recipe.plan.values())


def losing(bench, is_lossy):
    """A workbench on which half of the clips are lost by such recipes and none by others."""

    def trial(what, candidate, clips):
        lost = int(is_lossy(candidate.recipe))
        measured = Fidelity(
            clips=900,
            agreement=1,
            logit_error=lost,
            divergence=0,
            judged=Judged(
                score="accuracy",
                a=800 / 900,
                b=(800 - 450 * lost) / 900,
                change=difference(-0.5 * lost, 0.01, 900, 1 / 900),
            ),
        )
        return Trial(what=what, size_bytes=1, clips="voices", measured=measured)

    return SimpleNamespace(trial=trial, held_out=bench.held_out, model=bench.model)


def test_search_takes_convolutions_back_to_fp32_too(bench):
    stub = losing(bench, lambda recipe: recipe.plan.get("/short", "fp32") != "fp32")
    start = Candidate(graph=bench.graph, layers=bench.layers, recipe=Recipe(plan=plan_of(bench)))
    assert start.recipe.plan["/short"] == "weight-only int8"
    found = kept_within(stub, start, bench.held_out, 30.0)
    assert found.candidate.recipe.plan == start.recipe.plan | {"/short": "fp32"}
    assert found.candidate.words == ("1 sensitive layer as fp32",)
    assert found.sensitive[0].layer == "/short"


def test_search_takes_back_what_is_in_fp16_last(bench):
    """Nothing but what FP16 stores loses clips: the first convolution and the tables."""
    stub = losing(bench, lambda recipe: "fp16" in recipe.plan.values() or bool(recipe.tables))
    recipe = Recipe(plan=plan_of(bench), tables=bench.tables)
    start = Candidate(graph=bench.graph, layers=bench.layers, recipe=recipe)
    found = kept_within(stub, start, bench.held_out, 30.0).candidate.recipe
    assert (set(found.plan.values()), found.tables, found.precision) == ({"fp32"}, (), "fp32")


def test_search_says_when_no_layer_can_help(bench):
    def trial(what, candidate, clips):
        change = difference(-0.1, 0.02, 900, 1 / 900)
        judged = Judged(score="accuracy", a=790 / 900, b=700 / 900, change=change)
        measured = Fidelity(clips=900, agreement=1, logit_error=1, divergence=0, judged=judged)
        return Trial(what=what, size_bytes=1, clips="voices", measured=measured)

    stub = SimpleNamespace(trial=trial, held_out=bench.held_out, model=bench.model)
    start = Candidate(graph=bench.graph, layers=bench.layers, recipe=Recipe(plan=plan_of(bench)))
    many = replace(bench.held_out, reference=np.repeat(bench.held_out.reference, 100, axis=0),
                   truth=np.repeat(bench.held_out.truth, 100))  # fmt: skip
    with pytest.raises(
        ModelError, match=r"loses 10.00 points of accuracy even with .*; allow more than --max"
    ):
        kept_within(stub, start, many, 5.0)
    with pytest.raises(ModelError, match=r"900 clips cannot tell more than -13.9. to -6.0."):
        kept_within(stub, start, many, 12.0)


def test_too_few_clips_to_rule_out_a_loss_are_refused_before_the_search(bench):
    candidate, _ = chosen_static(bench)
    with pytest.raises(ConfigError, match=r"clips of .* cannot tell .* --max-drop 1 points"):
        kept_within(bench, candidate, bench.held_out, 1.0)


def test_clips_without_the_score_are_refused_before_the_search(bench):
    candidate, _ = chosen_static(bench)
    none = np.zeros(bench.held_out.reference.shape, dtype=bool)
    clips = replace(bench.held_out, truth=none, judge=by_macro_f1, reference=none - np.float32(1))
    with pytest.raises(ConfigError, match="have no macro F1; take other --eval clips"):
        kept_within(bench, candidate, clips, 90.0)


def test_ranges_need_calibration(bench):
    with pytest.raises(ConfigError, match="give --calibration DATASET"):
        chosen_static(replace(bench, calibration=None))


def test_nothing_to_do_is_the_same_graph(bench, waveforms, tmp_path):
    plain = Candidate(graph=bench.graph, layers=bench.layers, recipe=Recipe(plan={}))
    model = bench.written(plain, tmp_path / "same.onnx")
    before = logits_of(bench.model, waveforms, 1)
    np.testing.assert_allclose(logits_of(model, waveforms, 1), before, atol=1e-4)


def convolution(weights, bias, *, group=1, more=(), read="x", inputs=(), output="y"):
    """A graph of one convolution `(M, C, k...)` and whatever else is given."""
    around = [f"d{i}" for i in range(weights.ndim - 2)]
    channels = weights.shape[1] * group
    node = helper.make_node("Conv", [read, "weights", "bias"], ["y"], name="/conv", group=group)
    tensors = {"weights": weights, "bias": bias} | dict(inputs)
    graph = helper.make_graph(
        [*more, node],
        "one",
        [helper.make_tensor_value_info("x", 1, ["n", channels, *around])],
        [helper.make_tensor_value_info(output, 1, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()
         if value is not None],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def outputs(graph, samples):
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": samples})[0]


KERNELS = {
    "plain": ((6, 4, 3), 1),
    "grouped": ((6, 2, 3), 2),
    "depthwise": ((6, 1, 3), 6),
    "of two dimensions": ((6, 4, 3, 3), 1),
}


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("kind", KERNELS)
def test_an_integer_convolution_of_any_kind_is_nearly_the_same(kind, level):
    (shape, group), rng = KERNELS[kind], np.random.default_rng(0)
    weights = rng.normal(size=shape) * np.logspace(0, 2, 6).reshape(-1, *[1] * (len(shape) - 1))
    weights[2] = 0  # a dead channel, of which only the bias is left
    graph = convolution(weights, rng.normal(size=6) + 2, group=group)
    samples = rng.normal(size=(1, shape[1] * group, *[20] * (len(shape) - 2))).astype(np.float32)
    expected = outputs(graph, samples)
    layers = layers_of(graph, 8)
    inner = tuple(axis for axis in range(expected.ndim) if axis != 1)
    seen = {
        "x": ChannelBounds(low=samples.min(axis=inner), high=samples.max(axis=inner)),
        "y": ChannelBounds(low=expected.min(axis=inner), high=expected.max(axis=inner)),
    }
    if level:
        graph = equalized(graph, layers, seen)
        graph = smoothed(graph, layers_of(graph, 8), smooth_factors(graph, layers, seen, 0.5))
        layers = layers_of(graph, 8)
        np.testing.assert_allclose(outputs(graph, samples), expected, rtol=1e-3, atol=1e-3)
    ends = {name: _ends(graph, name, samples) for name in (layers[0].source, layers[0].output)}
    params = {name: params_of(*pair) for name, pair in ends.items()}
    made = built(graph, layers, Recipe(plan={"/conv": "int8"}, params=params))
    error = np.abs(outputs(made, samples) - expected).max(axis=inner)
    peak = np.abs(expected).max(axis=inner)
    assert (error < (0.06 * peak if level else 0.06 * peak.max())).all()


def _ends(graph, name, samples):
    """Return the smallest and the largest value of a tensor, 0 among them."""
    if name == "x":
        values = samples
    else:
        twin = onnx.ModelProto()
        twin.CopyFrom(graph)
        del twin.graph.output[:]
        twin.graph.output.append(helper.make_empty_tensor_value_info(name))
        values = outputs(twin, samples)
    return min(0.0, float(values.min())), max(0.0, float(values.max()))


def test_a_bias_that_32_bits_cannot_hold_is_not_lost():
    rng = np.random.default_rng(1)
    graph = convolution(1e-6 * rng.normal(size=(6, 4, 3)), np.full(6, 5.0))
    samples = 1e-3 * rng.normal(size=(1, 4, 20)).astype(np.float32)
    params = {"x": params_of(-0.004, 0.004), "y": params_of(0.0, 5.1)}
    made = built(graph, layers_of(graph, 8), Recipe(plan={"/conv": "int8"}, params=params))
    np.testing.assert_allclose(outputs(made, samples), 5, atol=0.02)


def test_convolutions_that_cannot_be_moved_are_no_layers():
    weights, bias = np.ones((4, 4, 1)), np.ones(4)
    computed = [helper.make_node("Relu", ["raw"], ["bias"])]
    graph = convolution(weights, None, more=computed, inputs=[("raw", bias)])
    assert layers_of(graph, 8) == ()
    beside = [helper.make_node("MatMul", ["x", "matrix"], ["z"], name="/matrix")]
    graph = convolution(weights, bias, more=beside, inputs=[("matrix", np.ones((20, 4)))])
    assert [layer.name for layer in layers_of(graph, 8)] == ["/matrix"]


def test_what_the_graph_gives_out_is_not_divided():
    norm = helper.make_node("LayerNormalization", ["x", "gamma"], ["y"], axis=-1)
    graph = convolution(np.ones((1, 1, 1)), np.ones(1))
    matrix = np.diag([1.0, 9.0]).astype(np.float32)
    del graph.graph.node[:], graph.graph.initializer[:], graph.graph.input[:]
    graph.graph.input.append(helper.make_tensor_value_info("x", 1, ["n", 2]))
    graph.graph.node.extend([norm, helper.make_node("MatMul", ["y", "m"], ["z"], name="/m")])
    for name, value in {"gamma": np.ones(2, np.float32), "m": matrix}.items():
        graph.graph.initializer.append(numpy_helper.from_array(value, name))
    calm = smoothed(graph, layers_of(graph, 8), {"y": np.float32([2.0, 0.5])})
    samples = np.float32([[1, -3]])
    np.testing.assert_array_equal(outputs(calm, samples), outputs(graph, samples))

"""What the outputs are, and whether a model is a function at all."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import quantize_dynamic

from build import EMOTIONS, voice
from graphs import classifier_graph, node, value
from serval.errors import AudioError, ConfigError, ModelError
from serval.inspection import inspect_model
from serval.models.contract import Overrides
from serval.models.onnx import load_onnx
from serval.probabilities import probabilities_of
from serval.trained_on import TrainedOn


def answer(model, samples):
    return model.logits(samples[np.newaxis], np.array([len(samples)]))


@pytest.fixture
def plain(tmp_path):
    return load_onnx(classifier_graph(tmp_path / "plain.onnx"))


ONE = {"unit": np.float32(1)}
SIGMOIDS = {
    "sigmoid": {"after": [node("Sigmoid", "scores", "logits")]},
    "then reshaped": {
        "after": [node("Sigmoid", "scores", "s"), node("Reshape", "s shape", "logits")],
        "constants": {"shape": np.array([-1, 8])},
    },
    "then clipped": {
        "after": [node("Sigmoid", "scores", "s"), node("Clip", "s low high", "logits")],
        "constants": {"low": np.float32(0), "high": np.float32(1)},
    },
    "written out": {
        "after": [
            node("Neg", "scores", "n"),
            node("Exp", "n", "e"),
            node("Add", "unit e", "a"),
            node("Reciprocal", "a", "logits"),
        ],
        "constants": ONE,
    },
    "divided": {
        "after": [
            node("Neg", "scores", "n"),
            node("Exp", "n", "e"),
            node("Add", "e unit", "a"),
            node("Div", "unit a", "logits"),
        ],
        "constants": ONE,
    },
    "in a function": {
        "after": [node("Scored", "scores", "logits", domain="own")],
        "functions": [
            helper.make_function(
                "own", "Scored", ["x"], ["y"], [node("Sigmoid", "x", "y")],
                [helper.make_opsetid("", 20)],
            )
        ],
        "domains": ("own",),
    },
}  # fmt: skip


@pytest.mark.parametrize("case", SIGMOIDS)
def test_of_sigmoids_the_confidence_is_what_the_model_says(tmp_path, plain, case):
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", **SIGMOIDS[case]))
    assert model.contract.outputs == "sigmoid"
    assert "outputs" not in model.contract.sources
    logits = answer(plain, voice())
    by_hand = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(answer(model, voice()), logits, atol=1e-4)
    probs = probabilities_of(answer(model, voice()), model.contract.outputs)
    np.testing.assert_allclose(probs, by_hand, atol=1e-6)
    assert model.facts["contract"]["outputs"] == "sigmoid"


def test_scores_of_0_and_1_have_finite_logits_and_their_order(tmp_path):
    after = [node("Mul", "scores large", "l"), node("Sigmoid", "l", "logits")]
    large = {"large": np.float32(1000)}
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", after=after, constants=large))
    logits = answer(model, voice())
    assert np.isfinite(logits).all()
    probs = probabilities_of(logits, "sigmoid").astype(np.float32)
    assert set(probs.round(30).ravel().tolist()) == {0.0, 1.0}


def test_scores_between_0_and_1_that_nothing_explains_are_taken_so_with_a_warning(tmp_path):
    after = [
        node("Abs", "scores", "positive"),
        node("Add", "positive unit", "more"),
        node("Div", "positive more", "logits"),
    ]
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", after=after, constants=ONE))
    assert (model.contract.outputs, model.contract.sources["outputs"]) == ("sigmoid", "trial")
    assert any("between 0 and 1 on every trial" in text for text in model.facts["warnings"])


def test_what_the_outputs_are_can_be_stated_by_the_user_or_the_file(tmp_path):
    after = [node("Abs", "scores", "some"), node("Add", "some unit", "more"),
             node("Div", "some more", "logits")]  # fmt: skip
    path = classifier_graph(tmp_path / "m.onnx", after=after, constants=ONE)
    raw = load_onnx(path).scores(voice()[None], np.array([len(voice())]))
    model = load_onnx(path, Overrides(outputs="logits"))
    assert (model.contract.outputs, model.contract.stated_outputs) == ("logits", "logits")
    np.testing.assert_array_equal(answer(model, voice()), raw)
    assert not any("on every trial" in text for text in model.facts.get("warnings", ()))
    with pytest.raises(
        ModelError, match=r"said to be probabilities \(command line\), but on noise"
    ):
        load_onnx(path, Overrides(outputs="probabilities"))
    stamped = onnx.load(path)
    onnx.helper.set_model_props(stamped, {"outputs": "logits"})
    onnx.save(stamped, path)
    assert load_onnx(path).contract.sources["outputs"] == "model metadata"
    assert load_onnx(path, Overrides(outputs="sigmoid")).contract.outputs == "sigmoid"
    onnx.helper.set_model_props(stamped, {"outputs": "?"})
    onnx.save(stamped, path)
    model = load_onnx(path)
    assert model.contract.outputs == "sigmoid"
    assert any("The entry outputs in its model metadata" in text for text in model.contract.notes)


@pytest.mark.parametrize("activation", ["Sigmoid", "Softmax"])
def test_no_logits_are_stated_of_a_graph_that_ends_otherwise(tmp_path, activation):
    path = classifier_graph(tmp_path / "m.onnx", after=[node(activation, "scores", "logits")])
    with pytest.raises(ModelError, match=f"but a {activation.lower()} makes them"):
        load_onnx(path, Overrides(outputs="logits"))


def test_outputs_out_of_range_are_no_sigmoids_and_dimensions_have_none_to_state(tmp_path, plain):
    with pytest.raises(ModelError, match=r"said to be sigmoid .* leave that out"):
        load_onnx(plain.path, Overrides(outputs="sigmoid"))
    stated = Overrides(outputs="logits", labels=("arousal", "valence", "dominance"))
    with pytest.raises(ConfigError, match="logits is of models of emotions, but this one gives"):
        load_onnx(plain.path, stated)


LINEAR_ENDS = {
    "its own bias": [node("Mul", "scores zero", "s"), node("Gemm", "s unit half", "logits")],
    "a bias added": [
        node("Mul", "scores zero", "s"),
        node("MatMul", "s unit", "product"),
        node("Add", "product half", "sum"),
        node("Identity", "sum", "logits"),
    ],
}


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("case", LINEAR_ENDS)
def test_a_linear_layer_at_the_end_gives_logits_however_small(tmp_path, case, integers):
    known = {"zero": np.float32(1e-4), "unit": np.eye(8, dtype=np.float32)}
    known["half"] = np.full(8, 0.5, dtype=np.float32)
    path = classifier_graph(tmp_path / "m.onnx", after=LINEAR_ENDS[case], constants=known)
    if integers:
        quantize_dynamic(path, path, op_types_to_quantize=["MatMul", "Gemm"])
    model = load_onnx(path)
    assert (model.contract.outputs, "outputs" in model.contract.sources) == ("logits", False)
    scores = model.scores(voice()[None], np.array([16_000]))
    assert 0 < scores.min() < scores.max() < 1


def test_one_answer_to_everything_tells_nothing_of_what_the_outputs_are(tmp_path):
    after = [node("Mul", "scores zero", "logits")]
    path = classifier_graph(tmp_path / "m.onnx", after=after, constants={"zero": np.float32(0)})
    model = load_onnx(path)
    assert model.contract.outputs == "logits"
    probs = probabilities_of(answer(model, voice()), model.contract.outputs)
    assert probs.ravel().tolist() == [0.125] * 8


SOFTMAXES = {
    "softmax": [node("Softmax", "scores", "logits", axis=1)],
    "written out": [
        node("Exp", "scores", "e"),
        node("ReduceSum", "e one", "sum", keepdims=1),
        node("Div", "e sum", "logits"),
    ],
}


@pytest.mark.parametrize("case", SOFTMAXES)
def test_a_softmax_is_known_by_its_sum(tmp_path, plain, case):
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", after=SOFTMAXES[case]))
    assert model.contract.outputs == "probabilities"
    expected = probabilities_of(answer(plain, voice()))
    np.testing.assert_allclose(probabilities_of(answer(model, voice())), expected, atol=1e-5)


def test_a_log_softmax_is_as_good_as_logits(tmp_path, plain):
    after = [node("LogSoftmax", "scores", "logits", axis=1)]
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", after=after))
    assert model.contract.outputs == "logits"
    expected = probabilities_of(answer(plain, voice()))
    np.testing.assert_allclose(probabilities_of(answer(model, voice())), expected, atol=1e-5)


def test_a_softmax_over_the_batch_is_refused(tmp_path):
    after = [node("Softmax", "scores", "logits", axis=0)]
    with pytest.raises(ModelError, match=r"softmax does not run over the labels.* 8\.00"):
        load_onnx(classifier_graph(tmp_path / "m.onnx", after=after))


def test_percentages_are_neither_logits_nor_probabilities(tmp_path):
    after = [node("Softmax", "scores", "p", axis=1), node("Mul", "p hundred", "logits")]
    hundred = {"hundred": np.float32(100)}
    with pytest.raises(ModelError, match="always sum to 100: neither logits nor probabilities"):
        load_onnx(classifier_graph(tmp_path / "m.onnx", after=after, constants=hundred))


def test_scores_that_are_never_negative_but_of_any_sum_are_logits(tmp_path):
    after = [node("Abs", "scores", "logits")]
    assert (
        load_onnx(classifier_graph(tmp_path / "m.onnx", after=after)).contract.outputs == "logits"
    )


def test_a_score_out_of_range_later_is_that_clip_s_failure(tmp_path):
    after = [node("Add", "scores far", "high"), node("HardSigmoid", "high", "s"),
             node("Sum", "s beyond", "logits")]  # fmt: skip
    before = [
        node("Unsqueeze", "input_values one", "wave"),
        node("ReduceMax", "input_values one", "peak", keepdims=1),
        node("Sub", "peak ten", "over"),
        node("Relu", "over", "beyond"),
    ]
    constants = {"far": np.float32(0), "ten": np.float32(10)}
    model = load_onnx(
        classifier_graph(tmp_path / "m.onnx", before=before, after=after, constants=constants)
    )
    assert model.contract.outputs == "sigmoid"
    with pytest.raises(AudioError, match="although they were all between 0 and 1"):
        answer(model, np.full(16_000, 20, np.float32))


@pytest.mark.parametrize("sigmoid", [True, False])
@pytest.mark.parametrize("shape", [["batch", 1], ["batch"], [1, 1, 1]])
def test_one_output_tells_two_labels_apart(tmp_path, sigmoid, shape):
    after = [node("Sigmoid" if sigmoid else "Identity", "scores", "score"),
             node("Reshape", "score shape", "out")]  # fmt: skip
    size = {"shape": np.array([-1 if axis == "batch" else axis for axis in shape])}
    path = classifier_graph(
        tmp_path / "m.onnx", k=1, labels=None, after=after, outputs=[value("out", shape)],
        constants=size,
    )  # fmt: skip
    model = load_onnx(path, Overrides(labels=("other", "angry"), normalize="none"))
    raw = load_onnx(
        classifier_graph(tmp_path / "raw.onnx", k=1, labels=("a", "b"), outputs=None)
    ).backend.scores(voice()[np.newaxis], np.array([16_000]))
    p = 1 / (1 + np.exp(-raw[0, 0]))
    probs = probabilities_of(answer(model, voice()), model.contract.outputs)
    np.testing.assert_allclose(probs, [[1 - p, p]], atol=1e-6)
    assert model.facts["contract"]["one_output"] is True


def test_one_output_without_two_names_says_how_to_name_them(tmp_path):
    path = classifier_graph(tmp_path / "m.onnx", k=1, labels=None)
    for labels in (None, ("a", "b", "c")):
        with pytest.raises(ModelError, match=r"1 output but .* --labels other,angry"):
            load_onnx(path, Overrides(labels=labels))
    with pytest.raises(ModelError, match=r"at least 2 labels, got 1; .* --labels other,angry"):
        load_onnx(path, Overrides(labels=("angry",)))


TRUE = {"ratio": np.float32(0.5), "on": np.array(True)}
RANDOM = {
    "Dropout 'drop'": {
        "after": [node("Dropout", "scores ratio on", "logits", name="drop")],
        "constants": TRUE,
    },
    "Dropout that makes 'logits'": {
        "after": [node("Dropout", "scores ratio on", "logits")],
        "constants": TRUE | {"ratio": np.float32(0.01)},
    },
    "Dropout that makes 'dropped'": {
        "before": [
            node("Unsqueeze", "input_values one", "whole"),
            node("Constant", "", "always", value=helper.make_tensor("t", 9, [], [True])),
            node("Dropout", "whole ratio always", "dropped"),
            node("Identity", "dropped", "wave"),
        ],
        "constants": {"ratio": np.float32(0.1)},
    },
    "RandomNormalLike 'noise'": {
        "after": [
            node("RandomNormalLike", "scores", "n", name="noise"),
            node("Add", "scores n", "logits"),
        ]
    },
    "RandomUniform 'seeded'": {
        "after": [
            node("RandomUniform", "", "n", name="seeded", shape=[1, 8], seed=7.0),
            node("Add", "scores n", "logits"),
        ]
    },
    "Bernoulli 'coin'": {
        "after": [
            node("Sigmoid", "scores", "p"),
            node("Bernoulli", "p", "b", name="coin"),
            node("Add", "scores b", "logits"),
        ]
    },
    "Multinomial 'draw'": {
        "after": [
            node("Multinomial", "scores", "drawn", name="draw", sample_size=8),
            node("Cast", "drawn", "as_float", to=1),
            node("Add", "scores as_float", "logits"),
        ]
    },
    "RandomNormalLike 'within'": {
        "after": [
            node("RandomNormalLike", "scores", "n", name="within"),
            node("If", "yes", "chosen", then_branch=helper.make_graph(
                [node("RandomNormalLike", "scores", "m", name="within"),
                 node("Add", "scores m", "then")], "t", [], [value("then", None)]),
                else_branch=helper.make_graph(
                [node("Identity", "scores", "else")], "e", [], [value("else", None)])),
            node("Identity", "chosen", "logits"),
        ],
        "constants": {"yes": np.array(True)},
    },
    "RandomNormalLike 'inside'": {
        "after": [node("Noisy", "scores", "logits", domain="own")],
        "functions": [
            helper.make_function(
                "own", "Noisy", ["x"], ["y"],
                [node("RandomNormalLike", "x", "n", name="inside"), node("Add", "x n", "y")],
                [helper.make_opsetid("", 20)],
            )
        ],
        "domains": ("own",),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RANDOM)
def test_a_graph_that_is_no_function_is_refused_and_its_node_named(tmp_path, name):
    path = classifier_graph(tmp_path / "m.onnx", **RANDOM[name])
    with pytest.raises(ModelError, match=f"same answer twice, because of .*{name}"):
        load_onnx(path)
    verdicts = [v for v in inspect_model(path).verdicts if v.code in {"random", "training-mode"}]
    assert any(name in verdict.text for verdict in verdicts)


QUIET = {
    "not in training mode": {
        "after": [node("Dropout", "scores ratio off", "logits")],
        "constants": {"ratio": np.float32(0.5), "off": np.array(False)},
    },
    "without the third input": {"after": [node("Dropout", "scores", "logits")]},
    "of nothing": {
        "after": [node("Dropout", "scores none on", "logits")],
        "constants": {"none": np.float32(0), "on": np.array(True)},
    },
    "unused": {
        "after": [node("RandomNormalLike", "scores", "n"), node("Identity", "scores", "logits")]
    },
    "times zero": {
        "after": [
            node("RandomNormalLike", "scores", "n"),
            node("Mul", "n zero", "nothing"),
            node("Add", "scores nothing", "logits"),
        ],
        "constants": {"zero": np.float32(0)},
    },
    "in the branch that is not taken": {
        "after": [
            node("If", "no", "logits", then_branch=helper.make_graph(
                [node("Dropout", "scores ratio on", "then")], "t", [], [value("then", None)]),
                else_branch=helper.make_graph(
                [node("Identity", "scores", "else")], "e", [], [value("else", None)])),
        ],
        "constants": TRUE | {"no": np.array(False)},
    },
}  # fmt: skip


@pytest.mark.parametrize("case", QUIET)
def test_a_random_node_that_changes_nothing_is_no_reason_to_refuse(tmp_path, plain, case):
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", **QUIET[case]))
    np.testing.assert_allclose(answer(model, voice()), answer(plain, voice()), atol=1e-6)


def test_the_built_in_labels_of_a_bare_file_are_a_warning_with_a_remedy(tmp_path):
    bare = load_onnx(classifier_graph(tmp_path / "m.onnx", labels=None))
    labels, normalize, rate = bare.facts["warnings"]
    assert f"taken for {', '.join(EMOTIONS)}, in this order; name them with --labels" in labels
    assert "state --normalize peak, zscore or none" in normalize
    assert "16000 Hz was taken; state it with --sample-rate" in rate
    stated = Overrides(labels=EMOTIONS, normalize="peak", sample_rate=16_000)
    assert "warnings" not in load_onnx(tmp_path / "m.onnx", stated).facts


def test_what_a_file_was_trained_on_is_a_fact_of_it(tmp_path):
    heard = TrainedOn.of_clips([("03-01-05-01-02-01-11.wav", "")], ["RAVDESS"], [])
    metadata = {"trained_on": heard.metadata()}
    model = load_onnx(classifier_graph(tmp_path / "m.onnx", metadata=metadata))
    assert model.facts["trained_on"] == {"corpora": ["RAVDESS"], "splits": [], "n_clips": 1}
    assert model.contract.trained_on.has("copy/03-01-05-01-02-01-11.flac", "")
    for broken in ("RAVDESS", "[" * 100_000, '{"n_clips": NaN}'):
        path = classifier_graph(tmp_path / "b.onnx", metadata={"trained_on": broken})
        facts = load_onnx(path).facts
        assert "trained_on" not in facts
        (warning,) = facts["warnings"]
        assert "trained_on" in warning
        assert "cannot be read" in warning


def test_contracts_of_earlier_runs_keep_their_parts(tmp_path):
    """A run goes on only with an equal identity: what came later shows only where it matters."""
    facts = load_onnx(classifier_graph(tmp_path / "m.onnx")).facts["contract"]
    assert facts.keys() == {
        *("labels", "sample_rate", "normalize", "max_seconds", "input_name", "output_name"),
        *("mask_name", "masks_padding", "static_samples", "outputs", "sources"),
    }


def test_a_model_with_names_that_are_not_utf_8_is_one_line(tmp_path):
    path = classifier_graph(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(b"input_values", b"input_valu\xff\xfe"))
    with pytest.raises(ModelError) as raised:
        load_onnx(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(ModelError, match="a name that is not UTF-8"):
        inspect_model(path)


def test_terminal_escapes_in_names_do_not_reach_messages_and_labels(tmp_path):
    labels = ("angry\x1b[31m", "trés_joyeux/生气")
    path = classifier_graph(tmp_path / "m.onnx", k=2, labels=labels)
    assert tuple(load_onnx(path).labels) == ("angry\\x1b[31m", "trés_joyeux/生气")
    model = onnx.load(path)
    model.graph.input.append(value("\x1b]0;x\x07", [1]))
    onnx.save(model, path)
    with pytest.raises(ModelError) as raised:
        load_onnx(path)
    assert str(raised.value).isprintable()


def test_several_emotions_at_once_need_a_score_for_each(tmp_path):
    bare = classifier_graph(tmp_path / "bare.onnx")
    (tmp_path / "config.json").write_text('{"problem_type": "multi_label_classification"}')
    contract = load_onnx(bare).contract
    assert (contract.outputs, contract.adds_sigmoid) == ("sigmoid", True)
    shares = classifier_graph(tmp_path / "s.onnx", after=[node("Softmax", "scores", "logits")])
    with pytest.raises(ModelError, match=r"heard at once, as .* says, but it has a softmax at its"):
        load_onnx(shares)
    after = [node("Sigmoid", "scores", "logits")]
    model = load_onnx(classifier_graph(tmp_path / "scored.onnx", after=after))
    assert model.facts["contract"]["task"] == "emotions, several at once"

"""What the commands say of models, without a process for each."""

import json
from importlib import import_module

import numpy as np
import pytest
from click.testing import CliRunner

from build import classifier, encoded, labels_metadata, voice
from graphs import classifier_graph, masked, node, value
from serval.commands.evaluate import _mask
from serval.commands.predict import predict_command
from serval.models.onnx import load_onnx


@pytest.mark.parametrize("name", ["bench", "evaluate", "inspect", "predict", "quantize", "stress"])
def test_every_command_that_opens_models_lets_their_output_be_named(name):
    command = getattr(import_module(f"serval.commands.{name}"), f"{name}_command")
    assert any("--output-name" in parameter.opts for parameter in command.params)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(voice()))
    return path


def predicted(*arguments):
    done = CliRunner().invoke(predict_command, [*map(str, arguments), "--json"])
    assert done.exception is None
    return json.loads(done.stdout), done.stderr


def test_predict_says_what_it_assumes_of_a_bare_model(tmp_path, clip):
    _, said = predicted(clip, "-m", classifier_graph(tmp_path / "bare.onnx", labels=None))
    assert said.count("\n") == 3
    assert "name them with --labels" in said
    _, said = predicted(clip, "-m", "serval-tiny")
    assert said == ""


def test_predict_says_what_a_model_of_a_fixed_length_does_not_hear(tmp_path, clip):
    stated = labels_metadata(normalize="none")
    path = classifier(tmp_path / "m.onnx", static=8_000, metadata=stated)
    _, said = predicted(clip, "-m", path)
    assert said == (
        "serval: The model takes exactly 0.5 s: of 1 longer clip the rest was not heard, and 0 "
        "others were filled up with silence where shorter.\n"
    )
    _, said = predicted(clip, "-m", path, "--window", "0.5")
    assert said == ""


def test_predict_takes_independent_scores_as_the_model_gives_them(tmp_path, clip):
    after = [node("Sigmoid", "scores", "logits")]
    path = classifier_graph(tmp_path / "m.onnx", after=after, labels=("a", "b", "c"), k=3)
    (row,), _ = predicted(clip, "-m", path)
    model = load_onnx(path)
    (scores,) = model.scores(voice()[None], np.array([16_000]))
    assert list(row["probabilities"].values()) == pytest.approx(scores.tolist(), abs=1e-3)
    assert row["confidence"] == max(row["probabilities"].values())


def test_predict_takes_the_output_that_is_named(tmp_path, clip):
    after = [node("Identity", "scores", "logits"), node("Neg", "scores", "opposite")]
    outputs = [value("logits", ["batch", 8]), value("opposite", ["batch", 8])]
    path = classifier_graph(tmp_path / "m.onnx", after=after, outputs=outputs)
    (usual,), _ = predicted(clip, "-m", path)
    (named,), _ = predicted(clip, "-m", path, "--output-name", "opposite")
    by_chance = sorted(usual["probabilities"], key=usual["probabilities"].get)
    assert named["emotion"] == by_chance[0]


def test_the_contract_line_says_which_way_round_a_mask_is(tmp_path):
    path = masked(tmp_path / "m.onnx", "padding_mask", 9, marks_padding=True)
    assert _mask(load_onnx(path).contract) == (
        "attention mask 'padding_mask' that marks padding [trial]"
    )

import hashlib
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from build import classifier, encoded, labels_metadata, speech_set, voice, write_manifest
from graphs import classifier_graph, node
from serval.datasets import load_dataset
from serval.errors import ConfigError, LabelError, RunError
from serval.evaluation import evaluate_named, too_many_failures
from serval.options import EvalOptions
from serval.run import load_run
from serval.scores.calibration import calibration_of
from serval.trained_on import HEARD, TrainedOn


@pytest.fixture
def options(model_file, manifest, tmp_path):
    def made(**changes):
        known = {"model": str(model_file), "dataset": str(manifest), "output": str(tmp_path / "o")}
        return EvalOptions(**known | {"plots": False} | changes)

    return made


def test_every_clip_is_evaluated_once_and_saved(options):
    steps = []
    evaluation = evaluate_named(options(), steps.append)
    run = evaluation.run
    assert len(run) == 12
    assert run.complete
    assert (steps[0].done, steps[-1].done, steps[-1].total) == (0, 12, 12)
    assert run.provenance.options == asdict(options())
    assert run.provenance.model["contract"]["sources"]["labels"] == "model metadata"
    assert not evaluation.too_many_failures
    assert not evaluation.reused


def test_assumptions_about_a_bare_model_are_in_every_file(options, tmp_path):
    """Nothing names labels or normalisation: that must not be on a line that -q hides alone."""
    bare = classifier(tmp_path / "bare.onnx")
    evaluation = evaluate_named(options(model=str(bare)))
    warnings = evaluation.document["warnings"]
    assert sum("name them with --labels" in text for text in warnings) == 1
    assert sum("state --normalize" in text for text in warnings) == 1
    assert "name them with --labels" in evaluation.files["summary"].read_text(encoding="utf-8")
    stored = load_run(tmp_path / "o").provenance.model
    assert stored["warnings"] == warnings[: len(stored["warnings"])]


def test_clips_that_the_model_was_trained_on_are_said_to_be(options, manifest, tmp_path):
    clips = list(load_dataset(str(manifest)).clips(0, 5))
    heard = TrainedOn.of_clips(
        [(clip.id, hashlib.sha256(clip.audio.read_bytes()).hexdigest()) for clip in clips], [], []
    )
    metadata = labels_metadata() | {"trained_on": heard.metadata()}
    model = classifier(tmp_path / "heard.onnx", metadata=metadata)
    evaluation = evaluate_named(options(model=str(model)))
    assert [HEARD in notes for notes in evaluation.run.notes] == 5 * [True] + 7 * [False]
    (said,) = [w for w in evaluation.document["warnings"] if "trained" in w]
    assert "5 of these 12 clips" in said
    assert said in evaluation.files["summary"].read_text(encoding="utf-8")
    assert "trained" not in " ".join(
        evaluate_named(options(output=str(tmp_path / "p"))).document["warnings"]
    )


def test_a_sample_is_evaluated_and_said_to_be_one(options, manifest):
    evaluation = evaluate_named(options(sample=4, sample_seed=3))
    assert len(evaluation.run) == 4
    assert any(
        "random sample of 4 of the set's 12 clips" in w for w in evaluation.document["warnings"]
    )
    with pytest.raises(RunError, match="holds another run"):
        evaluate_named(options(sample=4, sample_seed=4))


def test_the_first_clips_are_said_to_be_so(options):
    warnings = evaluate_named(options(limit=4)).document["warnings"]
    assert any("nly the first 4 clips of the set" in text for text in warnings)


def test_the_built_in_model_assumes_nothing(options):
    evaluation = evaluate_named(options(model="serval-tiny", limit=2))
    assert "warnings" not in evaluation.run.provenance.model


def test_confidence_and_calibration_of_independent_scores_are_what_the_model_says(
    options, tmp_path
):
    after = [node("Mul", "scores large", "l"), node("Sigmoid", "l", "logits")]
    constants = {"large": np.float32(40)}
    model = classifier_graph(tmp_path / "s.onnx", after=after, constants=constants)
    evaluation = evaluate_named(options(model=str(model)))
    run = evaluation.run
    by_hand = 1 / (1 + np.exp(-run.logits.astype(np.float64)))
    np.testing.assert_allclose(run.probs, by_hand, atol=1e-6)
    assert run.probs.max() > 0.99
    calibration = calibration_of(run)
    assert calibration.as_is.confidence == pytest.approx(run.probs.max(axis=1).mean(), abs=1e-6)
    hit = np.eye(8)[run.truth]
    brier = ((by_hand - hit) ** 2).sum(axis=1).mean()
    assert calibration.as_is.brier.value == pytest.approx(brier, abs=1e-6)


def test_a_run_of_an_earlier_version_goes_on(options, tmp_path):
    """Its identity has exactly the parts that it always had."""
    evaluate_named(options())
    header = json.loads((tmp_path / "o" / "journal.jsonl").read_text().splitlines()[0])
    assert {key for key in header["identity"] if key.startswith("contract")} == {
        f"contract {part}"
        for part in (
            *("labels", "sample_rate", "normalize", "max_seconds", "input_name", "output_name"),
            *("mask_name", "masks_padding", "static_samples", "outputs"),
        )
    }
    assert evaluate_named(options()).reused


def test_a_complete_run_is_only_scored_again(options):
    first = evaluate_named(options())
    again = evaluate_named(options(workers=1))
    assert again.reused
    assert again.run.logits.tobytes() == first.run.logits.tobytes()


@pytest.mark.usefixtures("empty_pictures")
def test_pictures_are_drawn_unless_told_not_to_and_are_never_of_another_run(options, tmp_path):
    def pictures():
        return {path.name for path in (tmp_path / "o").glob("*.png")}

    files = evaluate_named(options(plots=True)).files
    three = {"confusion_matrix.png", "per_class_metrics.png", "reliability.png"}
    assert pictures() == {path.name for path in files.values()} & three == three
    fewer = evaluate_named(options(limit=5, fresh=True)).files
    assert pictures() == {path.name for path in fewer.values() if path.suffix == ".png"} == set()
    assert {path.name for path in (tmp_path / "o").iterdir()} >= {
        path.name for path in fewer.values()
    }
    assert evaluate_named(options(limit=5, plots=True)).reused
    assert pictures() == three


def test_what_people_read_names_the_set_and_not_the_place_of_it(options, tmp_path):
    evaluation = evaluate_named(options())
    summary = evaluation.files["summary"].read_text(encoding="utf-8")
    assert summary.startswith("# emo on set.csv\n")
    assert str(tmp_path) not in summary
    assert evaluation.document["dataset"]["location"] == str(tmp_path / "clips" / "set.csv")


def test_the_number_of_workers_changes_nothing(options, tmp_path):
    outputs = [
        evaluate_named(options(workers=n, output=str(tmp_path / str(n)))).run for n in (1, 2, 8)
    ]
    assert len({run.logits.tobytes() for run in outputs}) == 1
    assert len({tuple(run.clip_ids) for run in outputs}) == 1


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"limit": 5}, "limit was not given and is now 5"),
        ({"label_map": "angry=sad"}, "label map was"),
        ({"normalize": "none"}, 'contract normalize was "peak" and is now "none"'),
        ({"drop_unmapped": True}, "drop_unmapped was false"),
    ],
)
def test_another_option_in_the_same_folder_is_refused(options, changes, difference):
    before = evaluate_named(options()).files["results"].read_bytes()
    with pytest.raises(RunError, match=difference):
        evaluate_named(options(**changes))
    assert evaluate_named(options()).files["results"].read_bytes() == before
    assert len(evaluate_named(options(**changes, fresh=True)).run)


def test_audio_that_changed_in_place_is_another_dataset(options, manifest):
    evaluate_named(options())
    path = manifest.parent / "clip0000.wav"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:44] + bytes(size - 44))
    with pytest.raises(RunError, match=r"the dataset .* has other content, or is"):
        evaluate_named(options())


def test_a_set_without_any_label_names_the_option(options, tmp_path):
    folder = speech_set(tmp_path / "odd", 2).parent
    rows = [{"path": f"clip000{i}.wav", "label": ""} for i in range(2)]
    with pytest.raises(LabelError, match=r"no clip of .* has a label; .*--label-column"):
        evaluate_named(options(dataset=str(write_manifest(folder / "set.csv", rows))))


def test_another_model_or_dataset_is_refused(options, tmp_path):
    evaluate_named(options())
    other = classifier(tmp_path / "other.onnx", seed=9, metadata=labels_metadata())
    with pytest.raises(RunError, match=r"the model (was|.* has other content)"):
        evaluate_named(options(model=str(other)))
    with pytest.raises(RunError, match=r"the dataset .* has other content, or is"):
        evaluate_named(options(dataset=str(speech_set(tmp_path / "more", 13))))


def test_unknown_labels_stop_before_the_first_clip(options, tmp_path):
    clips = speech_set(tmp_path / "odd", 9, labels=("angry", "bored", "happy"))
    with pytest.raises(LabelError, match=r"'bored' \(3 clips\); known: angry.*--drop-unmapped"):
        evaluate_named(options(dataset=str(clips)))
    assert not (tmp_path / "o").exists()
    evaluation = evaluate_named(options(dataset=str(clips), drop_unmapped=True))
    dropped = evaluation.run
    assert (len(dropped), dropped.dropped) == (6, {"bored": 3})
    unmapped = sorted(set(range(9)) - set(dropped.index.tolist()))
    meta = evaluation.document["metadata"]
    assert (meta["total_samples"], meta["failed_samples"]) == (6, 3)
    assert meta["failed_indices"] == unmapped
    mapped = options(dataset=str(clips), label_map="bored=calm", output=str(tmp_path / "m"))
    assert len(evaluate_named(mapped).run) == 9


def test_a_model_whose_outputs_have_no_names_is_told_how_to_name_them(options, tmp_path):
    nameless = labels_metadata([f"LABEL_{i}" for i in range(8)])
    path = classifier(tmp_path / "nameless.onnx", metadata=nameless)
    with pytest.raises(LabelError, match=r"known: LABEL_0, .*name the model's outputs with --labe"):
        evaluate_named(options(model=str(path)))


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_in_an_older_encoding_is_no_hindrance(options, tmp_path):
    for label in ("angry", "happy"):
        (tmp_path / "old" / label).mkdir(parents=True)
        name = os.fsencode(tmp_path / "old" / label) + b"/caf\xe9.wav"
        Path(os.fsdecode(name)).write_bytes(encoded(voice()) if label == "angry" else b"broken")
    evaluation = evaluate_named(options(dataset=str(tmp_path / "old")))
    assert evaluation.run.clip_ids == ("angry/caf?.wav",)
    assert [failure.clip_id for failure in evaluation.run.failures] == ["happy/caf?.wav"]


def test_half_a_character_in_a_manifest_is_no_hindrance(options, manifest, tmp_path):
    rows = [
        {"path": "clip0000.wav", "label": "sad", "who": "\ud800"},
        {"path": "\udfff.wav", "label": "sad"},
        {"path": "\0.wav", "label": "sad"},
    ]
    path = manifest.with_name("half.jsonl")
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run = evaluate_named(options(dataset=str(path))).run
    assert run.groups == {"who": ("?",)}
    assert [failure.clip_id for failure in run.failures] == ["?.wav", "\\x00.wav"]


def test_a_clip_without_a_label_is_a_failure(options, tmp_path):
    folder = speech_set(tmp_path / "odd", 3).parent
    rows = [
        {"path": f"clip000{i}.wav", "label": label} for i, label in enumerate(["sad", "", "sad"])
    ]
    evaluation = evaluate_named(options(dataset=str(write_manifest(folder / "set.csv", rows))))
    (failure,) = evaluation.run.failures
    assert (failure.index, failure.reason) == (1, "the dataset gives no label")
    assert len(evaluation.run) == 2
    assert "no label" in evaluation.files["failures"].read_text(encoding="utf-8")


def test_only_unmapped_labels_leave_nothing_to_do(options, tmp_path):
    clips = speech_set(tmp_path / "odd", 3, labels=("bored",))
    with pytest.raises(LabelError, match="bored"):
        evaluate_named(options(dataset=str(clips), drop_unmapped=True))


def test_a_run_goes_on_after_an_error(options, monkeypatch, tmp_path):
    def stop_at_five(step):
        if step.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_named(options(), stop_at_five)
    steps = []
    resumed = evaluate_named(options(), steps.append).run
    assert steps[0].resumed == 5
    whole = evaluate_named(options(output=str(tmp_path / "whole"))).run
    assert resumed.logits.tobytes() == whole.logits.tobytes()
    assert resumed.clip_ids == whole.clip_ids


def test_bad_clips_are_counted_and_may_be_too_many(options, tmp_path):
    folder = tmp_path / "bad"
    rows = [
        {"path": f"{name}.wav", "label": "sad"}
        for name in ("good", "empty", "noise", "short", "gone")
    ]
    folder.mkdir()
    (folder / "good.wav").write_bytes(encoded(voice()))
    (folder / "empty.wav").write_bytes(b"")
    (folder / "noise.wav").write_bytes(b"noise" * 100)
    (folder / "short.wav").write_bytes(encoded(voice(seconds=0.001)))
    evaluation = evaluate_named(options(dataset=str(write_manifest(folder / "set.csv", rows))))
    assert evaluation.too_many_failures
    assert len(evaluation.run) == 1
    stages = [failure.stage for failure in evaluation.run.failures]
    assert stages == ["read", "decode", "model", "read"]
    document = json.loads(evaluation.files["results"].read_text(encoding="utf-8"))
    assert document["metadata"]["failed_samples"] == 4
    lenient = options(dataset=str(folder / "set.csv"), max_failures=0.8)
    assert not evaluate_named(lenient).too_many_failures


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"limit": 0}, "--limit 0 leaves no clip"),
        ({"workers": 0}, "--workers is 0"),
        ({"output": ""}, "--output is empty"),
        ({"output": "a\udcff"}, "--output 'a.' is not UTF-8"),
        ({"max_failures": 1.5}, "--max-failures is 1.5"),
        ({"normalize": "loud"}, "unknown --normalize 'loud'"),
    ],
)
def test_wrong_options_are_one_line(options, changes, reason):
    with pytest.raises(ConfigError, match=reason):
        evaluate_named(options(**changes))


@pytest.fixture
def other_labels(tmp_path):
    """Clips of a set that knows excitement and boredom, and none of surprise, disgust and fear."""
    labels = ("ang", "exc", "neu", "sad", "bor")
    return speech_set(tmp_path / "other", 15, labels=labels)


def test_a_preset_is_what_truth_and_answers_count_as(options, other_labels):
    plain = options(dataset=str(other_labels), label_map="exc=happy", drop_unmapped=True)
    of_model = evaluate_named(plain).run
    preset = options(
        dataset=str(other_labels), label_map="iemocap4", output=f"{plain.output}-4", restrict=True
    )
    done = evaluate_named(preset)
    run = done.run
    assert run.labels == ("angry", "neutral", "disgust", "fearful", "happy", "sad", "surprised")
    assert run.dropped == {"bor": 3}
    calm, neutral = (of_model.labels.index(label) for label in ("calm", "neutral"))
    joined = of_model.probs[:, calm] + of_model.probs[:, neutral]
    assert run.probs[:, 1] == pytest.approx(joined, abs=1e-6)
    assert {run.labels[i] for i in run.truth} == {"angry", "happy", "neutral", "sad"}
    part = done.document["label_space"]
    assert (part["preset"], part["full_set"]["unknown"]) == ("iemocap4", {"bor": 3})
    assert part["restricted"]["others"] == ["disgust", "fearful", "surprised"]
    said = (done.run.folder / "summary.md").read_text(encoding="utf-8")
    assert "excited counts as happy and calm counts as neutral" in said
    assert "Full set: with the further clips as errors (3 of labels that the preset" in said
    assert "Restricted to the 4 labels that model and set both know" in said


def test_restricting_asks_the_model_nothing_again(options, other_labels):
    plain = options(dataset=str(other_labels), label_map="exc=happy", drop_unmapped=True)
    assert evaluate_named(plain).document["label_space"]["restricted"] is None
    again = evaluate_named(replace(plain, restrict=True))
    assert again.reused
    assert again.document["label_space"]["restricted"]["scores"].keys() == {
        "wa", "uar", "macro_f1",
    }  # fmt: skip


def test_another_preset_is_another_run(options, other_labels):
    first = options(dataset=str(other_labels), label_map="iemocap4")
    evaluate_named(first)
    with pytest.raises(RunError, match="label preset was"):
        evaluate_named(replace(first, label_map="big7"))


@pytest.mark.parametrize("failed", [29, 57, 58])
def test_just_as_many_failures_as_are_allowed_are_not_too_many(failed):
    run = type("Run", (), {"failures": range(failed), "__len__": lambda _: 100 - failed})()
    assert not too_many_failures(run, failed / 100)
    assert too_many_failures(run, (failed - 1) / 100)

from dataclasses import replace

import numpy as np
import pytest
from audmetric import concordance_cc
from sklearn.metrics import f1_score

from build import speech_set
from serval.errors import ConfigError, LabelError
from serval.labels import LabelSet
from serval.quantize.choice import pareto_front
from serval.quantize.clips import (
    Clips,
    calibration_clips,
    evaluation_clips,
    fidelity,
    value_words,
)
from serval.quantize.judged import by_accuracy, by_ccc, by_macro_f1
from serval.quantize.options import QuantizeOptions
from serval.quantize.workbench import evaluated_in_fp32, open_workbench
from serval.scores.clusters import clustering_of

REFERENCE = np.float32([[2, 0], [0, 2], [1, 0], [0, 1]])


def clips(truth=None):
    labels = LabelSet(["angry", "sad"])
    return Clips(
        name="s",
        waveforms=(),
        reference=REFERENCE,
        labels=labels,
        truth=truth,
        judge=None if truth is None else by_accuracy,
    )


def test_equal_logits_are_perfectly_true():
    found = fidelity(REFERENCE, clips(np.array([0, 1, 0, 0])))
    assert (found.agreement, found.logit_error, found.divergence) == (1, 0, 0)
    judged = found.judged
    assert (judged.right, judged.a, judged.b, judged.drop) == ((3, 3), 0.75, 0.75, 0)


def test_a_lost_clip_is_counted_in_points():
    logits = REFERENCE.copy()
    logits[3] = [1, 0]
    found = fidelity(logits, clips(np.array([0, 1, 0, 1])))
    assert found.agreement == 0.75
    assert (found.judged.drop, found.document["drop"], found.document["accuracy"]) == (25, 25, 0.75)
    assert found.divergence > 0


def test_one_clip_of_values_has_no_ccc():
    of_one = replace(clips(), reference=np.float32([[0.5, 0.2]]), outputs="values")
    said = value_words(fidelity(np.float32([[0.75, 0.2]]), of_one))
    assert said == "one clip has no CCC with FP32, and moves angry by 0.25, sad by 0"
    of_two = replace(of_one, reference=np.float32([[0.5, 0.2], [0.25, 0.2]]))
    said = value_words(fidelity(of_two.reference, of_two))
    assert said == (
        "CCC with FP32 on 2 clips: angry 1.0000 (moves by 0 at most), sad none (moves by 0 at most)"
    )


def test_several_emotions_are_judged_by_macro_f1_and_the_change_is_b_minus_a():
    rng = np.random.default_rng(0)
    truth = rng.random((60, 3)) < 0.4
    sides = tuple(rng.normal(truth, spread).astype(np.float32) - 0.5 for spread in (0.3, 0.9))
    found = by_macro_f1(truth, sides, clustering_of([None] * 60))
    a, b = (f1_score(truth, side >= 0, average="macro") for side in sides)
    assert (found.a, found.b) == pytest.approx((a, b))
    assert (found.change.value, found.drop) == pytest.approx((b - a, 100 * (a - b)))
    assert found.verdict() == "worse"


def test_dimensions_are_judged_by_the_mean_ccc_of_what_each_clip_is_rated_in():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (60, 2))
    sides = tuple(rng.normal(truth, spread).astype(np.float32) for spread in (0.2, 0.9))
    truth[:20, 0] = truth[50:, 1] = np.nan
    found = by_ccc(truth, sides, clustering_of([None] * 60))
    a, b = (
        (concordance_cc(truth[20:, 0], side[20:, 0]) + concordance_cc(truth[:50, 1], side[:50, 1]))
        / 2
        for side in sides
    )
    assert (found.a, found.b) == pytest.approx((a, b))
    assert (found.change.value, found.drop) == pytest.approx((b - a, 100 * (a - b)))
    assert found.verdict() == "worse"


def test_without_truth_there_is_no_accuracy():
    found = fidelity(REFERENCE, clips())
    assert found.judged is None
    judged = fidelity(REFERENCE, clips(np.array([0, 1, 0, 1])))
    assert found.document.keys() == judged.document.keys()
    assert (found.document["accuracy"], found.document["drop"]) == (None, None)


def test_calibration_clips_are_spread_over_the_set(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 12)
    options = QuantizeOptions(calibration=str(manifest))
    chosen = calibration_clips(options, 4, bench.model, 1)
    everything = calibration_clips(options, 99, bench.model, 1)
    assert len(everything.waveforms) == 12
    assert len(chosen.waveforms) == 4
    np.testing.assert_array_equal(chosen.waveforms[0], everything.waveforms[0])
    np.testing.assert_array_equal(chosen.waveforms[-1], everything.waveforms[-1])


def test_ranges_and_choices_never_see_the_same_clip(bench):
    ids = [{id(wave) for wave in part.waveforms} for part in (bench.calibration, bench.held_out)]
    assert not ids[0] & ids[1]
    assert len(ids[0]) + len(ids[1]) == 18


@pytest.mark.parametrize(
    ("calibration", "split", "said"),
    [
        ("set/set.csv", None, "set.csv has no train split, so the recipe was chosen on clips that"),
        ("set/../set/set.csv", None, "set.csv has no train split"),
        ("other/set.csv", None, None),
        ("set/split.csv", "train", "the recipe was chosen on split.csv train, on which"),
        ("set/split.csv", "test", None),
    ],
)
def test_clips_that_chose_the_recipe_and_measure_it_are_told(
    bench, tmp_path, calibration, split, said
):
    for name in ("set", "other"):
        path = speech_set(tmp_path / name, 4)
    rows = path.read_text("utf-8").splitlines()
    splits = ["split", "train", "train", "test", "test"]
    lines = [f"{row},{split}" for row, split in zip(rows, splits, strict=True)]
    (tmp_path / "set" / "split.csv").write_text("\n".join(lines), "utf-8")
    told = []
    options = QuantizeOptions(
        calibration=str(tmp_path / calibration),
        evaluation=str(tmp_path / "set" / ("split.csv" if split else "set.csv")),
        split=split,
    )
    calibrated = calibration_clips(options, 3, bench.model, 1)
    evaluated_in_fp32(replace(bench, options=options, calibration=calibrated, tell=told.append))
    notes = [line for line in told if line.startswith("note: ")]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


def test_two_calibration_clips_are_not_held_out(bench, tmp_path):
    few = bench.calibration.part(range(2))
    place = (tmp_path, 1, lambda _line: None)
    opened = open_workbench(bench.model, bench.graph, few, QuantizeOptions(), place)
    assert opened.held_out is opened.calibration


def test_broken_clips_are_left_out_of_the_evaluation(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 8)
    (tmp_path / "set" / "clip0003.wav").write_bytes(b"not audio")
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest))
    found = evaluation_clips(options, bench.model, 1)
    assert len(found.waveforms) == 7
    assert found.truth.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert found.left_out == "not decodable: 1"


def test_labels_that_the_model_does_not_have_are_counted(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 6, labels=("angry", "bored", "sad"))
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest), drop_unmapped=True)
    found = evaluation_clips(options, bench.model, 1)
    assert len(found.waveforms) == 4
    assert found.left_out == "label unknown to the model: 'bored' (2)"
    mapped = replace(options, label_map="bored=neutral", drop_unmapped=False)
    assert evaluation_clips(mapped, bench.model, 1).left_out == ""


def test_an_entry_of_the_label_map_that_fits_no_label_is_told(bench, tmp_path):
    manifest, told = speech_set(tmp_path / "set", 3), []
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest), label_map="angri=angry")
    evaluated_in_fp32(replace(bench, options=options, calibration=None, tell=told.append))
    assert told[1].startswith("note: --label-map angri=angry does nothing: no clip is labelled ")


def test_an_unknown_label_stops_unless_its_clips_may_be_dropped_as_in_evaluate(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 6, labels=("angry", "bored", "sad"))
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest))
    with pytest.raises(LabelError, match=r"'bored' \(2 clips\).*--drop-unmapped"):
        evaluation_clips(options, bench.model, 1)


def test_a_clip_without_a_label_is_counted_and_not_taken_for_an_unknown_one(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 6, labels=("angry", "", "sad"))
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest))
    found = evaluation_clips(options, bench.model, 1)
    assert found.left_out == "without a label: 2"
    assert found.truth.tolist() == [0, 6, 0, 6]


def test_the_divergence_of_independent_scores_is_a_sum_over_labels():
    """By hand: each label is a coin of its own, 0.5 against 0.25."""
    scores = replace(clips(), reference=np.zeros((1, 2), np.float32), outputs="sigmoid")
    found = fidelity(np.full((1, 2), -np.log(3), np.float32), scores)
    by_hand = 2 * (0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75))
    assert found.divergence == pytest.approx(by_hand, rel=1e-6)


def test_a_set_without_a_known_label_says_which_it_has(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 4, labels=("bored", "tired"))
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest))
    with pytest.raises(
        LabelError, match=r"'bored' \(2 clips\), 'tired' \(2 clips\); known: angry, .*--label-map"
    ):
        evaluation_clips(options, bench.model, 1)


def test_a_preset_is_for_evaluation_and_not_for_the_model_s_own_labels(bench, tmp_path):
    manifest = speech_set(tmp_path / "set", 4, labels=("ang", "exc"))
    options = QuantizeOptions(method="dynamic", evaluation=str(manifest), label_map="iemocap4")
    with pytest.raises(LabelError, match="measured on the model's own labels; give RAW=label"):
        evaluation_clips(options, bench.model, 1)


def test_the_pareto_front_keeps_equal_files_and_drops_what_is_larger_for_nothing():
    assert pareto_front([1, 1, 2], np.zeros((3, 3, 2), dtype=bool)) == [True, True, False]


@pytest.mark.parametrize("what", [0, 1], ids=["faster", "more accurate"])
def test_only_what_is_shown_keeps_a_larger_file_on_the_pareto_front(what):
    shown = np.zeros((3, 3, 2), dtype=bool)
    shown[2, 0, what] = True  # and nothing of the last two, so the middle one is in its way
    assert pareto_front([1, 2, 3], shown) == [True, False, True]
    shown[1, 0, what] = True
    assert pareto_front([1, 2, 3], shown) == [True, True, False]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": "magic"}, "known: static, dynamic, int4"),
        ({"method": "int4", "qdq": True}, "not --method int4"),
        ({"method": "static"}, "give --calibration"),
        ({"method": "dynamic", "clips": 0}, "give at least 1"),
        ({"method": "dynamic", "max_drop": 1, "evaluation": "demo"}, "not dynamic"),
        (
            {"calibration": "demo", "runtimes": ("openvino",)},
            "--runtime would change nothing: only",
        ),
        ({"calibration": "demo", "block": 32}, "--block would change nothing: only --method int4"),
        ({"method": "dynamic", "clips": 9}, "--clips would change nothing: the clips are those of"),
        ({"calibration": "demo", "split": "test", "limit": 3}, "--split and --limit would change"),
        (
            {"method": "int4", "label_map": "ANG=angry"},
            "of --eval, which is not given; leave it out",
        ),
        ({"method": "dynamic", "audio_column": "wav"}, "neither --calibration nor --eval is given"),
    ],
)
def test_options_are_checked_before_anything_is_read(wrong, said):
    with pytest.raises(ConfigError, match=said):
        QuantizeOptions(**wrong).check()


def test_what_a_comparison_or_a_search_uses_is_no_unused_option():
    both = {"calibration": "demo", "evaluation": "demo", "split": "test", "clips": 9}
    QuantizeOptions(**both, block=32, runtimes=("openvino",)).check(compared=True)
    QuantizeOptions(**both, block=32, max_drop=1).check()
    QuantizeOptions(method="dynamic", evaluation="demo").check(compared=True)
    with pytest.raises(ConfigError, match="--method would change nothing: --compare-all makes"):
        QuantizeOptions(**both, method="int4").check(compared=True)

from dataclasses import replace

import numpy as np
import pytest

from runs import run_of
from serval.scores import scores_of
from serval.scores.chance import restricted
from serval.scores.label_space import full_set_of, restricted_of

LABELS = ("angry", "calm", "happy", "sad")
DRAWS = 400


def test_the_full_set_counts_what_has_no_answer_as_errors(tmp_path):
    truth = [0] * 4 + [2] * 4
    run = run_of(tmp_path, truth, [0, 0, 0, 2, 2, 2, 0, 2], labels=LABELS, failures=2)
    full = full_set_of(replace(run, dropped={"boredom": 5, "gone": 0}), resamples=DRAWS)
    assert (full.n, full.classes, full.failed) == (15, 3, 2)
    assert full.unknown == {"boredom": 5}
    # Two failed clips are angry: 3 of 6 angry ones and 3 of 4 happy ones are right, no bored one.
    assert full.scores["uar"].value == pytest.approx((3 / 6 + 3 / 4 + 0) / 3)
    assert full.scores["wa"].value == pytest.approx(6 / 15)
    f1 = (2 * 3 / (6 + 4), 2 * 3 / (4 + 4), 0)
    assert full.scores["macro_f1"].value == pytest.approx(sum(f1) / 3)


def test_spellings_of_one_unknown_label_are_one_emotion(tmp_path):
    run = run_of(tmp_path, [0, 2], [0, 2], labels=LABELS)
    full = full_set_of(replace(run, dropped={"Boredom": 2, "boredom": 3}), resamples=DRAWS)
    assert (full.classes, full.unknown) == (3, {"Boredom": 5})
    assert full.scores["uar"].value == pytest.approx(2 / 3)


def test_its_interval_is_that_of_the_fair_subset_scaled_where_only_labels_are_unknown(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2, 3], 60)
    predicted = np.where(rng.random(240) < 0.7, truth, rng.integers(0, 4, 240))
    speakers = [f"s{i % 30}" for i in range(240)]
    run = run_of(tmp_path, truth, predicted, labels=LABELS, speakers=speakers)
    fair = scores_of(run, resamples=2000).overall["uar"]
    full = full_set_of(replace(run, dropped={"boredom": 60}), resamples=2000).scores["uar"]
    assert full.value == pytest.approx(fair.value * 4 / 5)
    width = (full.high - full.low) / (fair.high - fair.low)
    assert width == pytest.approx(4 / 5, abs=0.08)


def test_a_run_that_answers_every_clip_has_no_other_full_set(tmp_path):
    assert full_set_of(run_of(tmp_path, [0, 1], [0, 1]), resamples=DRAWS) is None


def test_restricted_answers_are_among_shared_labels_with_their_probabilities_made_one(tmp_path):
    logits = np.log([[0.1, 0.5, 0.3, 0.1], [0.2, 0.1, 0.6, 0.1], [0.3, 0.6, 0.06, 0.04]])
    run = run_of(tmp_path, [2, 2, 0], labels=LABELS, logits=logits)
    within = restricted(run)
    assert within.predicted.tolist() == [2, 2, 0]
    expected = [[0.25, 0, 0.75, 0], [0.25, 0, 0.75, 0], [5 / 6, 0, 1 / 6, 0]]
    assert within.probs == pytest.approx(np.array(expected), abs=1e-6)
    found = restricted_of(run, resamples=DRAWS)
    assert (found.labels, found.others, found.changed) == (("angry", "happy"), ("calm", "sad"), 2)
    assert found.confidence == pytest.approx((0.75 + 0.75 + 5 / 6) / 3)
    assert found.scores["uar"].value == 1.0


def test_independent_scores_are_not_divided(tmp_path):
    run = run_of(tmp_path, [0, 2], logits=[[0.0, 3.0, -1.0], [0.0, 3.0, 1.0]])
    contract = {"contract": {"outputs": "sigmoid"}}
    sigmoid = replace(run, provenance=replace(run.provenance, model=contract))
    within = restricted(sigmoid)
    assert within.predicted.tolist() == [0, 2]
    assert within.probs[0] == pytest.approx([0.5, 0.0, 1 / (1 + np.e)], abs=1e-6)


def test_nothing_is_restricted_where_the_set_has_every_label(tmp_path):
    assert restricted_of(run_of(tmp_path, [0, 1, 2], [0, 1, 1]), resamples=DRAWS) is None

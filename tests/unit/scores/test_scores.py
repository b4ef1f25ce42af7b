import json
import tracemalloc

import numpy as np
import pytest

from runs import noisy, run_of
from serval.scores import METRICS, OVERALL, chance, intervals, scores_of
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.metrics import confusion_matrix, macro_f1, precision, uar, wa, weighted_f1
from serval.scores.score import score_columns

RNG = np.random.default_rng(4)
TRUTH = RNG.integers(0, 3, 300)
PREDICTED = noisy(TRUTH, 0.8, RNG)
SPEAKERS = [f"s{i % 30}" for i in range(300)]


@pytest.fixture
def run(tmp_path):
    return run_of(tmp_path / "r", TRUTH, PREDICTED, speakers=SPEAKERS)


def test_values_are_those_of_the_metrics(run):
    scores = scores_of(run)
    counts = confusion_matrix(run.truth, run.predicted, run.labels)
    assert scores.n == 300
    assert scores.classes_averaged == 3
    for name, score in (
        ("wa", wa),
        ("uar", uar),
        ("macro_f1", macro_f1),
        ("weighted_f1", weighted_f1),
    ):
        assert scores.overall[name].value == pytest.approx(score(counts))
    for i, label in enumerate(run.labels):
        row = scores.per_class[label]
        assert row.precision.value == pytest.approx(precision(counts)[i])
        assert row.support == counts[i].sum()
        assert row.recall.low <= row.recall.value <= row.recall.high


def test_it_says_what_was_drawn_and_how_often(run):
    scores = scores_of(run, resamples=500, seed=3)
    drawn = scores.resampling
    assert (drawn.by, drawn.clusters, drawn.effective) == ("speaker", 30, 30.0)
    assert (drawn.level, drawn.resamples, drawn.seed) == (0.95, 500, 3)
    assert scores.warnings == ()


def test_same_seed_same_intervals(run):
    assert scores_of(run, seed=1) == scores_of(run, seed=1)
    assert scores_of(run, seed=1).overall != scores_of(run, seed=2).overall


def test_speakers_that_differ_widen_the_interval(tmp_path):
    truth = np.zeros(400, dtype=int)
    predicted = np.repeat([0, 1], 200)
    speakers = [f"s{i // 20}" for i in range(400)]
    clustered = scores_of(run_of(tmp_path / "a", truth, predicted, speakers=speakers))
    by_clip = scores_of(run_of(tmp_path / "b", truth, predicted))
    widths = [s.overall["wa"].high - s.overall["wa"].low for s in (clustered, by_clip)]
    assert widths[0] > 3 * widths[1]
    assert "Speakers are not known" in by_clip.warnings[0]


def test_guessing_stands_beside_the_score(tmp_path):
    truth = [0] * 6 + [1] * 3 + [2]
    baselines = scores_of(run_of(tmp_path, truth, truth)).baselines
    assert baselines["random"]["wa"] == pytest.approx(1 / 3)
    assert baselines["random"]["uar"] == pytest.approx(1 / 3)
    assert baselines["majority"]["wa"] == pytest.approx(0.6)
    assert baselines["majority"]["uar"] == pytest.approx(1 / 3)
    assert baselines["majority"]["macro_f1"] == pytest.approx(0.25)


def test_a_class_without_clips_has_no_score(tmp_path):
    scores = scores_of(run_of(tmp_path, [0, 0, 1, 1] * 5, [0, 0, 1, 0] * 5))
    assert scores.classes_averaged == 2
    assert np.isnan(scores.per_class["sad"].recall.value)
    assert np.isnan(scores.per_class["sad"].f1.low)
    assert scores.overall["uar"].value == pytest.approx(0.75)


def test_a_run_without_clips_has_no_scores(tmp_path):
    scores = scores_of(run_of(tmp_path, [], []))
    assert scores.n == 0
    assert np.isnan([interval.value for interval in scores.overall.values()]).all()
    assert np.isnan([interval.low for interval in scores.overall.values()]).all()


def test_as_dict_holds_plain_types(run):
    content = json.loads(json.dumps(scores_of(run).as_dict()))
    assert content["overall"].keys() == set(METRICS)
    assert content["per_class"]["happy"]["f1"].keys() == {"value", "low", "high"}


def test_columns_of_a_stack():
    stack = np.array([[[3, 1], [0, 2]], [[1, 1], [1, 1]]])
    columns = score_columns(stack)
    assert columns.shape == (2, len(OVERALL) + 6)
    assert columns[1].tolist() == [0.5] * (len(OVERALL) + 6)
    assert columns[0, OVERALL.index("wa")] == pytest.approx(5 / 6)


def test_intervals_of_a_perfect_model_by_clip():
    tables = cluster_tables([0] * 30 + [3] * 30, 4, clustering_of([None] * 60))
    found = dict(zip(OVERALL, intervals(tables, 2, 200, np.random.default_rng(0)), strict=False))
    assert found["wa"].high == 1.0
    assert found["wa"].low == pytest.approx(0.94, abs=0.005)


def test_answers_that_the_set_does_not_have_are_told_and_guessing_knows_its_labels(tmp_path):
    truth = np.array([0, 1] * 20)
    logits = np.zeros((40, 4))
    logits[np.arange(40), truth] = 1.0
    logits[:10, 3] = 2.0
    logits[np.arange(10, 14), 1 - truth[10:14]] = 0.5
    run = run_of(tmp_path, truth, labels=("angry", "calm", "happy", "sad"), logits=logits)
    scores = scores_of(run)
    assert (scores.outside.n, scores.outside.labels) == (10, ("sad",))
    assert scores.outside.among == ("angry", "calm")
    assert scores.overall["wa"].value == 0.75
    assert scores.outside.accuracy.value == 1.0
    assert scores.warnings[0].startswith("10 of 40 answers are labels that no scored clip has")
    assert "among the others (2 labels) only, the model is right in 100" in scores.warnings[0]
    assert scores.baselines["random"]["wa"] == pytest.approx(0.5)
    assert scores.baselines["random"]["uar"] == pytest.approx(0.5)


def test_a_set_of_one_label_leaves_every_label_to_guess(tmp_path):
    scores = scores_of(run_of(tmp_path, [0] * 8, [0] * 6 + [1, 2]))
    assert scores.baselines["random"]["wa"] == pytest.approx(1 / 3)
    assert scores.outside.n == 0
    assert chance(np.array([8, 0, 0])) == pytest.approx(1 / 3)
    assert chance(np.array([8, 1, 0])) == 0.5


def test_a_thousand_labels_take_bounded_memory():
    k, n = 1000, 1500
    rng = np.random.default_rng(0)
    truth = rng.integers(0, k, n)
    predicted = np.where(rng.random(n) < 0.6, truth, rng.integers(0, k, n))
    names = [f"s{i % 40}" for i in range(n)]
    tracemalloc.start()
    tables = cluster_tables(truth * k + predicted, k * k, clustering_of(names))
    found = dict(zip(OVERALL, intervals(tables, k, 200, rng), strict=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
    assert found["wa"].value == pytest.approx((truth == predicted).mean())
    assert found["uar"].low < found["uar"].value < found["uar"].high

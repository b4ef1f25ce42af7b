import warnings

import audmetric
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from serval.errors import LabelError
from serval.labels import LabelSet
from serval.scores.metrics import (
    classification_report,
    confusion_matrix,
    f1,
    in_truth,
    macro,
    macro_f1,
    occurring,
    precision,
    predictions,
    recall,
    support,
    uar,
    wa,
    weighted,
    weighted_f1,
)

LABELS = LabelSet("abcdefgh")


@st.composite
def answers(draw):
    """Labels, truth and predictions; often with classes that one or both never name."""
    k = draw(st.integers(2, 8))
    n = draw(st.integers(1, 40))
    ids = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    return LabelSet(LABELS[:k]), draw(ids), draw(ids)


def check_against_scikit_learn(case):
    labels, truth, predicted = case
    counts = confusion_matrix(truth, predicted, labels)
    ids = range(len(labels))
    p, r, f, n = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, labels=ids, zero_division=0
    )
    for mine, its in ((precision, p), (recall, r), (f1, f)):
        np.testing.assert_allclose(np.nan_to_num(mine(counts)), its, atol=1e-12)
    assert support(counts).tolist() == n.tolist()
    present, seen = n > 0, occurring(counts)
    assert in_truth(counts).tolist() == present.tolist()
    assert wa(counts) == pytest.approx(np.mean(np.equal(truth, predicted)))
    assert uar(counts) == pytest.approx(r[present].mean())
    assert macro_f1(counts) == pytest.approx(f[present].mean())
    assert weighted_f1(counts) == pytest.approx(np.average(f, weights=n))
    assert weighted(precision(counts), counts) == pytest.approx(np.average(p, weights=n))
    assert macro(precision(counts), seen) == pytest.approx(p[seen].mean())


def check_against_audmetric(case):
    """Audmetric averages every class that occurs; without truth clips a recall counts as 0."""
    labels, truth, predicted = case
    counts = confusion_matrix(truth, predicted, labels)
    classes = np.flatnonzero(occurring(counts)).tolist()
    known = {"labels": classes, "zero_division": 0}
    assert wa(counts) == pytest.approx(audmetric.accuracy(truth, predicted, labels=classes))
    theirs = audmetric.unweighted_average_recall(truth, predicted, **known)
    assert uar(counts) * in_truth(counts).sum() == pytest.approx(theirs * len(classes))
    theirs = audmetric.unweighted_average_fscore(truth, predicted, **known)
    assert macro_f1(counts) * in_truth(counts).sum() == pytest.approx(theirs * len(classes))
    theirs = audmetric.unweighted_average_precision(truth, predicted, **known)
    assert macro(precision(counts), occurring(counts)) == pytest.approx(theirs)


@settings(max_examples=150)
@given(answers())
def test_scores_equal_scikit_learn_and_audmetric(case):
    check_against_scikit_learn(case)
    check_against_audmetric(case)


@pytest.mark.slow
@pytest.mark.parametrize("n_cases", [500, pytest.param(10_000, marks=pytest.mark.weekly)])
def test_many_cases_equal_scikit_learn_and_audmetric(n_cases):
    """Drawn here: hypothesis would take two thirds of the time again to draw so many."""
    rng = np.random.default_rng(0)
    for _ in range(n_cases):
        k, n = rng.integers(2, 9), rng.integers(1, 41)
        # Of some of the labels only, so that many are never named.
        truth, predicted = (rng.integers(0, rng.integers(1, k + 1), n).tolist() for _ in range(2))
        case = LabelSet(LABELS[:k]), truth, predicted
        check_against_scikit_learn(case)
        check_against_audmetric(case)


@settings(max_examples=60)
@given(answers())
def test_named_functions_of_scikit_learn_agree(case):
    labels, truth, predicted = case
    counts = confusion_matrix(truth, predicted, labels)
    ids = range(len(labels))
    expected = sklearn_metrics.confusion_matrix(truth, predicted, labels=ids)
    np.testing.assert_array_equal(counts, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert uar(counts) == pytest.approx(
            sklearn_metrics.balanced_accuracy_score(truth, predicted)
        )
    expected = sklearn_metrics.classification_report(
        truth, predicted, labels=ids, target_names=labels, output_dict=True, zero_division=0
    )
    mine = classification_report(counts, labels)
    assert mine.keys() - expected.keys() <= {"accuracy"}
    for name, row in expected.items():
        if isinstance(row, dict) and name != "micro avg":
            assert mine[name] == pytest.approx(row)


@settings(max_examples=60)
@given(st.lists(answers(), min_size=1, max_size=5))
def test_a_stack_scores_as_its_matrices_one_by_one(cases):
    stack = np.stack([confusion_matrix(t, p, LABELS) for _, t, p in cases])
    for score in (wa, uar, macro_f1, weighted_f1, precision, recall, f1, support, predictions):
        np.testing.assert_allclose(score(stack), [score(counts) for counts in stack])


def test_no_clip_no_score():
    empty = confusion_matrix([], [], LABELS)
    for score in (wa, uar, macro_f1, weighted_f1):
        assert np.isnan(score(empty))
    assert np.isnan(recall(empty)).all()


def test_a_score_of_one_matrix_is_a_plain_float():
    counts = confusion_matrix([0, 1], [0, 0], LABELS)
    assert {type(score(counts)) for score in (wa, uar, macro_f1, weighted_f1)} == {float}


def test_a_class_that_is_only_predicted_does_not_count():
    counts = confusion_matrix([0, 0, 1, 1], [0, 2, 1, 1], LABELS)
    assert uar(counts) == 0.75


def test_answers_that_do_not_match_are_refused():
    with pytest.raises(LabelError, match="2 truth labels but 1 predicted labels"):
        confusion_matrix([0, 1], [0], LABELS)
    with pytest.raises(LabelError, match=r"must lie in 0\.\.7"):
        confusion_matrix([0, 1], [0, 8], LABELS)
    with pytest.raises(LabelError, match=r"must lie in 0\.\.7"):
        confusion_matrix([-1, 1], [0, 7], LABELS)

import numpy as np
import pytest

from serval.scores import OVERALL
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.paired import PairOptions, Panel
from serval.scores.score import (
    effective_clusters,
    intervals,
    margin_tables,
    margins_of_sums,
    score_columns,
)
from serval.scores.stats import Difference, mcnemar_exact, verdict
from serval.scores.uncertainty import (
    Uncertainty,
    few_clusters_factor,
    linear_errors,
    mean_of,
    uncertainty_of_mean,
)

K = 4


def alike(speakers, clips, rng):
    """Speakers who, by chance or by construction, are all right equally often."""
    truth = rng.integers(0, K, clips)
    right = np.arange(clips) % 5 > 0
    predicted = np.where(right, truth, (truth + 1) % K)
    return truth, predicted, [f"s{i // 5 % speakers}" for i in range(clips)]


def found_intervals(truth, predicted, speakers):
    tables = cluster_tables(truth * K + predicted, K * K, clustering_of(speakers))
    return intervals(tables, K, 400, np.random.default_rng(0))


@pytest.mark.parametrize("speakers", [2, 4, 10])
def test_no_score_is_surer_than_of_as_many_independent_clips(speakers):
    truth, predicted, names = alike(speakers, 400, np.random.default_rng(1))
    clustered = found_intervals(truth, predicted, names)
    by_clip = found_intervals(truth, predicted, [None] * 400)
    for i, (mine, alone) in enumerate(zip(clustered, by_clip, strict=True)):
        assert mine.high - mine.low >= 0.93 * (alone.high - alone.low), i


@pytest.mark.parametrize("speakers", [2, 4, 10])
def test_no_difference_is_surer_than_of_as_many_independent_clips(speakers):
    rng = np.random.default_rng(2)
    truth, predicted, names = alike(speakers, 400, rng)
    other = predicted.copy()
    other[::40] = (truth[::40] + 2) % K
    changes = [
        Panel(k=K, truth=truth, predicted=np.stack([predicted, other]),
              clustering=clustering_of(known)).changes(PairOptions(resamples=400))
        for known in (names, [None] * 400)
    ]  # fmt: skip
    for mine, alone in zip(*changes, strict=True):
        assert mine.difference.standard_error >= 0.9 * alone.difference.standard_error
        assert mine.difference.p >= 0.5 * alone.difference.p


def test_speakers_who_are_all_right_equally_often_leave_the_doubt_of_their_clips():
    right = np.tile([1.0, 1.0, 1.0, 0.0], 100)
    clustering = clustering_of([f"s{i // 100}" for i in range(400)])
    error = uncertainty_of_mean(right, clustering)
    assert error.error == 0
    assert error.independent == pytest.approx(np.sqrt(0.25 * 0.75 / 399))
    assert error.interval(0.75).low < 0.71
    assert error.mean_interval(0.75).low < 0.71
    assert error.difference(0.0, 0.0).standard_error == pytest.approx(error.independent)


def test_the_errors_of_independent_clips_need_no_draws():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, K, 500)
    predicted = np.where(rng.random(500) < 0.7, truth, rng.integers(0, K, 500))
    sums = margin_tables(
        cluster_tables(truth * K + predicted, K * K, clustering_of([None] * 500)), K
    )

    def scores(drawn):
        return score_columns(margins_of_sums(drawn, 1, K))[..., 0, :]

    effective = effective_clusters(sums, K)[0]
    linear = linear_errors(sums, scores, effective)
    right = truth == predicted
    assert linear[0] == pytest.approx(right.std(ddof=1) / np.sqrt(500), rel=1e-6)
    draws = np.random.default_rng(4).integers(0, 500, (2000, 500))
    tables = np.stack([np.bincount(truth[d] * K + predicted[d], minlength=K * K) for d in draws])
    spread = score_columns(tables.reshape(-1, K, K)).std(axis=0)
    np.testing.assert_allclose(linear, spread, rtol=0.08)


def test_few_clusters_widen_and_many_do_not():
    factors = [few_clusters_factor(n) for n in (2, 3, 4.5, 10, 24, 60, 1000)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] > 1.5
    assert factors[-1] == 1


def test_a_score_of_another_range_stays_in_it():
    found = Uncertainty(error=0.2, clusters=6).interval(-0.9, (-1.0, 1.0))
    assert -1 <= found.low < -0.9 < found.high < 1
    share = Uncertainty(error=0.1, clusters=6).interval(0.05)
    assert (found.low, found.high) == pytest.approx((2 * share.low - 1, 2 * share.high - 1))


def test_too_few_flips_make_no_worse_whatever_the_interval_says():
    gap = Difference(
        value=-0.013, low=-0.024, high=-0.0025, standard_error=0.003, p=0.03, detectable=0.02
    )
    assert verdict(gap, 0.01) == "worse"
    assert verdict(gap, 0.01, mcnemar_exact(8, 2)) == "cannot tell"
    assert verdict(gap, 0.01, mcnemar_exact(10, 0)) == "worse"
    assert verdict(gap, 0.03, mcnemar_exact(8, 2)) == "not worse"


def test_swapped_answers_are_mcnemar_of_accuracy_and_see_what_accuracy_does_not():
    """The rare class is lost, and as many clips of the frequent one are won."""
    truth = np.repeat([0, 1], [900, 30])
    a, b = truth.copy(), truth.copy()
    a[:20], b[900:920] = 1, 0
    found = Panel(
        k=2, truth=truth, predicted=np.stack([a, b]), clustering=clustering_of([None] * 930)
    ).changes(PairOptions(resamples=400))
    by_name = dict(zip(OVERALL, found, strict=False))
    assert by_name["wa"].p_swapped == 1
    assert by_name["wa"].verdict == "cannot tell"
    assert by_name["uar"].p_swapped < 0.01
    assert by_name["uar"].verdict == "worse"


@pytest.mark.parametrize(("clusters", "known"), [(1.0, False), (1.02, False), (1.8, True)])
def test_of_a_single_speaker_no_difference_is_known(clusters, known):
    """400 clips of one speaker, and perhaps two of another, say nothing of how speakers differ."""
    one = Uncertainty(error=0.001, clusters=clusters, independent=0.001, clips=400.0)
    found = one.difference(-0.01, 1 / 400)
    assert ((found.low, found.high) == (-1.0, 1.0)) == (not known)
    assert (one.equivalence_p(-0.01, 1 / 400, 0.05) < 0.05) == known
    alone = Uncertainty(error=0.001, clusters=1.0)  # one clip, which is not one speaker
    assert alone.difference(-0.01, 0.0).low > -0.1


def test_the_mean_of_one_clip_has_no_interval():
    found = mean_of(np.array([0.3]), clustering_of([None]), least=0.0)
    assert found.value == 0.3
    assert np.isnan([found.low, found.high]).all()

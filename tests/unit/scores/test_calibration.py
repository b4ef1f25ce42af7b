from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import brier_score_loss, log_loss

from runs import run_of
from serval.errors import ConfigError
from serval.scores.calibration import (
    BINS,
    brier,
    calibration_of,
    calibration_sentences,
    confidence_sentence,
    ece,
    nll,
    reliability_bins,
    temperature_of,
)
from serval.scores.clusters import clustering_of
from serval.scores.selective import aurc, aurc_interval


def honest(n, rng, *, sharpen=1.0, k=3):
    """Logits whose softmax is the chance of each truth, then made over- or underconfident."""
    logits = rng.normal(0, 1.5, (n, k))
    chance = np.exp(log_softmax(logits, axis=1))
    truth = (rng.random((n, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    return truth, sharpen * logits


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 60))
def test_brier_and_nll_equal_scikit_learn(seed, k, n):
    rng = np.random.default_rng(seed)
    truth, log_probs = rng.integers(0, k, n), log_softmax(rng.normal(0, 3, (n, k)), axis=1)
    probs, ids = np.exp(log_probs), list(range(k))
    if len(set(truth)) > 1:
        expected = brier_score_loss(np.eye(k)[truth], probs, scale_by_half=False)
        assert brier(log_probs, truth).mean() == pytest.approx(expected)
    assert nll(log_probs, truth).mean() == pytest.approx(log_loss(truth, probs, labels=ids))


def test_a_probability_of_zero_keeps_nll_finite():
    log_probs = np.array([[0.0, -np.inf]])
    assert nll(log_probs, np.array([1]))[0] == pytest.approx(27.63, abs=0.01)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 20))
def test_ece_is_the_weighted_gap_of_bins_of_equal_mass(seed, n, bins):
    rng = np.random.default_rng(seed)
    sure = rng.random(n)
    right = rng.random(n) < sure
    parts = reliability_bins(sure, right, bins)
    assert sum(part.n for part in parts) == n
    assert max(part.n for part in parts) - min(part.n for part in parts) <= 1
    order = np.argsort(sure)
    expected = sum(
        len(part) / n * abs(right[part].mean() - sure[part].mean())
        for part in np.array_split(order, min(bins, n))
    )
    assert ece(parts) == pytest.approx(expected)


def test_an_honest_model_is_within_chance_and_an_overconfident_one_is_not(tmp_path):
    rng = np.random.default_rng(2)
    truth, logits = honest(3000, rng)
    fair = calibration_of(run_of(tmp_path / "fair", truth, logits=logits)).as_is
    loud = calibration_of(run_of(tmp_path / "loud", truth, logits=3 * logits))
    assert fair.ece <= fair.ece_by_chance
    assert loud.as_is.ece > 3 * loud.as_is.ece_by_chance
    assert "more confident" in calibration_sentences(loud)[0]
    assert len(loud.as_is.bins) == BINS


def test_few_clips_can_show_that_a_model_is_far_too_shy(tmp_path):
    run = run_of(tmp_path, [0] * 50, [0] * 50)
    fit = calibration_of(run).as_is
    assert len(fit.bins) == 5
    assert fit.ece > fit.ece_by_chance
    assert calibration_sentences(calibration_of(run))[0].startswith("It is less confident (78.7 %)")


def test_one_clip_cannot_be_kept_back(tmp_path):
    calibration = calibration_of(run_of(tmp_path, [0], [0]))
    assert len(calibration.as_is.bins) == 1
    assert len(calibration_sentences(calibration)) == 1


def test_sentences_for_a_shy_and_for_an_honest_model(tmp_path):
    rng = np.random.default_rng(3)
    truth, logits = honest(3000, rng)
    shy = calibration_of(run_of(tmp_path / "shy", truth, logits=0.2 * logits))
    fair = calibration_of(run_of(tmp_path / "fair", truth, logits=logits))
    assert "less confident" in calibration_sentences(shy)[0]
    assert "No miscalibration can be shown on 3,000 clips" in calibration_sentences(fair)[0]
    assert "abstain on 20 %" in calibration_sentences(fair)[1]


@pytest.mark.parametrize("sharpen", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(sharpen):
    truth, logits = honest(8000, np.random.default_rng(0), sharpen=sharpen)
    assert temperature_of(logits, truth) == pytest.approx(sharpen, rel=0.08)


def test_a_temperature_from_other_clips_mends_overconfidence(tmp_path):
    rng = np.random.default_rng(1)
    runs = []
    for name in ("dev", "test"):
        truth, logits = honest(2000, rng, sharpen=3.0)
        shas = {i: f"{name}{i}" for i in range(2000)}
        runs.append(run_of(tmp_path / name, truth, logits=logits, shas=shas))
    calibration = calibration_of(runs[1], fitted_on=runs[0])
    assert calibration.scaled.temperature == pytest.approx(3.0, rel=0.1)
    assert calibration.scaled.ece < calibration.as_is.ece / 3
    assert calibration.scaled.nll.high < calibration.as_is.nll.low
    assert calibration.fitted_on == str(tmp_path / "dev")


def test_a_temperature_is_not_fitted_on_the_same_clips_or_another_model(tmp_path):
    run = run_of(tmp_path / "a", [0, 1, 2], [0, 1, 1])
    with pytest.raises(ConfigError, match="cannot be fitted on itself"):
        calibration_of(run, fitted_on=run)
    with pytest.raises(ConfigError, match="3 clips are in both; fit"):
        calibration_of(run, fitted_on=run_of(tmp_path / "c", [0, 1, 2], [0, 1, 1]))
    other = run_of(tmp_path / "b", [0, 1, 2], [0, 1, 1], model={"sha256": "11"})
    with pytest.raises(ConfigError, match="of another model"):
        calibration_of(run, fitted_on=other)


def test_predictions_without_hashes_are_told_apart_by_their_ids(tmp_path):
    truth, logits = honest(40, np.random.default_rng(2))
    run, same, other = (
        run_of(tmp_path / name, truth, logits=logits, ids=[f"{start}{i}" for i in range(40)],
               shas=dict.fromkeys(range(40), ""), model={"sha256": ""})
        for name, start in (("run", "a"), ("same", "a"), ("other", "b"))
    )  # fmt: skip
    with pytest.raises(ConfigError, match="40 clips are in both by their ids"):
        calibration_of(run, fitted_on=same)
    found = calibration_of(run, fitted_on=other)
    assert "same model on other recordings was not checked" in calibration_sentences(found)[-1]


def test_confidence_that_is_right_on_average_only_is_off_both_ways(tmp_path):
    sure, unsure = (np.log([p, (1 - p) / 2, (1 - p) / 2]) for p in (0.9, 0.5))
    truth = [0] * 100 + [1] * 100 + [0] * 180 + [1] * 20
    logits = [sure] * 200 + [unsure] * 200
    said = confidence_sentence(calibration_of(run_of(tmp_path / "run", truth, logits=logits)))
    assert said.startswith("On average it is as confident as right (70.0 %), but too sure of some")


def test_a_temperature_needs_clips():
    with pytest.raises(ConfigError, match="has none"):
        temperature_of(np.full((2, 3), np.nan), np.array([0, 1]))


def test_clips_without_finite_logits_are_not_judged(tmp_path):
    logits = np.float32([[2.0, 0, 0], [np.nan, 0, 0], [0, 2.0, 0]])
    run = run_of(tmp_path, [0, 0, 0], logits=np.nan_to_num(logits))
    calibration = calibration_of(replace(run, logits=logits))
    assert calibration.n == 2
    assert np.isfinite(calibration.as_is.brier.value)


def test_no_clip_no_calibration(tmp_path):
    calibration = calibration_of(run_of(tmp_path, [], []))
    assert calibration.n == 0
    assert np.isnan(calibration.aurc.value)
    assert np.isnan(calibration.as_is.ece)
    assert np.isnan(calibration.as_is.brier.value)
    assert calibration.coverage == ()
    assert calibration_sentences(calibration) == []


def test_confidence_that_sorts_perfectly_has_the_best_aurc(tmp_path):
    logits = np.array([[5.0, 0, 0]] * 8 + [[1.0, 0, 0]] * 2)
    calibration = calibration_of(run_of(tmp_path, [0] * 8 + [1] * 2, logits=logits))
    assert calibration.aurc.value == pytest.approx(calibration.aurc_best)
    at = {point.coverage: point for point in calibration.coverage}
    assert at[0.8].accuracy.value == 1.0
    assert at[1.0].accuracy.value == pytest.approx(0.8)
    assert at[0.8].n == 8
    assert at[0.8].threshold > 0.9


def test_confidence_that_says_nothing_has_the_error_rate_as_aurc():
    assert aurc(np.full(100, 0.7), np.arange(100) < 75) == pytest.approx(0.25)


def test_the_interval_of_aurc_holds_the_truth():
    rng = np.random.default_rng(5)

    def some(n):
        truth, logits = honest(n, rng)
        return np.exp(log_softmax(logits, axis=1).max(axis=1)), logits.argmax(axis=1) == truth

    population = aurc(*some(200_000))
    held = []
    for _ in range(60):
        clips = clustering_of([None] * 150)
        found = aurc_interval(*some(150), clips, np.random.default_rng(0))
        held.append(found.low <= population <= found.high)
    assert 52 <= sum(held) <= 59


def test_the_interval_of_aurc_is_drawn_by_speaker(tmp_path):
    truth, logits = honest(40, np.random.default_rng(6))
    # Ten times the same clip of each speaker says no more about other speakers than once.
    often = np.repeat(np.arange(40), 10)
    by_clip = calibration_of(run_of(tmp_path / "a", truth, logits=logits)).aurc
    speakers = [f"s{i}" for i in often]
    repeated = run_of(tmp_path / "b", truth[often], logits=logits[often], speakers=speakers)
    by_speaker = calibration_of(repeated).aurc
    assert by_speaker.value == pytest.approx(by_clip.value, abs=0.03)
    width = by_clip.high - by_clip.low
    assert by_speaker.high - by_speaker.low == pytest.approx(width, rel=0.15)


def test_one_clip_has_an_aurc_without_an_interval(tmp_path):
    found = calibration_of(run_of(tmp_path, [0], [0])).aurc
    assert found.value == 0.0
    assert np.isnan(found.low)


def test_calibration_as_dict(tmp_path):
    content = calibration_of(run_of(tmp_path, [0, 1, 2] * 5, [0, 1, 1] * 5)).as_dict()
    assert content["as_is"]["bins"][0].keys() == {"low", "high", "confidence", "accuracy", "n"}
    assert content["scaled"] is None


def test_losses_are_never_below_zero(tmp_path):
    logits = 9.0 * np.eye(3)[[0] * 6]
    logits[0] = (1.0, 0.9, 0.0)
    fit = calibration_of(run_of(tmp_path, [0] * 6, logits=logits)).as_is
    assert fit.nll.low == 0 < fit.nll.value
    assert fit.brier.low == 0 < fit.brier.value


def test_a_temperature_at_the_end_of_its_range_is_told(tmp_path):
    right = 0.02 * np.eye(3)[[0, 1, 2] * 10]
    fitted_on = run_of(
        tmp_path / "a", [0, 1, 2] * 10, logits=right, shas={i: f"a{i}" for i in range(30)}
    )
    run = run_of(tmp_path / "b", [0, 1, 2] * 10, logits=right)
    sentences = calibration_sentences(calibration_of(run, fitted_on=fitted_on))
    assert "The temperature is at an end of the range searched, 0.05 to 20" in sentences[-1]


def test_no_sentence_says_nan(tmp_path):
    run = run_of(tmp_path, [0], [0])
    assert "nan" not in " ".join(calibration_sentences(calibration_of(run)))

"""Whether a model's confidence can be believed; `selective` has what it gains by abstaining."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import ConfigError
from serval.probabilities import log_probabilities_of, outputs_of
from serval.scores.clusters import DRAWS_AT_ONCE, Clustering, clustering_of
from serval.scores.selective import CoveragePoint, accuracy_of, aurc, aurc_interval, coverage_points
from serval.scores.uncertainty import mean_of
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores.stats import Interval

    Floats = NDArray[np.float64]
    Ids = NDArray[np.int64]

BINS = 15
CLIPS_IN_BIN = 10
"""Fewer clips in a bin drown what a small set could show, so a small set has fewer bins."""

ROWS = 1 << 14
"""Clips whose logits are in float64 at once, with a few copies."""

CERTAIN = 1e-6
"""What float32 may take from a probability of 1."""

COLDEST, HOTTEST = 0.05, 20.0
UNCHECKED = (
    "The temperature was fitted on predictions without hashes: that these are of the same model on "
    "other recordings was not checked but by the clips' ids."
)
SMALLEST = 1e-12
"""A probability of 0 counts as this much, so that one clip cannot make NLL infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Clips of like confidence: how sure the model was, and how often it was right, in [0, 1]."""

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well confidence and truth agree, at one temperature.

    Attributes:
        temperature: The logits were divided by this.
        ece: Expected calibration error in [0, 1], 0 is perfect.
        ece_by_chance: ECE below which 95 % of perfectly calibrated models of this confidence
            stay on as many clips.
        confidence: Mean confidence in [0, 1].
        brier: In [0, 2], lower is better; in [0, K] for K independent scores.
        nll: In nats, lower is better; for independent scores that of all of them together.
        bins: Of equal mass, from the least to the most confident.
        bin_accuracy: Of each bin, with its interval.
    """

    temperature: float
    ece: float
    ece_by_chance: float
    confidence: float
    brier: Interval
    nll: Interval
    bins: tuple[ReliabilityBin, ...]
    bin_accuracy: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the confidence of a run is worth.

    Attributes:
        n: Clips with finite logits; only these are judged.
        as_is: The confidence that the model states.
        scaled: The same at a temperature that was fitted on another run, if there is one.
        fitted_on: Folder of that other run, or `""`.
        unchecked: Whether a clip of one of both runs has no hash, as in a file of predictions.
        aurc: Area under the risk-coverage curve in [0, 1], lower is better, with its interval.
        aurc_best: The area if every wrong clip were less confident than every right one.
        coverage: Accuracy at several shares of answered clips.
    """

    n: int
    as_is: Fit
    scaled: Fit | None
    fitted_on: str
    unchecked: bool
    aurc: Interval
    aurc_best: float
    coverage: tuple[CoveragePoint, ...]

    @property
    def is_certain(self) -> bool:
        """Whether every answer has a probability of 1, as where only labels were given.

        There is no confidence to judge then.
        """
        return bool(self.n) and self.as_is.confidence > 1 - CERTAIN

    def as_dict(self) -> dict[str, Any]:
        """Return the calibration as dicts, lists and numbers; undefined ones are NaN."""
        return asdict(self)


def calibration_of(run: Run, *, fitted_on: Run | None = None) -> Calibration:
    """Return what the confidence of a run is worth, and what a temperature would change.

    The confidence is the probability of the predicted label, as `probabilities_of` has it: of a
    model with an independent score for each label, that score.

    Args:
        run: The run to judge; without a clip every number is NaN.
        fitted_on: A run of the same model on other clips, to fit the temperature on.

    Raises:
        ConfigError: `fitted_on` is of another model, shares clips with `run`, or has none.
    """
    logits, truth, speakers = _usable(run)
    answers = _Answers(logits, truth, outputs_of(run.provenance.model))
    clustering = clustering_of(speakers)
    sure, right = answers.top()
    scaled = None
    if fitted_on is not None:
        refuse_unfit(run, fitted_on, "the temperature")
        temperature = temperature_of(fitted_on.logits, fitted_on.truth, answers.outputs)
        cooled = replace(answers, temperature=temperature)
        scaled = _fit(cooled, clustering, np.random.default_rng(0))
    return Calibration(
        n=len(sure),
        as_is=_fit(answers, clustering, np.random.default_rng(0)),
        scaled=scaled,
        fitted_on=str(fitted_on.folder) if fitted_on else "",
        unchecked=fitted_on is not None and _unknown_audio(run, fitted_on),
        aurc=aurc_interval(sure, right, clustering, np.random.default_rng(0)),
        aurc_best=aurc(right.astype(np.float64), right),
        coverage=coverage_points(sure, right, clustering) if len(sure) else (),
    )


def _usable(run: Run) -> tuple[NDArray[np.float32], Ids, Sequence[str | None]]:
    """Return logits, truth and speakers of the clips with finite logits: mostly all, uncopied."""
    finite = np.isfinite(run.logits).all(axis=1)
    if finite.all():
        return run.logits, run.truth, run.speakers
    speakers = [run.speakers[i] for i in np.flatnonzero(finite).tolist()]
    return run.logits[finite], run.truth[finite], speakers


def calibration_sentences(calibration: Calibration) -> list[str]:
    """Return what the calibration means, for people; nothing if there is nothing to judge."""
    if calibration.is_certain:
        return []
    said = (
        confidence_sentence(calibration),
        abstention_sentence(calibration),
        _temperature_sentence(calibration.scaled),
        UNCHECKED * calibration.unchecked,
    )
    return [sentence for sentence in said if sentence]


def confidence_sentence(calibration: Calibration) -> str:
    """Return whether the model is as often right as it is sure, or `""` if no clip was judged."""
    if not calibration.n:
        return ""
    fit, everything = calibration.as_is, calibration.coverage[-1].accuracy.value
    if fit.ece <= fit.ece_by_chance:
        return (
            f"No miscalibration can be shown on {counted(calibration.n, 'clip')}: ECE "
            f"{percent(fit.ece, 1)}, no more than chance makes of a calibrated model."
        )
    if percent(fit.confidence, 1) == percent(everything, 1):
        return (
            f"On average it is as confident as right ({percent(everything, 1)}), but too sure of "
            f"some clips and too unsure of others: ECE {percent(fit.ece, 1)}."
        )
    lean = "more" if fit.confidence > everything else "less"
    return (
        f"It is {lean} confident ({percent(fit.confidence, 1)}) than right "
        f"({percent(everything, 1)}): ECE {percent(fit.ece, 1)}."
    )


def abstention_sentence(calibration: Calibration) -> str:
    """Return what abstention gains, or `""` where a fifth of the clips is not one."""
    at = next((point for point in calibration.coverage if point.coverage == 0.8), None)
    if at is None or at.n == calibration.n:
        return ""
    return (
        f"If it may abstain on 20 % of the clips, it is right in {percent(at.accuracy.value, 1)} "
        f"{_span(at.accuracy)}of the others, against "
        f"{percent(calibration.coverage[-1].accuracy.value, 1)} of all."
    )


def _span(score: Interval) -> str:
    return (
        "" if math.isnan(score.low) else f"({percent(score.low, 1)} to {percent(score.high, 1)}) "
    )


def _temperature_sentence(scaled: Fit | None) -> str:
    """Return a warning where no temperature in the range searched is the likeliest, else `""`."""
    if scaled is None or 1.01 * COLDEST < scaled.temperature < 0.99 * HOTTEST:
        return ""
    return (
        f"The temperature is at an end of the range searched, {COLDEST:g} to {HOTTEST:g}: it was "
        "fitted on too few clips, or on clips that are all right or all wrong."
    )


def reliability_bins(
    confidence: Floats, right: NDArray[np.bool_] | Floats, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Return bins with equally many clips each, from the least to the most confident.

    Source: Nixon et al. (2019), Measuring calibration in deep learning, for bins of equal mass.

    Args:
        confidence: `(N,)` probability of the predicted label.
        right: `(N,)` whether that label is the truth, or the share of listeners who say so.
        bins: Number of bins; at most N.
    """
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order))) if len(order) else []
    return tuple(
        ReliabilityBin(
            low=float(confidence[part[0]]),
            high=float(confidence[part[-1]]),
            confidence=float(confidence[part].mean()),
            accuracy=float(right[part].mean()),
            n=len(part),
        )
        for part in parts
    )


def ece(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the expected calibration error in [0, 1]; NaN without bins.

    It is biased upwards on few clips: compare it with `Fit.ece_by_chance`.

    Source: Naeini, Cooper and Hauskrecht (2015); Guo et al. (2017), On calibration of modern
    neural networks.

    Examples:
        >>> sure = np.array([0.6, 0.6, 0.9, 0.9])
        >>> round(ece(reliability_bins(sure, np.array([True, False, True, True]), 2)), 3)
        0.1
    """
    n = sum(part.n for part in bins)
    gaps = sum(part.n * abs(part.accuracy - part.confidence) for part in bins)
    return gaps / n if n else float("nan")


def brier(log_probs: Floats, truth: Ids) -> Floats:
    """Return the Brier score of each clip, `(N,)` in [0, 2]: over all labels, not halved.

    Source: Brier (1950); the mean equals
    `sklearn.metrics.brier_score_loss(scale_by_half=False)`.
    """
    hit = np.eye(log_probs.shape[1])[truth]
    return np.asarray(((np.exp(log_probs) - hit) ** 2).sum(axis=1))


def nll(log_probs: Floats, truth: Ids) -> Floats:
    """Return the negative log likelihood of each clip, `(N,)` nats in [0, 27.7].

    Source: the mean equals `sklearn.metrics.log_loss`.
    """
    return np.asarray(np.minimum(-log_probs[np.arange(len(truth)), truth], -np.log(SMALLEST)))


def temperature_of(logits: NDArray[np.float32], truth: Ids, outputs: str = "logits") -> float:
    """Return the temperature in [0.05, 20] that makes the truth likeliest.

    Source: Guo et al. (2017), On calibration of modern neural networks.

    Args:
        logits: `(N, K)`; rows that are not finite are left out.
        truth: `(N,)` label ids.
        outputs: What the logits mean; see `serval.probabilities`.

    Raises:
        ConfigError: There is no usable clip.
    """
    usable = np.isfinite(logits).all(axis=1)
    if not usable.any():
        raise ConfigError("a temperature needs clips with finite logits; this run has none")
    answers = _Answers(logits[usable], truth[usable], outputs)

    def loss(log_temperature: float) -> float:
        return float(replace(answers, temperature=math.exp(log_temperature)).losses(_nll).mean())

    from scipy.optimize import minimize_scalar  # slow to load, and most runs fit no temperature

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def _nll(logits: Floats, truth: Ids, outputs: str) -> Floats:
    """Return the negative log likelihood of each clip: of its label, or of all its scores."""
    losses = nll(log_probabilities_of(logits, outputs), truth)
    if outputs != "sigmoid":
        return losses
    absent = log_probabilities_of(-logits, outputs)  # of 1 - score
    absent[np.arange(len(truth)), truth] = 0.0
    return np.asarray(losses - np.maximum(absent, np.log(SMALLEST)).sum(axis=1))


def _brier(logits: Floats, truth: Ids, outputs: str) -> Floats:
    return brier(log_probabilities_of(logits, outputs), truth)


def _sure(logits: Floats, _truth: Ids, outputs: str) -> Floats:
    return np.asarray(np.exp(log_probabilities_of(logits, outputs).max(axis=1)))


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a model said of clips, of which a few are in float64 at once.

    Attributes:
        logits: `(N, K) float32`.
        truth: `(N,)` label ids.
        outputs: What the logits mean; see `serval.probabilities`.
        temperature: They are divided by this.
    """

    logits: NDArray[np.float32]
    truth: Ids
    outputs: str
    temperature: float = 1.0

    def losses(self, of: Callable[[Floats, Ids, str], Floats]) -> Floats:
        """Return a number for each clip, `(N,)`, as `of` has it for some of them."""
        found = np.empty(len(self.truth))
        for start in range(0, len(found), ROWS):
            some = slice(start, start + ROWS)
            wide = self.logits[some].astype(np.float64) / self.temperature
            found[some] = of(wide, self.truth[some], self.outputs)
        return found

    def top(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Return for each clip how sure its answer is, in [0, 1], and whether it is right."""
        return self.losses(_sure), np.asarray(self.logits.argmax(axis=1) == self.truth)


def _fit(answers: _Answers, clustering: Clustering, rng: np.random.Generator) -> Fit:
    sure, right = answers.top()
    bins = reliability_bins(sure, right, bin_count(len(sure)))
    return Fit(
        temperature=answers.temperature,
        ece=ece(bins),
        ece_by_chance=_ece_by_chance(sure, rng),
        confidence=float(sure.mean()) if len(sure) else float("nan"),
        brier=mean_of(answers.losses(_brier), clustering, 0.0),
        nll=mean_of(answers.losses(_nll), clustering, 0.0),
        bins=bins,
        bin_accuracy=_bin_accuracy(bins, sure, right, clustering),
    )


def _bin_accuracy(
    bins: tuple[ReliabilityBin, ...],
    confidence: Floats,
    right: NDArray[np.bool_],
    clustering: Clustering,
) -> tuple[Interval, ...]:
    order = np.argsort(confidence, kind="stable")
    parts = np.split(order, np.cumsum([part.n for part in bins])[:-1])
    return tuple(
        accuracy_of(clips, right, clustering).interval(part.accuracy)
        for part, clips in zip(bins, parts, strict=False)
    )


def bin_count(n: int) -> int:
    """Return how many bins so many clips are put into."""
    return max(1, min(BINS, n // CLIPS_IN_BIN))


def _ece_by_chance(confidence: Floats, rng: np.random.Generator, draws: int = 400) -> float:
    if not len(confidence):
        return float("nan")
    sure = np.sort(confidence)
    edges = [part[0] for part in np.array_split(np.arange(len(sure)), bin_count(len(sure)))]

    def totals(n: int) -> Floats:
        gaps = (rng.random((n, len(sure))) < sure) - sure
        return np.asarray(np.abs(np.add.reduceat(gaps, edges, axis=1)).sum(axis=1))

    at_once = max(1, DRAWS_AT_ONCE // len(sure))
    parts = [totals(min(at_once, left)) for left in range(draws, 0, -at_once)]
    return float(np.quantile(np.concatenate(parts) / len(sure), 0.95))


def refuse_unfit(run: Run, fitted_on: Run, what: str) -> None:
    """Raise unless a run is of the same model on other clips, and something may be fitted there.

    Raises:
        ConfigError: It is of another model, or shares clips with `run`.
    """
    known = all(one.provenance.model.get("sha256") for one in (run, fitted_on))
    if (known and not run.same_model(fitted_on)) or run.labels != fitted_on.labels:
        raise ConfigError(
            f"{what} of {run.folder} cannot be fitted on {fitted_on.folder}: that run is "
            "of another model; evaluate the same model file on another split"
        )
    if run.folder.resolve() == fitted_on.folder.resolve():
        raise ConfigError(f"{what} of {run.folder} cannot be fitted on itself; give another split")
    shared = set(run.audio_sha256) & set(fitted_on.audio_sha256) - {""}
    ids = set(run.clip_ids) & set(fitted_on.clip_ids) if _unknown_audio(run, fitted_on) else set()
    if n := len(shared) or len(ids):
        raise ConfigError(
            f"{what} of {run.folder} cannot be fitted on {fitted_on.folder}: "
            f"{counted(n, 'clip is', 'clips are')} in both{'' if shared else ' by their ids'}; "
            "fit on another split"
        )


def _unknown_audio(*runs: Run) -> bool:
    """Return whether a run has no hashes of its clips' audio, as one of a prediction file."""
    return any("" in run.audio_sha256 for run in runs)

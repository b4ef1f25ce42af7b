"""Scores against the votes of several listeners a clip, and what the listeners themselves reach.

A vote counts where it names one of the run's labels; the others are left out and counted. Where
several labels of a clip have the most votes, agreeing with any of t such labels counts 1/t: what is
expected if the tie is broken at random. A listener is judged by the majority of the others, each
vote of a clip in turn, and the model by the very same majorities, so both miss the same vote.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from serval.errors import LabelError
from serval.labels import PRESETS, LabelMap
from serval.probabilities import outputs_of, probabilities_of
from serval.scores.calibration import (
    SMALLEST,
    ReliabilityBin,
    bin_count,
    ece,
    reliability_bins,
)
from serval.scores.clusters import Clustering, clustering_of, effective_number, row_tables
from serval.scores.registry import HEADLINES
from serval.scores.score import RESAMPLES, whole_intervals
from serval.scores.stats import UNDEFINED, Interval
from serval.scores.uncertainty import (
    Statistic,
    linear_estimates,
    mean_of,
    of_clusters_and_clips,
    share_of,
)
from serval.wording import counted, numbered, percent, scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.run import Run

    Floats = NDArray[np.float64]
    Ids = NDArray[np.int64]

COLUMN, PREFIX = "votes", "votes_"
"""One column with all votes of a clip, `angry 4, sad 1`; or one with the number for each label."""

COUNTED = re.compile(r"\s*(.+?)\s+(\d+)(?:\.0*)?\s*")
"""A name and a number; pandas writes whole ones as `4.0` where some are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """The votes of a run's clips.

    Attributes:
        counts: `(N, K) int64` votes for each label of the run.
        unknown: Votes for anything else, by name.
    """

    counts: Ids
    unknown: Mapping[str, int]


def is_votes(column: str) -> bool:
    """Return whether a column of a set holds votes, by its name."""
    return column == COLUMN or column.startswith(PREFIX)


def ballot_of(run: Run) -> Ballot | None:
    """Return the votes of a run's clips; `None` where its set has none.

    Names of votes are matched with labels as the labels of the set were.

    Raises:
        LabelError: A cell is no count of votes.
    """
    columns = {name: cells for name, cells in run.groups.items() if is_votes(name)}
    if not columns:
        return None
    matched = _label_map(run)
    counts = np.zeros((len(run), len(run.labels)), dtype=np.int64)
    unknown: dict[str, int] = {}
    for column, cells in columns.items():
        for i, cell in enumerate(cells):
            for name, n in _votes(column, cell or "", run.clip_ids[i]):
                label = matched[name]
                if label is None:
                    unknown[name] = unknown.get(name, 0) + n
                else:
                    counts[i, run.labels.id_of(label)] += n
    return Ballot(counts=counts, unknown=unknown)


def _label_map(run: Run) -> LabelMap:
    identity = run.provenance.identity
    preset = identity.get("label preset") or {}
    return LabelMap(
        labels=run.labels,
        explicit=identity.get("label map") or {},
        meanings=run.provenance.dataset.get("labels_as") or {},
        preset=PRESETS.get(preset.get("name", "")),
    )


def _votes(column: str, cell: str, clip: str) -> list[tuple[str, int]]:
    """Return the name and the number of each kind of vote in a cell."""
    name = column.removeprefix(PREFIX)
    parts = [part for part in cell.split(",") if part.strip()]
    if column != COLUMN:
        parts = [f"{name} {part.strip()}" for part in parts]
    found = [COUNTED.fullmatch(part) for part in parts]
    if None in found:
        wanted = "angry 4, sad 1" if column == COLUMN else "a whole number of votes"
        raise LabelError(f"'{column}' of {clip} is '{cell}'; write {wanted}")
    return [(one[1], int(one[2])) for one in found if one is not None]


BANDS = (0.0, 0.5, 0.75, 1.0)
"""Least share of the most frequent vote in each band of clips; the last are the unanimous ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandScore:
    """The clips on which listeners agree about as much.

    Attributes:
        low: Least share of the most frequent vote, in [0, 1].
        high: Below this; of the last band 1, which is in it.
        n: Clips.
        accuracy: Of the model against the majority, in [0, 1].
    """

    low: float
    high: float
    n: int
    accuracy: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What listeners reach against each other, on the clips with two votes or more.

    Attributes:
        n: Clips.
        listener: Share on which one listener agrees with the majority of the others, in [0, 1].
        model: The same of the model, against the same majorities.
        chance: The same of a label drawn at random among those that have votes.
        way: How far the model is from chance (0) to a listener (1); NaN where a listener is not
            shown to be better than chance.
        alpha: Krippendorff's alpha of the listeners, nominal, in [-1, 1].
    """

    n: int
    listener: Interval
    model: Interval
    chance: float
    way: Interval
    alpha: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteScores:
    """Everything that the votes say of a run.

    Attributes:
        n: Clips with a vote for a label of the run.
        votes: Such votes.
        unknown: Votes for other labels, by name; in no score.
        tied: Clips on which several labels have the most votes.
        cross_entropy: Of the votes and the model's probabilities, in nats; lower is better.
        entropy: Of the votes: no cross-entropy is lower.
        divergence: Jensen-Shannon divergence of both, in bits, in [0, 1]; lower is better.
        majority: `wa`, `uar` and `macro_f1` against the majority, in [0, 1].
        bands: Accuracy by agreement of the listeners.
        confidence: Mean probability of the predicted label.
        share: Mean share of listeners who chose that label.
        overconfidence: The first minus the second, in [-1, 1].
        ece: Expected calibration error of the confidence against the share of votes, in [0, 1].
        bins: Of equal mass; `accuracy` is the share of votes there.
        ceiling: What listeners reach; `None` where no clip has two votes.
        by: What was drawn: `speaker` or `clip`.
        clusters: Number of them.
    """

    n: int
    votes: int
    unknown: Mapping[str, int]
    tied: int
    cross_entropy: Interval
    entropy: Interval
    divergence: Interval
    majority: Mapping[str, Interval]
    bands: tuple[BandScore, ...]
    confidence: float
    share: Interval
    overconfidence: Interval
    ece: float
    bins: tuple[ReliabilityBin, ...]
    ceiling: Ceiling | None
    by: str
    clusters: int

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as dicts, lists and numbers; undefined ones are NaN."""
        return asdict(self)


def vote_scores(run: Run) -> VoteScores | None:
    """Return what the votes say of a run; `None` without votes for any of its labels.

    Raises:
        LabelError: A cell is no count of votes.
    """
    ballot = ballot_of(run) if run.provenance.task.has_labels else None
    if ballot is None or not ballot.counts.any():
        return None
    return _scored(run, ballot, np.flatnonzero(ballot.counts.any(axis=1)))


def _scored(run: Run, ballot: Ballot, clips: Ids) -> VoteScores:
    """Return what the votes say of the clips that have any."""
    counts, predicted = ballot.counts[clips], run.predicted[clips]
    speakers = [run.speakers[i] for i in clips.tolist()]
    clustering = clustering_of(speakers)
    probs = _distribution(run, clips)
    shares = counts / counts.sum(axis=1, keepdims=True)
    credit = credit_of(counts)
    sure, share = (_at(of, predicted) for of in (probs, shares))
    bins = reliability_bins(sure, share, bin_count(len(clips)))
    return VoteScores(
        n=len(clips),
        votes=int(counts.sum()),
        unknown=ballot.unknown,
        tied=int((credit.max(axis=1) < 1).sum()),
        cross_entropy=mean_of(cross_entropies(shares, probs), clustering, 0.0),
        entropy=mean_of(cross_entropies(shares, shares), clustering, 0.0),
        divergence=mean_of(divergences(shares, probs), clustering, 0.0),
        majority=_against_majority(credit, predicted, clustering),
        bands=_bands(shares.max(axis=1), _at(credit, predicted), speakers),
        confidence=float(sure.mean()),
        share=share_of(share, clustering),
        overconfidence=mean_of(sure - share, clustering),
        ece=ece(bins),
        bins=bins,
        ceiling=_ceiling(counts, predicted, speakers),
        by=clustering.by,
        clusters=len(clustering),
    )


def _distribution(run: Run, clips: Ids) -> Floats:
    """Return probabilities that sum to 1, `(N, K)`, also of independent scores."""
    probs = probabilities_of(run.logits[clips], outputs_of(run.provenance.model))
    return np.asarray(probs / np.maximum(probs.sum(axis=1, keepdims=True), SMALLEST))


def _at(of: Floats, predicted: Ids) -> Floats:
    return np.asarray(np.take_along_axis(of, predicted[:, np.newaxis], axis=1)[:, 0])


def credit_of(counts: Ids) -> Floats:
    """Return what each answer is worth, `(N, K)`: 1 for the majority, 1/t for each of t tied ones.

    Examples:
        >>> credit_of(np.array([[3, 1, 0], [2, 2, 1]])).tolist()
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    """
    most = counts == counts.max(axis=1, keepdims=True)
    return np.asarray(most / most.sum(axis=1, keepdims=True))


def cross_entropies(shares: Floats, probs: Floats) -> Floats:
    """Return the cross-entropy of each clip's votes and probabilities, `(N,)` in nats.

    Source: equals `sklearn.metrics.log_loss` with each vote as a clip of its own.
    """
    return np.asarray(-(shares * np.log(np.maximum(probs, SMALLEST))).sum(axis=1))


def divergences(shares: Floats, probs: Floats) -> Floats:
    """Return the Jensen-Shannon divergence of each clip, `(N,)` in bits, in [0, 1].

    Source: Lin (1991), Divergence measures based on the Shannon entropy; the square of
    `scipy.spatial.distance.jensenshannon` in base 2.

    Examples:
        >>> divergences(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).tolist()
        [1.0]
    """
    middle = (shares + probs) / 2
    entropy = [cross_entropies(one, one) for one in (middle, shares, probs)]
    bits = (entropy[0] - (entropy[1] + entropy[2]) / 2) / np.log(2)
    return np.asarray(np.clip(bits, 0.0, 1.0))


def krippendorff_alpha(counts: Ids) -> float:
    """Return Krippendorff's alpha of nominal votes, `(N, K)` counts; NaN where it is not defined.

    Source: Krippendorff (2011), Computing Krippendorff's alpha-reliability; equals the package
    `krippendorff` on value counts.

    Examples:
        >>> round(krippendorff_alpha(np.array([[2, 0], [1, 1], [0, 2]])), 3)
        0.444
    """
    return float(_alpha(_pair_sums(counts).sum(axis=0)[np.newaxis])[0])


def _pair_sums(counts: Ids) -> Floats:
    """Return for each clip its pairs that agree, over its votes - 1, then its votes, `(N, 1 + K)`.

    A clip with fewer than two votes has no pair and adds nothing.
    """
    n = counts.sum(axis=1)
    paired = (n >= 2)[:, np.newaxis]
    agree = (counts * (counts - 1)).sum(axis=1) / np.maximum(n - 1, 1)
    return np.where(paired, np.column_stack([agree, counts]), 0.0)


def _alpha(sums: Floats) -> Floats:
    n = sums[..., 1:].sum(axis=-1)
    different = n * n - np.square(sums[..., 1:]).sum(axis=-1)
    undefined = np.full(n.shape, np.nan)
    ratio = np.divide((n - 1) * (n - sums[..., 0]), different, out=undefined, where=different > 0)
    return np.asarray(1 - ratio)


def _against_majority(
    credit: Floats, predicted: Ids, clustering: Clustering
) -> dict[str, Interval]:
    """Return the scores of the confusion matrix in which a tied clip counts 1/t in each of t rows.

    Source: scikit-learn's scores with those shares as `sample_weight`.
    """
    k = credit.shape[1]
    clip, truth = np.nonzero(credit)
    cells = sparse.csr_array(
        (credit[clip, truth], (clip, truth * k + predicted[clip])), shape=(len(credit), k * k)
    )
    found = whole_intervals(row_tables(cells, clustering), k, RESAMPLES, np.random.default_rng(0))
    return {key: found[key] for key in HEADLINES}


def _bands(
    agreement: Floats, right: Floats, speakers: Sequence[str | None]
) -> tuple[BandScore, ...]:
    place = np.searchsorted(BANDS, agreement, side="right") - 1
    bands = []
    for i, low in enumerate(BANDS):
        clips = np.flatnonzero(place == i)
        if len(clips):
            accuracy = share_of(right[clips], clustering_of([speakers[j] for j in clips.tolist()]))
            high = BANDS[min(i + 1, len(BANDS) - 1)]
            bands.append(BandScore(low=low, high=high, n=len(clips), accuracy=accuracy))
    return tuple(bands)


def _ceiling(counts: Ids, predicted: Ids, speakers: Sequence[str | None]) -> Ceiling | None:
    clips = np.flatnonzero(counts.sum(axis=1) >= 2)
    if not len(clips):
        return None
    counts, predicted = counts[clips], predicted[clips]
    clustering = clustering_of([speakers[i] for i in clips.tolist()])
    listener, model = against_the_rest(counts, predicted)
    chance = 1 / int(counts.any(axis=0).sum())
    rows = np.column_stack([np.ones(len(clips)), listener, model, _pair_sums(counts)])

    def ratios(sums: Floats) -> Floats:
        a, b = sums[..., 1] / sums[..., 0] - chance, sums[..., 2] / sums[..., 0] - chance
        way = np.divide(b, a, out=np.full(a.shape, np.nan), where=np.abs(a) > SMALLEST)
        return np.stack([way, _alpha(sums[..., 3:])], axis=-1)

    way, alpha = _intervals_of_sums(rows, clustering, ratios)
    low, high = np.clip([alpha.low, alpha.high], -1, 1)
    heard = share_of(listener, clustering)
    if not heard.low > chance:
        way = UNDEFINED
    return Ceiling(
        n=len(clips),
        listener=heard,
        model=share_of(model, clustering),
        chance=chance,
        way=way,
        alpha=replace(alpha, low=float(low), high=float(high)),
    )


def against_the_rest(counts: Ids, predicted: Ids) -> tuple[Floats, Floats]:
    """Return how often one listener, and the model, agree with the others, `(N,)` in [0, 1] each.

    Each vote of a clip is left out in turn; the majority of the rest judges both.

    Examples:
        >>> listener, model = against_the_rest(np.array([[2, 1]]), np.array([0]))
        >>> listener.round(3).tolist(), model.round(3).tolist()
        ([0.333], [0.667])
    """
    n = counts.sum(axis=1)
    listener, model = np.zeros(len(counts)), np.zeros(len(counts))
    for label in range(counts.shape[1]):
        having = np.flatnonzero(counts[:, label])
        rest = counts[having].copy()
        rest[:, label] -= 1
        worth, weight = credit_of(rest), counts[having, label] / n[having]
        listener[having] += weight * worth[:, label]
        model[having] += weight * _at(worth, predicted[having])
    return listener, model


def _intervals_of_sums(
    rows: Floats, clustering: Clustering, statistic: Statistic
) -> list[Interval]:
    """Return smooth functions of sums over clips with intervals, by what each cluster moves."""
    tables = row_tables(sparse.csr_array(rows), clustering)
    n = statistic(np.ones((1, rows.shape[1]))).shape[1]
    effective = of_clusters_and_clips(
        tables,
        lambda one: np.repeat(effective_number(one.tables[:, :1].toarray(), one.times), n),
    )
    found = linear_estimates(tables, statistic, effective)
    return [found.uncertainty(i).mean_interval(float(one)) for i, one in enumerate(found.values)]


def vote_sentences(found: VoteScores | None) -> list[str]:
    """Return what the votes mean, for people; nothing without votes."""
    if found is None:
        return []
    said = [] if found.ceiling is None else [_ceiling_sentence(found.ceiling)]
    said.append(
        f"Against {counted(found.votes, 'vote')}, cross-entropy is {found.cross_entropy.value:.2f} "
        f"nats, and {found.entropy.value:.2f} would be that of a model which knows the votes; "
        f"Jensen-Shannon divergence is {found.divergence.value:.2f} bits of at most 1."
    )
    said.append(_band_sentence(found))
    said.append(_confidence_sentence(found))
    if found.unknown:
        names = ", ".join(f"{name} {n}" for name, n in sorted(found.unknown.items()))
        said.append(f"Votes that are none of the model's labels are in no score: {names}.")
    return said


def _ceiling_sentence(found: Ceiling) -> str:
    listener, model = (scored(asdict(one)) for one in (found.listener, found.model))
    way = (
        "a listener is not shown to be better than chance"
        if np.isnan(found.way.value)
        else f"{scored(asdict(found.way))} of the way from chance ({percent(found.chance, 0)}) "
        "to a listener"
    )
    return (
        f"A listener agrees with the others on {listener}, this model on {model}: {way} "
        f"({counted(found.n, 'clip')}; Krippendorff's alpha of the listeners "
        f"{numbered(asdict(replace(found.alpha, low=np.nan)))})."
    )


def _band_sentence(found: VoteScores) -> str:
    parts = ", ".join(
        f"{percent(one.accuracy.value, 0)} where {_band(one)} agree ({counted(one.n, 'clip')})"
        for one in found.bands
    )
    ties = (
        f"; {counted(found.tied, 'tie counts', 'ties count')} 1/t for each of t labels"
        if found.tied
        else ""
    )
    return f"It is right by the majority on {scored(asdict(found.majority['wa']))}: {parts}{ties}."


def _band(one: BandScore) -> str:
    if one.low == 1:
        return "all"
    if one.low == 0:
        return f"fewer than {percent(one.high, 0)}"
    return f"{percent(one.low, 0)} to {percent(one.high, 0)}"


def _confidence_sentence(found: VoteScores) -> str:
    gap = found.overconfidence
    state = f"{percent(found.confidence, 0)} sure, and {percent(found.share.value, 0)} of listeners"
    if not (gap.low > 0 or gap.high < 0):
        return f"It is {state} chose its answer: no difference on average can be shown."
    lean = "surer" if gap.value > 0 else "less sure"
    return f"It is {state} chose its answer: {lean} than the listeners."

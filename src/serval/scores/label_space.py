"""What the labels that a model and a set do not share do to a run's scores.

Beside the score of a run, which is of the clips that the model has a label for (the fair subset),
stand two others: that of the full set, in which every further clip is an error, so that nobody
gains by refusing; and that of restricted answers, among the labels that both know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.labels import emotion_of
from serval.scores.chance import baseline_labels, restricted
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.metrics import Margins
from serval.scores.registry import HEADLINES
from serval.scores.score import RESAMPLES, whole_columns, whole_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.run import Run
    from serval.scores.stats import Interval

    Headlines = Mapping[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSet:
    """The scores of all labelled clips of a set, those without an answer counted as errors.

    Attributes:
        n: Clips: answered, failed, and of labels that the model does not know.
        classes: Labels that the macro scores average over, the unknown ones among them.
        failed: Clips with a label that failed.
        unknown: Clips of each label that the model does not know.
        scores: By name of `HEADLINES`.
    """

    n: int
    classes: int
    failed: int
    unknown: Mapping[str, int]
    scores: Headlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Restricted:
    """The scores of a run in which only labels that model and set share may win.

    Attributes:
        labels: Those.
        others: The model's further labels.
        changed: Answers that were another label before.
        confidence: Mean probability of the answer, in [0, 1].
        scores: By name of `HEADLINES`.
    """

    labels: tuple[str, ...]
    others: tuple[str, ...]
    changed: int
    confidence: float
    scores: Headlines


def full_set_of(run: Run, *, resamples: int = RESAMPLES, seed: int = 0) -> FullSet | None:
    """Return the scores of the full set; `None` where the run answered every labelled clip.

    A clip without an answer takes from no label's precision. Draws are of speakers; of each label
    that the model does not know there are as many clips in each of them as in the set.
    """
    failed = [failure for failure in run.failures if failure.truth]
    unknown = _labels_of(run.dropped)
    if not (failed or unknown):
        return None
    k = len(run.labels) + 1  # the last is no answer
    truth = np.append(run.truth, [run.labels.id_of(failure.truth) for failure in failed])
    predicted = np.append(run.predicted, np.full(len(failed), k - 1))
    speakers = (*run.speakers, *(failure.speaker for failure in failed))
    cells = truth.astype(np.int64) * k + predicted.astype(np.int64)
    tables = cluster_tables(cells, k * k, clustering_of(speakers))
    rng, missing = np.random.default_rng(seed), np.array(list(unknown.values()), dtype=np.float64)
    scores = whole_intervals(
        tables, k, resamples, rng, lambda counts: whole_columns(_with(counts, missing))
    )
    return FullSet(
        n=len(truth) + int(missing.sum()),
        classes=len(np.unique(truth)) + len(unknown),
        failed=len(failed),
        unknown=unknown,
        scores={name: scores[name] for name in HEADLINES},
    )


def _labels_of(dropped: Mapping[str, int]) -> dict[str, int]:
    """Return the clips of each label that the model does not know; spellings count as one."""
    counts, spelled = Counter[str](), dict[str, str]()
    for raw, n in dropped.items():
        if n:
            counts[spelled.setdefault(emotion_of(raw), raw)] += n
    return dict(counts)


def restricted_of(run: Run, *, resamples: int = RESAMPLES, seed: int = 0) -> Restricted | None:
    """Return the scores of restricted answers; `None` where the set has all labels of the model."""
    own = baseline_labels(np.bincount(run.truth, minlength=len(run.labels)))
    if own.all():
        return None
    within, k = restricted(run), len(run.labels)
    tables = cluster_tables(run.truth * k + within.predicted, k * k, clustering_of(run.speakers))
    scores = whole_intervals(tables, k, resamples, np.random.default_rng(seed))
    sure = np.take_along_axis(within.probs, within.predicted[:, np.newaxis], axis=1)
    return Restricted(
        labels=tuple(label for label, has in zip(run.labels, own, strict=True) if has),
        others=tuple(label for label, has in zip(run.labels, own, strict=True) if not has),
        changed=int((within.predicted != run.predicted).sum()),
        confidence=float(sure.mean()),
        scores={name: scores[name] for name in HEADLINES},
    )


def _with(counts: Margins, missing: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Margins:
    """Return the margins with further labels, none of whose clips has an answer."""
    none = np.zeros((*counts.hits.shape[:-1], len(missing)))
    return Margins(
        hits=np.concatenate([counts.hits, none], axis=-1),
        support=np.concatenate([counts.support, none + missing], axis=-1),
        predictions=np.concatenate([counts.predictions, none], axis=-1),
    )

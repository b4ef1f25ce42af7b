"""Every score of a whole run: its name, title, synonyms, direction and function.

Tables, summary, report, card, sweep, gate, compare and stress read this list. A new metric is a
function in `metrics.py` and an entry here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.scores.metrics import (
    Margins,
    Score,
    f1,
    macro,
    macro_f1,
    macro_precision,
    occurring,
    precision,
    recall,
    uar,
    wa,
    weighted_f1,
    weighted_precision,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A score of a whole run, in [0, 1].

    Attributes:
        key: Its name in files and bounds.
        title: Its name in a sentence or table.
        full: Its name where it stands alone.
        of: The score of sums over clips, `(...)`.
        synonyms: Other names of exactly this score.
        higher_is_better: Its direction.
        headline: Whether it is shown where there is room for few.
        minor: Whether it is shown only where there is room for all.
    """

    key: str
    title: str
    full: str
    of: Callable[[Margins], Score]
    synonyms: tuple[str, ...] = ()
    higher_is_better: bool = True
    headline: bool = False
    minor: bool = False

    def better(self, one: float, other: float) -> bool:
        """Return whether the first of two values is the better one."""
        return one > other if self.higher_is_better else one < other

    def order(self, value: float) -> tuple[bool, float]:
        """Return a key that puts the best value first and one that is not defined last."""
        return math.isnan(value), -value if self.higher_is_better else value


METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            key="wa",
            title="accuracy (WA)",
            full="Accuracy (WA)",
            of=wa,
            synonyms=("accuracy", "war", "recall_weighted"),
            headline=True,
        ),
        Metric(
            key="uar",
            title="UAR",
            full="UAR (unweighted average recall)",
            of=uar,
            synonyms=("ua", "balanced_accuracy"),
            headline=True,
        ),
        Metric(
            key="macro_f1",
            title="macro F1",
            full="Macro F1",
            of=macro_f1,
            headline=True,
        ),
        Metric(
            key="weighted_f1",
            title="weighted F1",
            full="Weighted F1",
            of=weighted_f1,
            synonyms=("f1_weighted",),
        ),
        Metric(
            key="macro_precision",
            title="macro precision",
            full="Macro precision",
            of=macro_precision,
            minor=True,
        ),
        Metric(
            key="weighted_precision",
            title="weighted precision",
            full="Weighted precision",
            of=weighted_precision,
            synonyms=("precision_weighted",),
            minor=True,
        ),
    )
}
"""By key, in the order of every table. Macro recall is `uar` and weighted recall is `wa`."""

HEADLINES = tuple(metric.key for metric in METRICS.values() if metric.headline)
"""The few that are shown first, judged and ranked by."""

SHOWN = tuple(metric.key for metric in METRICS.values() if not metric.minor)
"""Those of the terminal, the page and the table of a sweep."""

PUBLISHED: Mapping[str, Callable[[Margins], Score]] = {
    "accuracy": wa,
    "precision_weighted": weighted_precision,
    "recall_weighted": wa,
    "f1_weighted": weighted_f1,
    "precision_macro": lambda sums: macro(precision(sums), occurring(sums)),
    "recall_macro": lambda sums: macro(recall(sums), occurring(sums)),
    "f1_macro": lambda sums: macro(f1(sums), occurring(sums)),
}
"""The keys under `overall` in `results.json`, as scikit-learn gives them: macro scores run over the
classes that occur in truth or predictions, those of `METRICS` over the classes with truth clips."""

_SYNONYMS = {name: metric.key for metric in METRICS.values() for name in metric.synonyms}


def column_names() -> tuple[str, ...]:
    """Return the names of the scores of a whole run: `METRICS`, then what only `PUBLISHED` has."""
    return (*METRICS, *(key for key in PUBLISHED if key not in _SYNONYMS))


def canonical(name: str) -> str:
    """Return the name by which a metric is known here; labels behind a colon keep their case.

    Examples:
        >>> canonical("Accuracy"), canonical("UAR"), canonical("Recall:Sad")
        ('wa', 'uar', 'recall:Sad')
        >>> canonical("recall_macro")
        'recall_macro'
    """
    metric, colon, label = name.partition(":")
    return _SYNONYMS.get(metric.lower(), metric.lower()) + colon + label


def title_of(key: str) -> str:
    """Return the title of a metric, as it stands at the beginning of a row.

    Examples:
        >>> title_of("macro_f1"), title_of("uar")
        ('Macro F1', 'UAR')
    """
    title = METRICS[key].title
    return f"{title[:1].upper()}{title[1:]}"

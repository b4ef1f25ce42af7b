"""What a run says, in sentences: the verdict, what guessing would score, what it does not mean."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING

from serval.wording import counted, hundredths, percent

if TYPE_CHECKING:
    from serval.labels import LabelSet
    from serval.run import Run
    from serval.scores import Scores
    from serval.scores.stats import Interval


def verdict_of(name: str, scores: Scores, data: str = "") -> str:
    """Return the one sentence that a reader takes away from one run.

    Args:
        name: What the run is called.
        scores: Of the run.
        data: What the clips are of, where no title says so.
    """
    if not scores.n:
        return f"{name} answered no clip."
    accuracy = in_words(scores.overall["wa"])
    of = f"'{data}'" if data.startswith("clip") else data  # "of 6 clips of clips" nobody reads
    clips = counted(scores.n, "clip") + (f" of {of}" if data else "")
    return f"{name} names the right emotion in {accuracy} of {clips}."


def sentences_of(scores: Scores, labels: LabelSet) -> list[str]:
    """Return what stands below the verdict: guessing, and the intervals; nothing without a clip."""
    if not scores.n:
        return []
    return [baseline_sentence(scores, labels), interval_sentence(scores)]


def data_name(run: Run) -> str:
    """Return the set and split; of a path only the last part, which is all that others need."""
    data = run.provenance.dataset
    name = str(data.get("name", ""))
    short = name if name.startswith("hf:") else PurePath(name).name
    return ", ".join(part for part in (short, str(data.get("split", ""))) if part)


def in_words(interval: Interval) -> str:
    """Return a share with its interval: `84.34 % (95 % interval 77.3 to 89.5 %)`."""
    if math.isnan(interval.low):
        return in_percent(interval.value)
    return (
        f"{in_percent(interval.value)} (95\N{NO-BREAK SPACE}% interval "
        f"{hundredths(interval.low)} to {hundredths(interval.high)}\N{NO-BREAK SPACE}%)"
    )


def in_percent(share: float) -> str:
    """Return a share as a percentage that no line break divides, `n/a` where not defined."""
    return percent(share).replace(" ", "\N{NO-BREAK SPACE}")


def baseline_sentence(scores: Scores, labels: LabelSet) -> str:
    """Return how the score stands against guessing."""
    majority = max(labels, key=lambda label: scores.per_class[label].support)
    random, always = (in_percent(scores.baselines[name]["wa"]) for name in ("random", "majority"))
    return (
        f"Counting each emotion alike it is {in_words(scores.overall['uar'])}, the mean recall of "
        f"{counted(scores.classes_averaged, 'emotion')} (UAR). Guessing at random would be "
        f"right in {random}, always saying '{majority}' in {always}."
    )


def interval_sentence(scores: Scores) -> str:
    """Return how the intervals were made."""
    how = scores.resampling
    return (
        f"Intervals come from drawing {counted(how.clusters, how.by)} again {how.resamples:,} times"
        f"{': clips of one speaker resemble each other' if how.by == 'speaker' else ''}."
    )

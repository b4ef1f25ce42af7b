"""What two or more runs differ in; the first is what the others are measured against."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serval.comparison.flips import Divergence, Flip, GroupChange
    from serval.comparison.pair import PairOptions, PairScores, PairTest, Rank

__all__ = ["Against", "Comparison"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One run, B, measured against the first run, A.

    Attributes:
        a: Name of the first run.
        b: Name of this one.
        scores: Differences of every score, McNemar and agreement.
        divergence: How far the probabilities moved.
        flips: The clips with another label.
        groups: What changed for each speaker and each group of clips.
    """

    a: str
    b: str
    scores: PairScores
    divergence: Divergence
    flips: tuple[Flip, ...]
    groups: tuple[GroupChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two or more runs on their common clips.

    Attributes:
        runs: Folder of each run, by name; the first is the baseline.
        only_in: Clips that not all runs have, by run.
        n: Common clips.
        other_audio: How many of them have other audio in another run.
        classes_averaged: Classes with truth clips: macro scores run over these.
        clustering: What was drawn, `speaker` or `clip`; how many, and how many of equal size
            would say as much.
        options: Margin, draws and seed.
        against: Each further run against the first.
        tests: Every pair of runs, corrected for their number.
        ranks: Where each run stands.
        warnings: What a reader must know before trusting the numbers, one sentence each.
    """

    runs: dict[str, str]
    only_in: dict[str, tuple[str, ...]]
    n: int
    other_audio: int
    classes_averaged: int
    clustering: dict[str, Any]
    options: PairOptions
    against: tuple[Against, ...]
    tests: tuple[PairTest, ...]
    ranks: tuple[Rank, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as dicts, lists and numbers; undefined ones are NaN."""
        return asdict(self)

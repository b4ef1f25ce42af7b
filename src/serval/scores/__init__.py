"""A run -> its scores, each with an interval: the metrics, their list, and how sure they are."""

from __future__ import annotations

from serval.scores.score import (
    OVERALL,
    ClassScores,
    Resampling,
    Scores,
    bearing,
    intervals,
    score_columns,
    scores_of,
)

__all__ = [
    "OVERALL",
    "ClassScores",
    "Resampling",
    "Scores",
    "bearing",
    "intervals",
    "score_columns",
    "scores_of",
]

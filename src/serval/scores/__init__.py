"""A run -> its scores, each with an interval: the metrics, their list, and how sure they are."""

from __future__ import annotations

from serval.scores.chance import Outside, baseline_labels, chance
from serval.scores.registry import HEADLINES, METRICS, PUBLISHED, SHOWN, Metric, canonical, title_of
from serval.scores.score import (
    OVERALL,
    ClassScores,
    Resampling,
    Scores,
    intervals,
    scores_of,
    whole_intervals,
)

__all__ = [
    "HEADLINES",
    "METRICS",
    "OVERALL",
    "PUBLISHED",
    "SHOWN",
    "ClassScores",
    "Metric",
    "Outside",
    "Resampling",
    "Scores",
    "baseline_labels",
    "canonical",
    "chance",
    "intervals",
    "scores_of",
    "title_of",
    "whole_intervals",
]

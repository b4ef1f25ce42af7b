"""A run -> the scores of its groups of clips, and whether their gaps are more than chance."""

from __future__ import annotations

from serval.groups.groups import (
    Fairness,
    GroupDeviation,
    GroupGap,
    Groups,
    GroupScores,
    GroupTable,
    canonical_column,
    fairness_columns,
    fairness_of,
    group_columns,
    group_sentences,
    groups_of,
)

__all__ = [
    "Fairness",
    "GroupDeviation",
    "GroupGap",
    "GroupScores",
    "GroupTable",
    "Groups",
    "canonical_column",
    "fairness_columns",
    "fairness_of",
    "group_columns",
    "group_sentences",
    "groups_of",
]

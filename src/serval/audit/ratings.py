"""What is wrong with ratings of dimensions, such as arousal and valence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serval.audit.facts import finding_on
from serval.audit.findings import FindingKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.audit.facts import ClipFacts
    from serval.audit.findings import Finding
    from serval.dimensions import Scale


def rated_columns(facts: Sequence[ClipFacts]) -> tuple[str, ...]:
    """Return the columns that rate a clip; one that holds words only, such as `positive`, does not.

    Args:
        facts: Clips, whose `ratings` are what stands in columns with the usual names.
    """
    names = dict.fromkeys(name for clip in facts for name in clip.ratings)
    return tuple(name for name in names if any(rating_of(clip, name) is not None for clip in facts))


def rating_of(clip: ClipFacts, column: str) -> float | None:
    """Return the rating of a clip, or `None` where there is none, or no number."""
    try:
        value = float(clip.ratings.get(column, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def rating_findings(
    facts: Sequence[ClipFacts], split: str, scale: Scale | None
) -> Iterator[Finding]:
    """Yield what is wrong with the ratings of one split, whose scale is known or not."""
    for column in rated_columns(facts):
        rated = [(clip, rating_of(clip, column)) for clip in facts]
        if missing := [clip for clip, value in rated if value is None]:
            what = f"no number in '{column}'"
            yield finding_on(FindingKind.MISSING_RATING, what, missing, split)
        known = [(clip, value) for clip, value in rated if value is not None]
        values = [value for _, value in known]
        if scale and (min(values) < scale.low or max(values) > scale.high):
            outside = [clip for clip, value in known if not scale.low <= value <= scale.high]
            what = f"'{column}' runs from {min(values):g} to {max(values):g}, outside of {scale}"
            yield finding_on(FindingKind.OUTSIDE_SCALE, what, outside, split)
        if len(values) > 1 and len(set(values)) == 1:
            what = f"'{column}' is always {values[0]:g}"
            yield finding_on(FindingKind.CONSTANT_RATING, what, [clip for clip, _ in known], split)


def unlike_ratings(clips: Sequence[ClipFacts]) -> dict[str, list[float]]:
    """Return the columns that rate one recording unlike, with its ratings, the lowest first."""
    values = {
        column: sorted({v for clip in clips if (v := rating_of(clip, column)) is not None})
        for column in rated_columns(clips)
    }
    return {column: several for column, several in values.items() if len(several) > 1}

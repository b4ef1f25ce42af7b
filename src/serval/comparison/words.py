"""What a comparison means, in sentences for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serval.scores import HEADLINES, METRICS
from serval.wording import points

if TYPE_CHECKING:
    from serval.comparison.comparison import Against, Comparison
    from serval.comparison.pair import ScoreChange

__all__ = ["in_points", "points", "sentences", "verdict_sentence"]


def sentences(comparison: Comparison, against: Against) -> list[str]:
    """Return what is known of one run against the first: verdict, power, flips, divergence."""
    margin = comparison.options.margin
    scores = against.scores
    lines = [
        f"{METRICS[name].title}: {verdict_sentence(scores.overall[name], margin)}"
        for name in HEADLINES
    ]
    return [*lines, _power(comparison, against), _mcnemar(against), _agreement(against)]


def verdict_sentence(change: ScoreChange, margin: float) -> str:
    """Return the verdict on one score, with the reason."""
    gap = change.difference
    if math.isnan(gap.value):
        return "cannot tell, it is not defined on these clips."
    if change.verdict == "not worse":
        extra = "; it is better" if gap.low > 0 else "; it is worse by less" * (gap.high < 0)
        return f"not worse: a loss of more than {in_points(margin)} is ruled out{extra}."
    if change.verdict == "worse":
        sure = "" if gap.high < -margin else f", though maybe by less than {in_points(margin)}"
        return f"worse{sure}."
    if change.contradicted(margin):
        return (
            f"cannot tell: the interval, {points(gap.low, sign=True)} to "
            f"{points(gap.high, sign=True)} points, lies below 0, but swapping the two answers of "
            f"clips at random does as much with p = {change.p_swapped:.2g}: too few clips changed."
        )
    return (
        f"cannot tell: the difference may lie anywhere from {points(gap.low, sign=True)} to "
        f"{points(gap.high, sign=True)} points."
    )


def in_points(share: float) -> str:
    """Return a share of 1 in percentage points, with the unit.

    Examples:
        >>> in_points(0.01), in_points(0.005)
        ('1 point', '0.5 points')
    """
    return f"{points(share)} point{'' if share == 0.01 else 's'}"


def _power(comparison: Comparison, against: Against) -> str:
    overall = against.scores.overall
    if overall["wa"].difference.detectable >= 1:
        return f"This set can show no difference at all: {comparison.n} clips are too few."
    return (
        "Minimum detectable effect at 80 % power: "
        f"{points(overall['wa'].difference.detectable)} points of accuracy, "
        f"{points(overall['uar'].difference.detectable)} of UAR; {comparison.n} clips, drawn by "
        f"{comparison.clustering['by']}."
    )


def _mcnemar(against: Against) -> str:
    test = against.scores.mcnemar
    changed = test.only_a + test.only_b
    if math.isnan(test.smallest_significant):
        limit = "too few to be significant whichever way they fall"
    else:
        limit = f"significant from {points(test.smallest_significant)} points net"
    return (
        f"Exact McNemar, as if clips were independent: p = {test.p:.3g}; {changed} clips changed "
        f"between right and wrong ({test.only_a} broken, {test.only_b} fixed), {limit}."
    )


def _agreement(against: Against) -> str:
    same, far = against.scores.agreement, against.divergence
    return (
        f"Same label on {points(same.value)} % of the clips "
        f"({points(same.low)} to {points(same.high)}); "
        f"{len(against.flips)} flips. Probabilities: total variation {far.tv.value:.3f} "
        f"(at most {far.tv_max:.3f}), KL {far.kl.value:.4f}, JS {far.js.value:.4f} nats."
    )

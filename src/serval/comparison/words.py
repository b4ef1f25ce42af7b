"""What a comparison means, in sentences for people."""

from __future__ import annotations

import math
from dataclasses import asdict
from string import ascii_uppercase
from typing import TYPE_CHECKING

from serval.results.verdict import in_percent
from serval.scores import HEADLINES, METRICS
from serval.wording import counted, hundredths, in_points, percent, points, scored, span

if TYPE_CHECKING:
    from collections.abc import Collection

    from serval.comparison.pair import Against, Comparison
    from serval.scores.paired import ScoreChange
    from serval.scores.stats import Verdict

SHOWN_FLIPS = 3
SHOWN_SPEAKERS = 3


def letter_of(runs: Collection[str], name: str) -> str:
    """Return what a run is called in the heads of tables: A, B, C ..., and behind Z R27, R28 ..."""
    place = list(runs).index(name)
    return ascii_uppercase[place] if place < len(ascii_uppercase) else f"R{place + 1}"


def relation_of(verdict: Verdict | None) -> str:
    """Return what stands between two runs in a sentence, of either task."""
    told: dict[Verdict | None, str] = {
        "not worse": "is not worse than",
        "worse": "is worse than",
    }
    return told.get(verdict, "may or may not be worse than")


def pair_verdict(comparison: Comparison, against: Against) -> str:
    """Return the one sentence that a reader takes away from two runs: by accuracy, then others."""
    a, b = (f"{name} ({letter_of(comparison.runs, name)})" for name in (against.a, against.b))
    alike = against.divergence.tv_max == 0
    if alike and comparison.runs[against.a] == comparison.runs[against.b]:
        return f"{b} is the same run as {a}, so that nothing differs: name another one."
    change = against.scores.overall["wa"]
    relation = relation_of(change.verdict)
    gap = change.difference
    others = {
        METRICS[name].title: own.verdict
        for name in HEADLINES
        if (own := against.scores.overall[name]).verdict != change.verdict
    }
    more = "".join(f" By {title}: {verdict}." for title, verdict in others.items())
    if alike:
        more += " Both give every clip the same probabilities: it may be the same model."
    return (
        f"{b} {relation} {a}: {in_percent(change.b)} against "
        f"{in_percent(change.a)} of {counted(comparison.n, 'clip is', 'clips are')} right, "
        f"{in_points(gap.value, sign=True)} (95\N{NO-BREAK SPACE}% interval "
        f"{span(gap.low, gap.high)}).{more}"
    )


def sentences(comparison: Comparison, against: Against) -> list[str]:
    """Return what is known of one run against the first: verdict, power, flips, divergence."""
    margin = comparison.options.margin
    scores = against.scores
    lines = [
        f"{METRICS[name].title}: {verdict_sentence(scores.overall[name], margin)}"
        for name in HEADLINES
    ]
    return [*lines, *supporting(comparison, against)]


def supporting(comparison: Comparison, against: Against) -> list[str]:
    """Return what stands behind the verdict: power, the tests that ignore speakers, agreement."""
    return [_power(comparison, against), _mcnemar(against), _agreement(against)]


def changed(against: Against) -> list[str]:
    """Return which clips broke most surely, and of which speakers most clips changed."""
    return [*_surest_flips(against), *_changed_speakers(against)]


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
            f"cannot tell: the interval, {span(gap.low, gap.high)} points, lies below 0, but "
            "swapping the two answers of clips at random does as much with p = "
            f"{change.p_swapped:.2g}: too few clips changed."
        )
    return f"cannot tell: the difference may lie anywhere from {span(gap.low, gap.high)} points."


def _power(comparison: Comparison, against: Against) -> str:
    overall = against.scores.overall
    if overall["wa"].difference.detectable >= 1:
        return (
            f"This set can show no difference at all: "
            f"{counted(comparison.n, 'clip is', 'clips are')} too few."
        )
    return (
        "Minimum detectable effect at 80 % power: "
        f"{hundredths(overall['wa'].difference.detectable, 2)} points of accuracy, "
        f"{hundredths(overall['uar'].difference.detectable, 2)} of UAR; "
        f"{counted(comparison.n, 'clip')}, drawn by {comparison.clustering['by']}."
    )


def _mcnemar(against: Against) -> str:
    test = against.scores.mcnemar
    changed = test.only_a + test.only_b
    if math.isnan(test.smallest_significant):
        limit = "too few to be significant whichever way they fall"
    else:
        limit = f"significant from {points(test.smallest_significant)} points net"
    return (
        f"Exact McNemar, as if clips were independent: p = {test.p:.3g}; "
        f"{counted(changed, 'clip')} changed between right and wrong ({test.only_a} broken, "
        f"{test.only_b} fixed), {limit}."
    )


def _agreement(against: Against) -> str:
    same, far = against.scores.agreement, against.divergence
    return (
        f"Same label on {scored(asdict(same))} of the clips; "
        f"{counted(len(against.flips), 'flip')}. Probabilities: total variation {far.tv.value:.3f} "
        f"(at most {far.tv_max:.3f}), KL {far.kl.value:.4f}, JS {far.js.value:.4f} nats."
    )


def _surest_flips(against: Against) -> list[str]:
    broken = [flip for flip in against.flips if flip.kind == "broken"]
    if not broken:
        return []
    named = ", ".join(
        f"{flip.clip_id} ({flip.a} became {flip.b}, {percent(flip.confidence_b, 0)} sure)"
        for flip in broken[:SHOWN_FLIPS]
    )
    return [f"Surest of {counted(len(broken), 'clip')} that broke: {named}."]


def _changed_speakers(against: Against) -> list[str]:
    moved = [g for g in against.groups if g.column == "speaker" and g.broken + g.fixed]
    most = sorted(moved, key=lambda g: -(g.broken + g.fixed))[:SHOWN_SPEAKERS]
    if not most:
        return []
    named = ", ".join(f"{g.name} (-{g.broken} +{g.fixed} of {counted(g.n, 'clip')})" for g in most)
    return [f"Speakers that changed most, of {len(moved)} that did: {named}."]

"""What quantization cost and what to take, in sentences for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serval.scores.paired import PairOptions
from serval.wording import counted, in_points, percent, span

if TYPE_CHECKING:
    from serval.quantize.clips import Fidelity
    from serval.quantize.quantize import Quantized
    from serval.quantize.variants import Variant, Variants

__all__ = ["MARGIN", "comparison_verdict", "made_verdict"]

MARGIN = PairOptions().margin
"""The loss that would not matter, in [0, 1]: that of `serval compare`."""


def made_verdict(made: Quantized) -> list[str]:
    """Return what a reader takes away from one file: its size, and what it cost."""
    size = (
        f"{made.path.name} ({made.precision}) has {percent(made.size_bytes / made.fp32_bytes)} of "
        f"the size of FP32, {made.size_bytes / 1e6:.1f} MB"
    )
    if made.result is None:
        return [f"{size}; give --eval DATASET to learn what that cost."]
    found, clips = made.result.measured, made.result.clips
    if found.right is None:
        same = f"the same emotion on {percent(found.agreement)} of {counted(found.clips, 'clip')}"
        return [f"{size}, and {same} of {clips} that no range has seen."]
    return [f"{size}; on {counted(found.clips, 'clip')} of {clips} its {_cost(found)}."]


def comparison_verdict(comparison: Variants) -> list[str]:
    """Return which file to take and why, then which to avoid."""
    by_name = {variant.name: variant for variant in comparison.variants}
    others = [variant for variant in comparison.variants if variant.name != comparison.best]
    return [
        _taken(comparison, by_name[comparison.best]),
        *(
            f"Avoid {variant.name} ({variant.file}): its {_cost(variant.measured)}."
            for variant in others
            if _decided(variant) == "worse"
        ),
    ]


def _taken(comparison: Variants, best: Variant) -> str:
    """Return the sentence on the best file; it is not recommended where the clips cannot tell."""
    what = f"{best.file} ({best.name})"
    speed = best.against_fp32
    fast = (
        f"{speed.median:.2f}x as fast as FP32 (quartiles {speed.low:.2f} to {speed.high:.2f})"
        if speed.told_apart
        else "about as fast as FP32"
    )
    why = f"{percent(best.share)} of the size, {fast}, and its {_cost(best.measured)}"
    n = f"{counted(best.measured.clips, 'clip')} of {comparison.clips}"
    if _decided(best) == "not worse":
        return f"Take {what}: {why}, on {n}."
    if _decided(best) == "worse":
        return f"Keep FP32: every other file is worse on {n}; the least bad is {what}: {why}."
    return (
        f"{n} cannot tell which file keeps the accuracy of FP32; the likeliest is {what}: {why}. "
        "Measure on more clips before you take it."
    )


def _decided(variant: Variant) -> str:
    return variant.measured.verdict(100 * MARGIN)


def _cost(found: Fidelity) -> str:
    """Return what happened to the accuracy, with the interval that decides it."""
    gap = found.change
    if gap is None or math.isnan(gap.low):
        return "change of accuracy has no interval"
    said = {
        "not worse": f"a loss of more than {in_points(MARGIN)} is ruled out",
        "worse": "that is worse",
        "cannot tell": f"whether more than {in_points(MARGIN)} is lost cannot be told",
    }[found.verdict(100 * MARGIN)]
    return (
        f"accuracy changes by {in_points(gap.value, sign=True)} (95 % interval "
        f"{span(gap.low, gap.high)}): {said}"
    )

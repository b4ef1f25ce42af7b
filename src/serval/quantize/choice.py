"""The files of one model: which of them to take, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serval.bench.rounds import Ratio, ratio_of
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.bench.rounds import Seconds
    from serval.models.protocol import Logits
    from serval.quantize.clips import Clips, Fidelity
    from serval.quantize.judged import Judged

FP32 = "fp32"
USUAL = "onnxruntime"
NO_SLOWER = "no slower than FP32 here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One file of the model.

    Attributes:
        name: What was made.
        file: Name of the file, or where it is below the folder of the best.
        precision: `fp32`, `int8`, `int4`, `fp16`.
        recipe: How, in words.
        size_bytes: With external weights.
        share: Size as a share of FP32, in (0, 1].
        clips_per_s: On one core, clips of the evaluation set; compare within this run only.
        against_fp32: Speed against FP32.
        against_default: Speed against `quantize_dynamic` with its defaults.
        measured: Accuracy and agreement on the evaluation set.
        runtime: What ran it.
        pareto: Whether no other on this runtime is as small, as fast and as accurate, and more
            than that in one; what the intervals do not show counts as equal. A file that does not
            run on the target is never on it, and takes no other off.
        refused: Why it does not run on the target, as the rest of a sentence; empty if it does.
    """

    name: str
    file: str
    precision: str
    recipe: tuple[str, ...]
    size_bytes: int
    share: float
    clips_per_s: float
    against_fp32: Ratio
    against_default: Ratio
    measured: Fidelity
    runtime: str = USUAL
    pareto: bool = False
    refused: str = ""

    @property
    def judged(self) -> Judged:
        """Its score, and what it lost against FP32; clips of a comparison have a truth."""
        if self.measured.judged is None:
            raise TypeError(f"{self.name} was measured without a truth")
        return self.measured.judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """All variants of one model.

    Attributes:
        model: Name of the FP32 file.
        clips: The evaluation set.
        calibration: Where the calibration clips came from.
        variants: The files that were made, in that order.
        best: Name of the one to take, which is the file that was asked for.
        left_out: Which clips of the set were not evaluated and why, in words; empty if none.
        not_in_browsers: Why that one is no file for browsers, as the rest of a sentence; empty if
            it is one, or a target was named.
    """

    model: str
    clips: str
    calibration: str
    variants: tuple[Variant, ...]
    best: str
    left_out: str = ""
    not_in_browsers: str = ""


def best_of(variants: Sequence[Variant]) -> str:
    """Return the name of the file to take: of those shown to keep the accuracy, the fastest.

    Speeds that are equal to a tenth of FP32's are one, and the smaller file is taken. Where none is
    shown to keep it, of those that may, else of all, the most accurate, then the smallest. FP32 is
    not among them, nor a file that does not run on the target. One that is slower here than FP32,
    as integers may be on a processor without instructions for them, goes behind all others of its
    verdict. Of those that keep it, one on the Pareto front goes before the others.
    """
    for verdict in ("not worse", "cannot tell", "worse"):
        found = [v for v in _choice(variants) if _decided(v) == verdict]
        found = [v for v in found if not _is_slower(v)] or found
        if found and verdict == "not worse":
            found = [v for v in found if v.pareto] or found
            return min(found, key=lambda v: (-round(v.against_fp32.median, 1), v.size_bytes)).name
        if found:
            return max(found, key=lambda v: (_known(v.judged.b), -v.size_bytes, v.pareto)).name
    return FP32


def _known(score: float) -> float:
    """Return a score as one that can be ordered: to a ten-thousandth, below all others if unknown.

    Less is what another order of sums makes, which should not go before size.
    """
    return -math.inf if math.isnan(score) else round(score, 4)


def _choice(variants: Sequence[Variant]) -> list[Variant]:
    """Return the files that may be taken: made here, timed on ONNX Runtime, run by the target."""
    return [v for v in variants if v.name != FP32 and v.runtime == USUAL and not v.refused]


def _is_slower(variant: Variant) -> bool:
    """Tell whether a file was shown to be slower than FP32 on this machine."""
    return variant.against_fp32.told_apart and variant.against_fp32.median < 1


def marked(
    variants: Sequence[Variant],
    seconds: Mapping[str, Seconds],
    clips: Clips,
    answers: Mapping[str, Logits],
) -> tuple[Variant, ...]:
    """Return the variants with the Pareto front marked, as far as the clips and rounds show it.

    Each runtime has a front of its own, so that another one takes no file out of the choice.
    """
    on_front: dict[str, bool] = {}
    scores = {variant.name: variant.judged.b for variant in variants}

    def faster(one: str, other: str) -> bool:
        ratio = ratio_of(one, other, seconds)
        return one != other and ratio.told_apart and ratio.median > 1

    def better(one: str, other: str) -> bool:
        if not scores[one] > scores[other]:
            return False
        found = clips.judged(answers[other], answers[one])
        return found is not None and found.change.low > 0

    running = [variant for variant in variants if not variant.refused]
    for runtime in {variant.runtime for variant in running}:
        sizes = {each.name: each.size_bytes for each in running if each.runtime == runtime}
        shown = [[(faster(i, j), better(i, j)) for j in sizes] for i in sizes]
        front = pareto_front([*sizes.values()], np.array(shown))
        on_front |= dict(zip(sizes, front, strict=True))
    return tuple(replace(variant, pareto=on_front.get(variant.name, False)) for variant in variants)


def pareto_front(sizes: Sequence[int], shown: NDArray[np.bool_]) -> list[bool]:
    """Return for each of N files whether no other is as small, as fast and as accurate, and more.

    Args:
        sizes: In bytes.
        shown: `(N, N, 2)`, whether the first file is shown to be faster and more accurate than the
            second; what is not shown, by its interval, keeps no file on the front.

    Examples:
        >>> nothing = np.zeros((2, 2, 2), dtype=bool)
        >>> pareto_front([1, 2], nothing)
        [True, False]
        >>> faster = nothing.copy()
        >>> faster[1, 0, 0] = True
        >>> pareto_front([1, 2], faster)
        [True, True]
    """
    better: NDArray[np.bool_] = np.logical_or(shown[..., 0], shown[..., 1])
    front: list[int] = []
    for j in sorted(range(len(sizes)), key=lambda j: sizes[j]):
        # Against what is on the front already: one that is off it takes no other off.
        rivals = [*front, *(i for i in range(len(sizes)) if sizes[i] == sizes[j])]
        if not any((sizes[i] < sizes[j] or better[i, j]) and not better[j, i] for i in rivals):
            front.append(j)
    return [j in front for j in range(len(sizes))]


def comparison_verdict(comparison: Variants) -> list[str]:
    """Return which file to take and why, then which to avoid."""
    by_name = {variant.name: variant for variant in comparison.variants}
    others = [variant for variant in comparison.variants if variant.name != comparison.best]
    return [
        _taken(comparison, by_name[comparison.best]),
        *_not_in_browsers(comparison, by_name[comparison.best]),
        *(
            f"Avoid {variant.name} ({variant.file}): its {variant.judged.cost}."
            for variant in others
            if _decided(variant) == "worse"
        ),
        *(
            f"{variant.name} ({variant.file}) does not run on the target: it {variant.refused}."
            for variant in others
            if variant.refused and variant.runtime == USUAL
        ),
    ]


def _not_in_browsers(comparison: Variants, best: Variant) -> Iterator[str]:
    """Yield a sentence on a best file that is none for browsers, which nobody asked of it."""
    if comparison.not_in_browsers:
        yield (
            f"{best.file} is no file for a browser: it {comparison.not_in_browsers}; for a page, "
            "choose among those that are with --target web."
        )


def _taken(comparison: Variants, best: Variant) -> str:
    """Return the sentence on the best file; it is not recommended where the clips cannot tell."""
    what = f"{best.file} ({best.name})"
    speed = best.against_fp32
    fast = (
        f"{speed.median:.2f}x as fast as FP32 (quartiles {speed.low:.2f} to {speed.high:.2f})"
        if speed.told_apart
        else "about as fast as FP32"
    )
    why = f"{percent(best.share)} of the size, {fast}, and its {best.judged.cost}"
    n = f"{counted(best.measured.clips, 'clip')} of {comparison.clips}"
    if _decided(best) == "not worse":
        return f"Take {what}: {why}, on {n}."
    if _decided(best) == "worse":
        among = f" of those {NO_SLOWER}" * _passes_slower(comparison, best)
        return (
            f"Keep FP32: every other file is worse on {n}; the least bad{among} is {what}: {why}."
        )
    return (
        f"{n} cannot tell which file keeps the {best.judged.score} of FP32; the likeliest is "
        f"{what}, {_most_often_right(comparison, best)}: {why}. Measure on more clips before you "
        "take it."
    )


def _most_often_right(comparison: Variants, best: Variant) -> str:
    """Return why a file is the likeliest of those of which the clips cannot tell."""
    rivals = _of_one_verdict(comparison, best)
    rivals = [one for one in rivals if _is_slower(one) == _is_slower(best)]
    alike = [one for one in rivals if one.judged.b == best.judged.b]
    among = f"of those {NO_SLOWER} " * _passes_slower(comparison, best)
    if math.isnan(best.judged.b):
        return f"which {among}is the smallest, for these clips have no {best.judged.score}"
    smallest = f", and is the smallest of the {len(alike)} that are" * (len(alike) > 1)
    what = f"has the highest {best.judged.score}"
    if best.judged.right is not None:
        what = "is right most often"
    return f"which {among}{what} ({best.judged.unit.told(best.judged.b)}){smallest}"


def _passes_slower(comparison: Variants, best: Variant) -> bool:
    """Tell whether files of the same verdict were passed over for being slower than FP32."""
    return not _is_slower(best) and any(map(_is_slower, _of_one_verdict(comparison, best)))


def _of_one_verdict(comparison: Variants, best: Variant) -> list[Variant]:
    """Return the files that were made and of which the clips say the same."""
    return [one for one in _choice(comparison.variants) if _decided(one) == _decided(best)]


def _decided(variant: Variant) -> str:
    return variant.judged.verdict()

"""Which layers to leave out of a quantization that costs too much accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serval.errors import ConfigError, ModelError
from serval.wording import counted, points, span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.quantize.clips import Clips
    from serval.quantize.layers import Precision
    from serval.quantize.workbench import Candidate, Trial, Workbench

SENSITIVITY_CLIPS = 32
STEPS: tuple[Precision, ...] = ("weight-only int8", "fp16", "fp32")
"""What a layer is moved to, from the smallest file to the largest."""
COARSER: Mapping[Precision, frozenset[str]] = {
    "weight-only int8": frozenset(("int4", "int8")),
    "fp16": frozenset(("int4", "int8", "weight-only int8")),
    "fp32": frozenset(("int4", "int8", "weight-only int8", "fp16")),
}
"""What each of them is finer than."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The error that one layer brings in alone.

    Attributes:
        layer: Name of its node.
        precision: How it was quantized.
        logit_error: Root mean square difference of the logits from FP32.
    """

    layer: str
    precision: Precision
    logit_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The end of a search.

    Attributes:
        candidate: The smallest one that keeps the limit.
        trials: What was tried on the way, in order.
        sensitive: Every rounded layer, the most sensitive first; empty where none had to leave.
    """

    candidate: Candidate
    trials: tuple[Trial, ...]
    sensitive: tuple[Sensitivity, ...] = ()


def sensitivities(bench: Workbench, candidate: Candidate, clips: Clips) -> list[Sensitivity]:
    """Return the error of each rounded layer quantized alone, the largest first."""
    few = clips.part(range(SENSITIVITY_CLIPS))
    found = []
    for name, precision in candidate.recipe.plan.items():
        if precision in COARSER["fp16"]:
            recipe = replace(candidate.recipe, plan={name: precision}, tables=())
            trial = bench.trial(f"{name} alone", replace(candidate, recipe=recipe), few)
            error = trial.measured.logit_error
            found.append(Sensitivity(layer=name, precision=precision, logit_error=error))
    return sorted(found, key=lambda one: -one.logit_error)


def kept_within(bench: Workbench, candidate: Candidate, clips: Clips, max_drop: float) -> Kept:
    """Return the smallest candidate of which a loss over `max_drop` points is ruled out.

    It is ruled out by the interval, as in `serval gate`, not by the point.

    The most sensitive layers leave first: to 8-bit weights, which costs no bytes; if all of them
    there do not hold the limit, to FP16, then to FP32, with what FP16 has of other layers and of
    tables. In each step the number of layers is found by bisection, which takes the loss to shrink
    as layers leave.

    Raises:
        ConfigError: The clips are too few to rule it out even for answers equal to FP32's.
        ModelError: Not even with every layer in FP32 does the limit hold.
    """
    _refuse_undecidable(clips, max_drop)
    trials = [bench.trial("the whole model", candidate, clips)]
    if _holds(trials[0], max_drop):
        return Kept(candidate=candidate, trials=tuple(trials))
    sensitive = tuple(sensitivities(bench, candidate, bench.held_out or clips))
    order = [one.layer for one in sensitive]
    halves = [name for name, stored in candidate.recipe.plan.items() if stored == "fp16"]
    for precision in STEPS:
        order += halves * (precision == "fp32")
        everything = _moved(candidate, order, precision)
        trials.append(bench.trial(f"all layers as {precision}", everything, clips))
        if _holds(trials[-1], max_drop):
            found = _fewest(bench, candidate, (order, precision, max_drop), clips, trials)
            return Kept(candidate=found, trials=tuple(trials), sensitive=sensitive)
    raise ModelError(_not_held(bench.model.path.name, trials[-1], max_drop))


def _holds(trial: Trial, max_drop: float) -> bool:
    judged = trial.measured.judged
    return judged is not None and judged.verdict(max_drop) == "not worse"


def _refuse_undecidable(clips: Clips, max_drop: float) -> None:
    """Raise where not even a perfect copy could be shown to keep the limit."""
    same = clips.judged(clips.reference, clips.reference)
    if same is not None and same.verdict(max_drop) != "not worse":
        n = counted(len(clips.reference), "clip")
        if math.isnan(same.b):
            raise ConfigError(f"{n} of {clips.name} have no {same.score}; take other --eval clips")
        raise ConfigError(
            f"{n} of {clips.name} cannot tell whether a model loses more "
            f"than --max-drop {max_drop:g} points: of equal answers the interval begins at "
            f"{points(same.change.low, sign=True)}; take more --eval clips, or allow more"
        )


def _not_held(name: str, last: Trial, max_drop: float) -> str:
    """Return what to say where the limit does not hold with every layer in FP32."""
    found = last.measured.judged
    said = f"{name} loses more even with every layer in FP32"
    if found is not None:
        ends = span(found.change.low, found.change.high)
        said = f"{name} loses {found.drop:.2f} points of {found.score} even with every layer in"
        said += f" FP32, and {counted(last.measured.clips, 'clip')} cannot tell more than {ends}"
    return f"{said}; allow more than --max-drop {max_drop:g}, or take more --eval clips"


def _moved(candidate: Candidate, layers: list[str], precision: Precision) -> Candidate:
    """Return the candidate with those of the layers that were coarser in another precision.

    Where that is FP32, tables are no coarser.
    """
    before = candidate.recipe.plan
    plan: dict[str, Precision] = {
        name: precision for name in layers if before[name] in COARSER[precision]
    }
    corrections = {k: v for k, v in candidate.recipe.corrections.items() if k not in plan}
    recipe = replace(candidate.recipe.with_plan(plan), corrections=corrections)
    if precision == "fp32":
        recipe = replace(recipe, tables=())
    said = f"{counted(len(plan), 'sensitive layer')} as {precision}"
    return replace(candidate, recipe=recipe, words=(*candidate.words, said))


def _fewest(
    bench: Workbench,
    candidate: Candidate,
    goal: tuple[list[str], Precision, float],
    clips: Clips,
    trials: list[Trial],
) -> Candidate:
    """Return the candidate with the fewest layers moved that still holds the limit."""
    order, precision, max_drop = goal
    fails, holds = 0, len(order)
    while holds - fails > 1:
        middle = (fails + holds) // 2
        moved = _moved(candidate, order[:middle], precision)
        what = f"{middle} most sensitive layers as {precision}"
        trials.append(bench.trial(what, moved, clips))
        if _holds(trials[-1], max_drop):
            holds = middle
        else:
            fails = middle
    return _moved(candidate, order[:holds], precision)

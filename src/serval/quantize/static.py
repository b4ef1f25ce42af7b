"""The static recipe: activations on fixed grids, each choice made by measured error."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from serval.errors import ConfigError
from serval.quantize.bias import bias_shifts
from serval.quantize.build import Recipe
from serval.quantize.layers import layers_of
from serval.quantize.observe import channel_bounds, histograms, rounding_means
from serval.quantize.ranges import RANGE_METHODS, grid_of, range_of
from serval.quantize.smooth import levelled, smooth_factors, smoothed
from serval.quantize.workbench import Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

    from serval.quantize.clips import Clips
    from serval.quantize.layers import Layer, Precision, Role
    from serval.quantize.observe import Bounds
    from serval.quantize.ranges import Histogram, RangeMethod
    from serval.quantize.workbench import Trial, Workbench

__all__ = [
    "chosen_static",
    "plan_of",
    "with_matrices",
]

PLAN: Mapping[Role, Precision] = {
    "matmul": "int8",
    "convolution": "weights8",
    "first convolution": "fp16",
    "grouped convolution": "weights8",
    "classifier": "fp32",
}
"""Where nothing was measured. The first convolution reads raw samples, small and all-important;
the classifier's few weights decide the answer."""

INTEGER_ROLES: tuple[frozenset[Role], ...] = (
    frozenset({"convolution", "grouped convolution"}),
    frozenset({"convolution"}),
    frozenset({"grouped convolution"}),
)
"""Convolutions that are tried in integer arithmetic together, until a set of them is taken."""

CONVOLUTION_PRICE = 1.25
"""How much larger the error may get for convolutions in integer arithmetic, which are faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """A graph, what was seen of its tensors, and what was done to it, in words."""

    graph: onnx.ModelProto
    layers: tuple[Layer, ...]
    seen: Mapping[str, Histogram]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What a candidate is made of: what was seen, the method for ranges, each layer's precision."""

    observed: _Observed
    method: RangeMethod
    plan: Mapping[str, Precision]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Convolutions that shall run in integers, in a graph where they are level or not."""

    graph: onnx.ModelProto
    convolutions: tuple[Layer, ...]
    bounds: Mapping[str, Bounds]
    level: bool


@dataclass(slots=True, kw_only=True)
class _Study:
    """Candidates made and measured one after another; keeps the best and what it is made of."""

    bench: Workbench
    clips: Clips
    trials: list[Trial] = field(default_factory=list)
    best: tuple[_Choice, Candidate, float] | None = None

    def consider(self, what: str, choice: _Choice, price: float = 1.0) -> bool:
        """Return whether a candidate was kept: its error is under `price` times the best."""
        candidate = _with_ranges(self.bench, choice)
        trial = self.bench.trial(what, candidate, self.clips)
        self.trials.append(trial)
        error = trial.measured.logit_error
        kept = self.best is None or error < price * self.best[2]
        if kept:
            self.best = (choice, candidate, error)
        return kept

    @property
    def winner(self) -> tuple[_Choice, Candidate]:
        """The best so far.

        Raises:
            ConfigError: None was measured.
        """
        if self.best is None:
            raise ConfigError("no range method was tried; give --ranges auto")
        return self.best[:2]


def plan_of(bench: Workbench, matmul: Precision = "int8") -> dict[str, Precision]:
    """Return the precision of each layer before any is tried out."""
    chosen = {**PLAN, "matmul": matmul}
    return {layer.name: chosen[layer.role] for layer in bench.layers}


def chosen_static(bench: Workbench, matmul: Precision = "int8") -> tuple[Candidate, list[Trial]]:
    """Return the best candidate by its error on held-out clips, and all trials.

    One choice after another: the ranges, smoothing, integer convolutions. Every candidate has its
    biases corrected before it is measured. The smallest error wins, but integer convolutions may
    have `CONVOLUTION_PRICE` times that.

    Args:
        bench: With calibration clips.
        matmul: Precision of the matrices; at 4 bits only the convolutions need ranges.

    Raises:
        ConfigError: There are no calibration clips, or no such range method.
    """
    observed = _smoothed(bench) if bench.options.smoothing else _observed(bench, bench.graph)
    study = _Study(bench=bench, clips=_held_out(bench))
    plan = plan_of(bench, matmul)
    for method in _methods(bench, matmul):
        study.consider(f"{method} ranges", _Choice(observed=observed, method=method, plan=plan))
    if bench.options.smoothing:
        plain = _observed(bench, bench.graph)
        study.consider("no smoothing", replace(study.winner[0], observed=plain))
    _consider_convolutions(study)
    return study.winner[1], study.trials


def _bias_corrected(bench: Workbench, candidate: Candidate) -> Candidate:
    """Return the candidate with the mean error of each layer taken off its bias."""
    axes = _source_axes(candidate.layers)
    means = rounding_means(bench.observer(), candidate.graph, axes, candidate.recipe.grids)
    shifts = bias_shifts(candidate.graph, candidate.layers, candidate.recipe, means)
    return replace(candidate, recipe=replace(candidate.recipe, shifts=shifts))


def _methods(bench: Workbench, matmul: Precision) -> tuple[RangeMethod, ...]:
    asked = bench.options.ranges
    if asked == "auto":
        return RANGE_METHODS if matmul == "int8" else RANGE_METHODS[:1]
    chosen = tuple(method for method in RANGE_METHODS if method == asked)
    if not chosen:
        raise ConfigError(f"unknown --ranges '{asked}'; known: auto, {', '.join(RANGE_METHODS)}")
    return chosen


def _held_out(bench: Workbench) -> Clips:
    if bench.held_out is None:
        raise ConfigError("choosing by measured error needs clips; give --calibration DATASET")
    return bench.held_out


def _observed(bench: Workbench, graph: onnx.ModelProto, *words: str) -> _Observed:
    layers = layers_of(graph, len(bench.model.labels))
    bounds = channel_bounds(bench.observer(), graph, _axes(layers))
    seen = histograms(bench.observer(), graph, bounds)
    return _Observed(graph=graph, layers=layers, seen=seen, words=words)


def _smoothed(bench: Workbench) -> _Observed:
    strength = bench.options.smoothing
    matrices = tuple(layer for layer in bench.layers if layer.role == "matmul")
    bounds = channel_bounds(bench.observer(), bench.graph, _source_axes(matrices))
    factors = smooth_factors(bench.graph, matrices, bounds, strength)
    graph = smoothed(bench.graph, matrices, factors)
    return _observed(bench, graph, f"SmoothQuant {strength:g}")


def _source_axes(layers: tuple[Layer, ...]) -> dict[str, int]:
    """Return where the channels are of every tensor that a layer reads."""
    return {layer.source: -1 if layer.is_matmul else 1 for layer in layers}


def _axes(layers: tuple[Layer, ...]) -> dict[str, int]:
    """Return the same, with the tensors that convolutions make."""
    made = {layer.output: 1 for layer in layers if layer.role in INTEGER_ROLES[0]}
    return made | _source_axes(layers)


def _with_ranges(bench: Workbench, choice: _Choice) -> Candidate:
    observed = choice.observed
    grids = {name: grid_of(*range_of(seen, choice.method)) for name, seen in observed.seen.items()}
    matrices = {choice.plan[layer.name] for layer in observed.layers if layer.role == "matmul"}
    qdq = bench.options.qdq and "int8" in matrices
    recipe = Recipe(
        plan=choice.plan,
        grids=grids,
        tables=bench.tables,
        block=bench.options.block,
        portable=bench.options.portable,
        qdq=qdq,
    )
    form = ("matrices in QDQ form",) if qdq else ()
    words = (f"{choice.method} ranges", *observed.words, "bias corrected", *form)
    candidate = Candidate(graph=observed.graph, layers=observed.layers, recipe=recipe, words=words)
    return _bias_corrected(bench, candidate)


def _consider_convolutions(study: _Study) -> None:
    """Try integer convolutions, or take them unseen where the user asks for them."""
    asked = study.bench.options.convolutions
    if asked == "weights":
        return
    price = float("inf") if asked == "int8" else CONVOLUTION_PRICE
    before, _ = study.winner
    tried: list[tuple[Layer, ...]] = [()]
    for roles in INTEGER_ROLES:
        chosen = tuple(layer for layer in before.observed.layers if layer.role in roles)
        if chosen in tried:
            continue
        tried.append(chosen)
        what = f"integer {_kinds(chosen)}"
        graph = before.observed.graph
        bounds = channel_bounds(study.bench.observer(), graph, _axes(chosen))
        plain = _Place(graph=graph, convolutions=chosen, bounds=bounds, level=False)
        level = replace(plain, graph=levelled(graph, chosen, bounds), level=True)
        kept = study.consider(what, _in_integers(study.bench, before, level), price)
        # A level channel ends at the peak that calibration saw, which can be too low.
        other = _in_integers(study.bench, before, plain)
        if study.consider(f"{what}, not level", other, 1.0 if kept else price) or kept:
            return


def _in_integers(bench: Workbench, choice: _Choice, place: _Place) -> _Choice:
    """Return the choice with some convolutions in integers, smoothed for that."""
    graph, chosen, strength = place.graph, place.convolutions, bench.options.smoothing
    if strength:
        graph = smoothed(graph, chosen, smooth_factors(graph, chosen, place.bounds, strength))
    how = [word for word, said in (("smooth", strength), ("level", place.level)) if said]
    words = " ".join([*how, _kinds(chosen), "in integer arithmetic"])
    plan: dict[str, Precision] = dict.fromkeys([layer.name for layer in chosen], "int8")
    return _Choice(
        observed=_observed(bench, graph, *choice.observed.words, words),
        method=choice.method,
        plan={**choice.plan, **plan},
    )


def _kinds(layers: tuple[Layer, ...]) -> str:
    return " and ".join(sorted({f"{layer.role}s" for layer in layers}))


def with_matrices(candidate: Candidate, precision: Precision) -> Candidate:
    """Return the candidate with all layers that are no convolution, or all at FP16, moved."""
    moved: dict[str, Precision] = {
        layer.name: precision
        for layer in candidate.layers
        if precision == "fp16" or layer.role == "matmul"
    }
    shifts = {name: s for name, s in candidate.recipe.shifts.items() if name not in moved}
    recipe = replace(candidate.recipe.with_plan(moved), shifts=shifts, qdq=False)
    others = "" if precision == "fp16" else "; the rest as in static"
    return replace(candidate, recipe=recipe, words=(f"matrices as {precision}{others}",))

"""The recipes: static, each choice made by measured error; and dynamic, which needs no clips."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from serval.errors import ConfigError
from serval.models.graph import INLINE_LIMIT_BYTES
from serval.models.onnx import load_onnx
from serval.quantize.build import Recipe, built
from serval.quantize.equalize import bias_corrections, equalized, smooth_factors, smoothed
from serval.quantize.graph import index_of, write_graph
from serval.quantize.layers import fits_fp16, layers_of
from serval.quantize.observe import channel_bounds, histograms, rounding_means
from serval.quantize.rounding import RANGE_METHODS, params_of, range_of
from serval.quantize.workbench import Candidate, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from serval.models.onnx import OnnxModel
    from serval.quantize.clips import Clips
    from serval.quantize.equalize import Factors
    from serval.quantize.layers import Layer, Precision, Role
    from serval.quantize.observe import ChannelBounds
    from serval.quantize.rounding import Histogram, RangeMethod
    from serval.quantize.workbench import Trial, Workbench

PLAN: Mapping[Role, Precision] = {
    "linear": "int8",
    "convolution": "weight-only int8",
    "first convolution": "fp16",
    "grouped convolution": "weight-only int8",
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

CONVOLUTIONS_STORED = "convolutions' weights in 8 bits"
FOLDED = "without multiplications"
SMOOTHING_PRICE = 1.05
"""How much larger the error may get for smoothing that adds no multiplication to the graph."""

CONVOLUTION_PRICE = 1.25
"""How much larger the error may get for convolutions in integer arithmetic, which are faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """A graph, what was seen of its tensors, and what was done to it, in words."""

    graph: onnx.ModelProto
    layers: tuple[Layer, ...]
    bounds: Mapping[str, ChannelBounds]
    seen: Mapping[str, Histogram]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What a candidate is made of: what was seen, the method for ranges, each layer's precision."""

    observed: _Observed
    method: RangeMethod
    plan: Mapping[str, Precision]


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
        """The best so far."""
        if self.best is None:
            raise ConfigError("no range method was tried; give --ranges auto")
        return self.best[:2]


def plan_of(bench: Workbench, linear: Precision = "int8") -> dict[str, Precision]:
    """Return the precision of each layer before any is tried out."""
    chosen = {**PLAN, "linear": linear}
    arrays = index_of(bench.graph)
    plan = {layer.name: chosen[layer.role] for layer in bench.layers}
    for layer in bench.layers:
        if plan[layer.name] == "fp16" and not fits_fp16(arrays.array(layer.weight)):
            plan[layer.name] = "fp32"
    return plan


def chosen_static(bench: Workbench, linear: Precision = "int8") -> tuple[Candidate, list[Trial]]:
    """Return the best candidate by its error on held-out clips, and all trials.

    One choice after another: the ranges, smoothing, integer convolutions. Every candidate has its
    biases corrected before it is measured. The smallest error wins, but integer convolutions may
    have `CONVOLUTION_PRICE` times that. With linear layers at 4 bits only the convolutions need
    ranges.
    """
    factors = _factors(bench) if bench.options.smoothing else {}
    observed = _smoothed(bench, factors)
    study = _Study(bench=bench, clips=_held_out(bench))
    plan = plan_of(bench, linear)
    for method in _methods(bench, linear):
        study.consider(f"{method} ranges", _Choice(observed=observed, method=method, plan=plan))
    if factors:
        _consider_less_smoothing(study, factors)
    _consider_convolutions(study)
    return study.winner[1], study.trials


def _consider_less_smoothing(study: _Study, factors: Factors) -> None:
    """Try no smoothing, and only what goes into the operators that are there already."""
    bench = study.bench
    before, _ = study.winner
    folded = {layer.source for layer in before.observed.layers} & factors.keys()
    plain = replace(before, observed=_observed(bench, bench.graph))
    if study.consider("no smoothing", plain) or len(folded) in {0, len(factors)}:
        return
    fewer = _smoothed(bench, {source: factors[source] for source in folded}, FOLDED)
    study.consider(f"smoothing {FOLDED}", replace(before, observed=fewer), SMOOTHING_PRICE)


def int4_candidate(bench: Workbench) -> tuple[Candidate, list[Trial]]:
    """Return large linear layers at 4 bits, convolutions at 8, in integers where clips allow it."""
    if bench.calibration is not None:
        return chosen_static(bench, "int4")
    recipe = _recipe(bench, plan_of(bench, "int4"))
    words = (CONVOLUTIONS_STORED,) if "weight-only int8" in recipe.plan.values() else ()
    return Candidate(graph=bench.graph, layers=bench.layers, recipe=recipe, words=words), []


def _recipe(bench: Workbench, plan: Mapping[str, Precision]) -> Recipe:
    """Return the recipe of a plan, as the options have the rest of it."""
    asked = bench.options
    return Recipe(plan=plan, tables=bench.tables, block=asked.block, portable=asked.portable)


def _bias_corrected(bench: Workbench, candidate: Candidate) -> Candidate:
    """Return the candidate with the mean error of each layer taken off its bias."""
    axes = _source_axes(candidate.layers)
    means = rounding_means(bench.observer(), candidate.graph, axes, candidate.recipe.params)
    corrections = bias_corrections(candidate.graph, candidate.layers, candidate.recipe, means)
    return replace(candidate, recipe=replace(candidate.recipe, corrections=corrections))


def _methods(bench: Workbench, linear: Precision) -> tuple[RangeMethod, ...]:
    asked = bench.options.ranges
    if asked == "auto":
        return RANGE_METHODS if linear == "int8" else RANGE_METHODS[:1]
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
    return _Observed(graph=graph, layers=layers, bounds=bounds, seen=seen, words=words)


def _factors(bench: Workbench) -> Factors:
    """Return by what the inputs of linear layers are divided."""
    linear = _linear(bench)
    bounds = channel_bounds(bench.observer(), bench.graph, _source_axes(linear))
    return smooth_factors(bench.graph, linear, bounds, bench.options.smoothing)


def _linear(bench: Workbench) -> tuple[Layer, ...]:
    return tuple(layer for layer in bench.layers if layer.role == "linear")


def _smoothed(bench: Workbench, factors: Factors, how: str = "") -> _Observed:
    """Return what is seen with inputs divided, or with no factors what is seen as it is."""
    if not factors:
        return _observed(bench, bench.graph)
    graph = smoothed(bench.graph, _linear(bench), factors)
    return _observed(bench, graph, f"SmoothQuant {bench.options.smoothing:g} {how}".strip())


def _source_axes(layers: tuple[Layer, ...]) -> dict[str, int]:
    """Return where the channels are of every tensor that a layer reads."""
    return {layer.source: -1 if layer.is_linear else 1 for layer in layers}


def _axes(layers: tuple[Layer, ...]) -> dict[str, int]:
    """Return the same, with the tensors that convolutions make."""
    made = {layer.output: 1 for layer in layers if layer.role in INTEGER_ROLES[0]}
    return made | _source_axes(layers)


def _with_ranges(bench: Workbench, choice: _Choice) -> Candidate:
    observed = choice.observed
    params = {
        name: params_of(*range_of(seen, choice.method)) for name, seen in observed.seen.items()
    }
    precisions = {choice.plan[layer.name] for layer in observed.layers if layer.role == "linear"}
    qdq = bench.options.qdq and "int8" in precisions
    recipe = replace(_recipe(bench, choice.plan), params=params, qdq=qdq)
    form = ("linear layers in QDQ form",) if qdq else ()
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
        even = _in_integers(study.bench, before, chosen, equalize=True)
        kept = study.consider(what, even, price)
        # An equalized channel ends at the peak that calibration saw, which can be too low.
        other = _in_integers(study.bench, before, chosen, equalize=False)
        if study.consider(f"{what}, not equalized", other, 1.0 if kept else price) or kept:
            return


def _bounds_again(
    bench: Workbench, observed: _Observed, axes: Mapping[str, int]
) -> Mapping[str, ChannelBounds]:
    """Return the bounds of some tensors of an observed graph, whose channels may lie elsewhere."""
    if axes.items() <= _axes(observed.layers).items():
        return {name: observed.bounds[name] for name in axes}
    return channel_bounds(bench.observer(), observed.graph, axes)


def _in_integers(
    bench: Workbench, choice: _Choice, chosen: tuple[Layer, ...], *, equalize: bool
) -> _Choice:
    """Return the choice with some convolutions in integers, smoothed and equalized for that."""
    graph, strength = choice.observed.graph, bench.options.smoothing
    bounds = _bounds_again(bench, choice.observed, _axes(chosen))
    if equalize:
        graph = equalized(graph, chosen, bounds)
    if strength:
        graph = smoothed(graph, chosen, smooth_factors(graph, chosen, bounds, strength))
    how = [word for word, said in (("smooth", strength), ("equalized", equalize)) if said]
    words = " ".join([*how, _kinds(chosen), "in integer arithmetic"])
    plan: dict[str, Precision] = dict.fromkeys([layer.name for layer in chosen], "int8")
    return _Choice(
        observed=_observed(bench, graph, *choice.observed.words, words),
        method=choice.method,
        plan={**choice.plan, **plan},
    )


def _kinds(layers: tuple[Layer, ...]) -> str:
    return " and ".join(sorted({f"{layer.role}s" for layer in layers}))


def with_linear_layers(candidate: Candidate, precision: Precision) -> Candidate:
    """Return the candidate with all layers that are no convolution, or all at FP16, moved."""
    arrays = index_of(candidate.graph)
    moved: dict[str, Precision] = {
        layer.name: precision
        if precision != "fp16" or fits_fp16(arrays.array(layer.weight))
        else "fp32"
        for layer in candidate.layers
        if precision == "fp16" or layer.role == "linear"
    }
    corrections = {name: s for name, s in candidate.recipe.corrections.items() if name not in moved}
    recipe = replace(candidate.recipe.with_plan(moved), corrections=corrections, qdq=False)
    words = (f"linear layers as {precision}", "the rest as in static")
    return replace(candidate, recipe=recipe, words=words)


def written_dynamic(bench: Workbench, path: Path) -> OnnxModel:
    """Return the model with its linear layers quantized dynamically, S8 per channel, and opened.

    The convolutions stay out of it, because ConvInteger has no fast kernel: their weights are
    stored in 8 bits and computed in FP32. The classifier and the products of attention stay FP32.
    """
    plan = plan_of(bench, "fp32")
    recipe = _recipe(bench, plan)
    linear = [layer.name for layer in bench.layers if layer.role == "linear"]
    if not linear:  # an empty list of nodes would mean all to ONNX Runtime, the classifier too
        return bench.written(Candidate(graph=bench.graph, layers=bench.layers, recipe=recipe), path)
    graph = built(bench.graph, bench.layers, recipe)
    words = ["MatMul dynamic, S8 per channel"]
    words += [CONVOLUTIONS_STORED] * (recipe.precision == "int8")
    words += ["tables FP16"] * bool(recipe.tables)
    return _dynamic(
        bench,
        write_graph(graph, bench.folder / "before.onnx"),
        path,
        words,
        op_types_to_quantize=["MatMul"],
        nodes_to_quantize=linear,
        per_channel=True,
        reduce_range=bench.options.portable,
        weight_type=QuantType.QInt8,
    )


def default_dynamic(bench: Workbench, path: Path) -> OnnxModel:
    """Return what `quantize_dynamic(fp32, int8)` makes with all its defaults: the usual recipe.

    It says the labels, rate and normalisation of the FP32 model as every other file does.
    """
    return _dynamic(bench, bench.model.path, path, ["quantize_dynamic with its defaults"])


def _dynamic(
    bench: Workbench,
    source: Path,
    path: Path,
    words: list[str],
    **asked: Any,  # noqa: ANN401 - ONNX Runtime's
) -> OnnxModel:
    """Return what ONNX Runtime's `quantize_dynamic` makes of a file, written to `path`."""
    made = bench.folder / "dynamic.onnx"
    large = bench.model.size_bytes > INLINE_LIMIT_BYTES
    with _quiet():
        quantize_dynamic(source, made, use_external_data_format=large, **asked)
    write_graph(tagged(onnx.load(made), bench.model, "int8", words), path)
    return load_onnx(path, bench.overrides)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice to pre-process the model off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

"""Every variant of one model in one table: size, speed, accuracy, agreement, Pareto front."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.bench.rounds import Effort, Ratio, interleaved, ratio_of
from serval.bench.subjects import call_of
from serval.errors import ConfigError
from serval.files import write_text
from serval.machine import platform_facts
from serval.plots.quantization import QuantizedPoint, save_quantization
from serval.quantize.quantize import (
    evaluated_in_fp32,
    int4_candidate,
    opened_workbench,
    recipe_words,
    static_candidate,
)
from serval.quantize.recipes import default_dynamic, with_linear_layers, written_dynamic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from serval.bench.rounds import Seconds
    from serval.models.onnx import OnnxModel
    from serval.quantize.clips import Clips, Fidelity
    from serval.quantize.options import QuantizeOptions
    from serval.quantize.quantize import Tell
    from serval.quantize.workbench import Workbench

__all__ = ["Variant", "Variants", "compare_all", "pareto_front", "save_comparison"]


FP32, DEFAULT = "fp32", "default dynamic"
UNTOUCHED = {FP32: ("as given",), DEFAULT: ("quantize_dynamic with its defaults",)}
RACE_CLIPS = 12
EFFORT = Effort(warm_up=1, fewest=5, most=40, budget_s=90.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One file of the model.

    Attributes:
        name: What was made.
        file: Name of the file, beside the others.
        precision: `fp32`, `int8`, `int4`, `fp16`.
        recipe: How, in words.
        size_bytes: With external weights.
        share: Size as a share of FP32, in (0, 1].
        clips_per_s: On one core, clips of the evaluation set; compare within this run only.
        against_fp32: Speed against FP32.
        against_default: Speed against `quantize_dynamic` with its defaults.
        measured: Accuracy and agreement on the evaluation set.
        pareto: Whether no other is smaller, faster and more accurate at once.
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
    pareto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """All variants of one model.

    Attributes:
        model: Name of the FP32 file.
        clips: The evaluation set.
        calibration: Where the calibration clips came from.
        variants: In the order of their making.
    """

    model: str
    clips: str
    calibration: str
    variants: tuple[Variant, ...]


def compare_all(
    model: str, output: Path, options: QuantizeOptions, tell: Tell = lambda _line: None
) -> Variants:
    """Return the comparison of every variant, whose files stay beside `output`.

    Raises:
        ServalError: The model or a dataset cannot be used, or no evaluation set was named.
    """
    if options.evaluation is None:
        raise ConfigError("--compare-all measures accuracy; give --eval DATASET")
    if options.max_drop is not None:
        raise ConfigError("--compare-all shows every variant as it is; leave --max-drop out")
    options.check()
    with opened_workbench(model, output, options, tell) as bench:
        clips = evaluated_in_fp32(bench)
        files = {FP32: bench.model} | dict(_files(bench, output))
        tell("timing all of them in turn")
        seconds = _race(files, clips)
        measured = [_variant(bench, name, files[name], clips, seconds) for name in files]
    return Variants(
        model=bench.model.path.name,
        clips=clips.name,
        calibration=bench.calibration.name if bench.calibration else "none",
        variants=marked(measured),
    )


def marked(variants: list[Variant]) -> tuple[Variant, ...]:
    """Return the variants with the Pareto front marked."""
    costs = [(-v.measured.accuracy, v.size_bytes, -v.against_fp32.median) for v in variants]
    front = pareto_front(costs)
    return tuple(replace(variant, pareto=on) for variant, on in zip(variants, front, strict=True))


def pareto_front(costs: Sequence[tuple[float, ...]]) -> list[bool]:
    """Return for each point whether no other is at most as dear in all and cheaper in one.

    Examples:
        >>> pareto_front([(1, 2), (2, 1), (2, 2)])
        [True, True, False]
    """
    points = np.array(costs)
    return [
        not bool(((points <= own).all(axis=1) & (points < own).any(axis=1)).any()) for own in points
    ]


def save_comparison(comparison: Variants, folder: Path) -> dict[str, Path]:
    """Return the files written: `quantization.json` and `quantization.png`."""
    variants = [asdict(v) | {"measured": v.measured.document} for v in comparison.variants]
    document: dict[str, Any] = asdict(comparison) | {
        "variants": variants,
        "platform": platform_facts(),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"
    points = [
        QuantizedPoint(
            name=variant.name,
            size_mb=variant.size_bytes / 1e6,
            accuracy=variant.measured.accuracy,
            speed=variant.against_fp32.median,
            pareto=variant.pareto,
        )
        for variant in comparison.variants
    ]
    n = comparison.variants[0].measured.clips
    title = f"{comparison.model} on {n} clips of {comparison.clips}"
    return {
        "table": write_text(folder / "quantization.json", text),
        "picture": save_quantization(points, title, folder / "quantization.png"),
    }


def _files(bench: Workbench, output: Path) -> Iterator[tuple[str, OnnxModel]]:
    """Yield every variant by name, written beside `output` and opened."""
    makers: dict[str, Callable[[Path], OnnxModel]] = {
        DEFAULT: partial(default_dynamic, bench),
        "dynamic": partial(written_dynamic, bench),
        "int4": lambda path: bench.written(int4_candidate(bench)[0], "int4", path),
    }
    if bench.calibration is not None:
        static = static_candidate(bench)[0]
        makers |= {
            "static": partial(bench.written, static, "int8"),
            "weight-only int8": partial(
                bench.written, with_linear_layers(static, "weight-only int8"), "int8"
            ),
            "fp16 stored": partial(bench.written, with_linear_layers(static, "fp16"), "fp16"),
        }
    for name, make in makers.items():
        bench.tell(f"making {name}")
        yield name, make(output.with_name(f"{output.stem}.{name.replace(' ', '-')}.onnx"))


def _race(files: dict[str, OnnxModel], clips: Clips) -> dict[str, Seconds]:
    chosen = np.linspace(0, len(clips.waveforms) - 1, min(RACE_CLIPS, len(clips.waveforms)))
    waveforms = [clips.waveforms[int(i)] for i in chosen]
    works = {name: partial(_pass, model, waveforms) for name, model in files.items()}
    times = interleaved(works, EFFORT)
    return {name: seconds / len(waveforms) for name, seconds in times.items()}


def _pass(model: OnnxModel, waveforms: list[Any]) -> None:
    call = call_of(model)
    for samples in waveforms:
        call(samples)


def _variant(
    bench: Workbench, name: str, model: OnnxModel, clips: Clips, seconds: dict[str, Seconds]
) -> Variant:
    bench.tell(f"evaluating {name}")
    precision = {FP32: "fp32", "int4": "int4", "fp16 stored": "fp16"}.get(name, "int8")
    return Variant(
        name=name,
        file=model.path.name,
        precision=precision,
        recipe=UNTOUCHED.get(name) or recipe_words(model),
        size_bytes=model.size_bytes,
        share=model.size_bytes / bench.model.size_bytes,
        clips_per_s=float(1 / np.median(seconds[name])),
        against_fp32=ratio_of(name, FP32, seconds),
        against_default=ratio_of(name, DEFAULT, seconds),
        measured=bench.measured(name, model, clips).measured,
    )

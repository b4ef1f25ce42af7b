"""Every variant of one model in one table: size, speed, accuracy, agreement, Pareto front."""

from __future__ import annotations

import glob
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.bench.rounds import Effort, interleaved, ratio_of
from serval.bench.subjects import other_runtimes
from serval.errors import ConfigError, ModelError
from serval.files import write_json, writing
from serval.inspection import stored_graph
from serval.inspection.verdicts import TARGETS
from serval.machine import platform_facts
from serval.models.load import load_model, model_path
from serval.models.options import overrides_of
from serval.models.protocol import logits_alone
from serval.plots.quantization import QuantizedPoint, save_quantization
from serval.quantize.choice import (
    FP32,
    USUAL,
    Variant,
    Variants,
    best_of,
    comparison_verdict,
    marked,
)
from serval.quantize.clips import fidelity, logits_of
from serval.quantize.options import QuantizeOptions
from serval.quantize.recipes import (
    chosen_static,
    default_dynamic,
    int4_candidate,
    with_linear_layers,
    written_dynamic,
)
from serval.quantize.workbench import evaluated_in_fp32, made_as, opened_workbench
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from serval.bench.rounds import Seconds
    from serval.models.classifier import Classifier
    from serval.models.contract import Overrides
    from serval.models.onnx import OnnxModel
    from serval.quantize.clips import Clips, Fidelity
    from serval.quantize.workbench import Tell, Workbench

ON = " on "
"""Between the name of a file and that of another runtime which runs it."""
DEFAULT = "default dynamic"
TABLE, TRIED = "quantization", ".tried.json"
"""The files of a comparison, and the end of the name of what was tried for one file."""
RACE_CLIPS = 12
EFFORT = Effort(warm_up=1, fewest=5, most=40, budget_s=90.0)


def compare_all(
    model: str, output: Path, options: QuantizeOptions, tell: Tell = lambda _line: None
) -> Variants:
    """Return the comparison of every variant: the best is `output`, the rest in a folder beside it.

    Raises:
        ServalError: The model or a dataset cannot be used, or no evaluation set was named.
    """
    if options.evaluation is None:
        raise ConfigError("--compare-all measures accuracy; give --eval DATASET")
    if options.max_drop is not None:
        raise ConfigError("--compare-all shows every variant as it is; leave --max-drop out")
    options.check(compared=True)
    folder = folder_beside(output)
    if folder.resolve() in model_path(model).resolve().parents:
        raise ConfigError(
            f"{model} lies in {folder}, whose files --compare-all replaces; move it, or give "
            "another --output"
        )
    comparison = _placed(_measured(model, output, options, tell), output)
    remove_stale(output)
    return comparison


def _measured(model: str, output: Path, options: QuantizeOptions, tell: Tell) -> Variants:
    """Return the comparison, every file but FP32 still in the folder beside `output`."""
    with opened_workbench(model, output, options, tell) as bench:
        clips = evaluated_in_fp32(bench)
        makers = _makers(bench)
        runtimes = other_runtimes(options.runtimes)
        step = _numbered(tell, (2 + len(runtimes)) * (len(makers) + 1))
        made = {FP32: bench.model, **_made(makers, output, step)}
        refused = _refused(made, options.target, tell)
        files = {**made, **dict(_elsewhere(made, runtimes, overrides_of(options), step))}
        step("timing all of them in turn")
        seconds = _race(files, clips)
        answers, variants = {}, []
        for name, opened in files.items():
            step(f"evaluating {name}")
            answers[name] = logits_of(opened, clips.waveforms, bench.workers)
            found = fidelity(answers[name], clips)
            fault = refused.get(name.partition(ON)[0], "")
            variants.append(_variant(bench, name, files, found, seconds, fault))
        told = marked(variants, seconds, clips, answers)
    best = best_of(told)
    everywhere = options.target == QuantizeOptions().target
    return Variants(
        model=bench.model.path.name,
        clips=clips.name,
        calibration=bench.calibration.name if bench.calibration else "none",
        variants=told,
        best=best,
        left_out=clips.left_out,
        not_in_browsers=_fault(made[best], "web") if everywhere else "",
    )


def _made(
    makers: Mapping[str, Callable[[Path], OnnxModel]], output: Path, step: Tell
) -> dict[str, OnnxModel]:
    """Return each file, made in the folder beside `output`, without those of an earlier command."""
    folder = folder_beside(output)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{glob.escape(output.stem)}.*.onnx*"):
            old.unlink()
    made = {}
    for name, make in makers.items():
        step(f"making {name}")
        made[name] = make(folder / f"{output.stem}.{name.replace(' ', '-')}.onnx")
    return made


def remove_stale(output: Path) -> None:
    """Remove what an earlier command measured of the file that was at `output` before."""
    with writing(output):
        output.with_suffix(TRIED).unlink(missing_ok=True)
        for old in folder_beside(output).glob(f"{TABLE}.*"):
            old.unlink()


def _refused(files: Mapping[str, OnnxModel], target: str, tell: Tell) -> dict[str, str]:
    """Return why each made file that does not run on the target does not; never for all of them."""
    faults = {name: _fault(model, target) for name, model in files.items() if name != FP32}
    refused = {name: fault for name, fault in faults.items() if fault}
    for name, fault in refused.items():
        tell(f"left out of the choice, {name} does not run on --target {target}: it {fault}")
    if len(refused) == len(faults):
        why = next(iter(refused.values()))
        raise ModelError(f"--target {target}: no file that was made runs there; the first {why}")
    return refused


def _fault(model: OnnxModel, target: str) -> str:
    """Return why a file does not run on a target, as the rest of a sentence; `""` if it does."""
    found = TARGETS[target](stored_graph(model.path))
    return found[0].partition("; ")[0] if found else ""


def folder_beside(output: Path) -> Path:
    """Return where the files are that are not `output` itself."""
    return output.with_name(f"{output.stem}.variants")


def _placed(comparison: Variants, output: Path) -> Variants:
    """Return the comparison with the best file moved to `output`, weights beside it as well."""
    folder = folder_beside(output)
    variants = []
    for variant in comparison.variants:
        made = variant.name.partition(ON)[0]
        file = variant.file if made == FP32 else f"{folder.name}/{variant.file}"
        if made == comparison.best:
            file = output.name
        if variant.name == comparison.best:
            with writing(output):
                for part in folder.glob(f"{glob.escape(variant.file)}?*"):
                    part.replace(output.parent / part.name)
                (folder / variant.file).replace(output)
        variants.append(replace(variant, file=file))
    return replace(comparison, variants=tuple(variants))


def _numbered(tell: Tell, total: int) -> Tell:
    """Return what tells a step with its number."""
    done = count(1)
    return lambda line: tell(f"[{next(done)}/{total}] {line}")


def save_comparison(comparison: Variants, folder: Path) -> dict[str, Path]:
    """Return the files written: `quantization.json` and `quantization.png`."""
    variants = [asdict(v) | {"measured": v.measured.document} for v in comparison.variants]
    document: dict[str, Any] = (
        {"verdict": comparison_verdict(comparison)}
        | asdict(comparison)
        | {
            "variants": variants,
            "platform": platform_facts(),
        }
    )
    points = [
        QuantizedPoint(
            name=variant.name,
            size_mb=variant.size_bytes / 1e6,
            score=variant.judged.b / variant.judged.unit.size,
            speed=variant.against_fp32.median,
            pareto=variant.pareto,
        )
        for variant in comparison.variants
    ]
    n, first = comparison.variants[0].measured.clips, comparison.variants[0].judged
    title = f"{comparison.model} on {counted(n, 'clip')} of {comparison.clips}"
    return {
        "table": write_json(document, folder / f"{TABLE}.json"),
        "picture": save_quantization(points, first.title, title, folder / f"{TABLE}.png"),
    }


def _makers(bench: Workbench) -> dict[str, Callable[[Path], OnnxModel]]:
    """Return what makes each variant, by name, at a path."""
    makers: dict[str, Callable[[Path], OnnxModel]] = {
        DEFAULT: partial(default_dynamic, bench),
        "dynamic": partial(written_dynamic, bench),
        "int4": lambda path: bench.written(int4_candidate(bench)[0], path),
    }
    if bench.calibration is not None:
        static = chosen_static(bench)[0]
        makers |= {
            "static": partial(bench.written, static),
            "weight-only int8": partial(
                bench.written, with_linear_layers(static, "weight-only int8")
            ),
            "fp16 stored": partial(bench.written, with_linear_layers(static, "fp16")),
        }
    return makers


def _elsewhere(
    files: Mapping[str, Classifier[Any]],
    runtimes: Sequence[str],
    overrides: Overrides,
    step: Tell,
) -> Iterator[tuple[str, Classifier[Any]]]:
    """Yield every file once more, on each other runtime that opens it."""
    for runtime in runtimes:
        for name, model in files.items():
            try:
                opened = load_model(str(model.path), overrides, runtime=runtime)
            except ModelError as error:
                step(f"left out, {runtime} does not run {name}: {error}")
                continue
            yield f"{name}{ON}{runtime}", opened


def _race(files: Mapping[str, Classifier[Any]], clips: Clips) -> dict[str, Seconds]:
    chosen = np.linspace(0, len(clips.waveforms) - 1, min(RACE_CLIPS, len(clips.waveforms)))
    waveforms = [clips.waveforms[int(i)] for i in chosen]
    works = {name: partial(_pass, model, waveforms) for name, model in files.items()}
    times = interleaved(works, EFFORT)
    return {name: seconds / len(waveforms) for name, seconds in times.items()}


def _pass(model: Classifier[Any], waveforms: list[Any]) -> None:
    for samples in waveforms:
        logits_alone(model, samples)


def _variant(
    bench: Workbench,
    name: str,
    files: Mapping[str, Classifier[Any]],
    found: Fidelity,
    seconds: dict[str, Seconds],
    refused: str,
) -> Variant:
    made, _, runtime = name.partition(ON)
    model = files[made]
    precision, recipe = ("fp32", ("as given",)) if made == FP32 else made_as(model)
    return Variant(
        name=name,
        file=model.path.name,
        precision=precision,
        recipe=recipe,
        runtime=runtime or USUAL,
        size_bytes=model.size_bytes,
        share=model.size_bytes / bench.model.size_bytes,
        clips_per_s=float(1 / np.median(seconds[name])),
        against_fp32=ratio_of(name, FP32, seconds),
        against_default=ratio_of(name, DEFAULT, seconds),
        measured=found,
        refused=refused,
    )

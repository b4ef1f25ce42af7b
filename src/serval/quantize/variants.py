"""Every variant of one model in one table: size, speed, accuracy, agreement, Pareto front."""

from __future__ import annotations

import glob
import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.bench.rounds import Effort, Ratio, interleaved, ratio_of
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
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.bench.rounds import Seconds
    from serval.models.classifier import Classifier
    from serval.models.contract import Overrides
    from serval.models.onnx import OnnxModel
    from serval.models.protocol import Logits
    from serval.quantize.clips import Clips, Fidelity
    from serval.quantize.judged import Judged
    from serval.quantize.workbench import Tell, Workbench

ON = " on "
"""Between the name of a file and that of another runtime which runs it."""
FP32, DEFAULT = "fp32", "default dynamic"
TABLE, TRIED = "quantization", ".tried.json"
"""The files of a comparison, and the end of the name of what was tried for one file."""
USUAL = "onnxruntime"
NO_SLOWER = "no slower than FP32 here"
RACE_CLIPS = 12
EFFORT = Effort(warm_up=1, fewest=5, most=40, budget_s=90.0)


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
        marked = _marked(variants, seconds, clips, answers)
    best = best_of(marked)
    everywhere = options.target == QuantizeOptions().target
    return Variants(
        model=bench.model.path.name,
        clips=clips.name,
        calibration=bench.calibration.name if bench.calibration else "none",
        variants=marked,
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


def _marked(
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

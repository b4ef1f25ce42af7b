"""The whole way: FP32 file in, smaller file out, with what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from serval.bench.rounds import Effort, Ratio, interleaved, ratio_of
from serval.bench.subjects import noise
from serval.files import whole_files, write_json
from serval.inspection import stored_graph
from serval.machine import instruction_sets
from serval.models.protocol import logits_alone
from serval.quantize.choice import Variant, Variants, comparison_verdict
from serval.quantize.clips import same_in_words, value_words
from serval.quantize.options import QuantizeOptions
from serval.quantize.recipes import chosen_static, int4_candidate, written_dynamic
from serval.quantize.search import kept_within
from serval.quantize.variants import (
    TRIED,
    compare_all,
    folder_beside,
    remove_stale,
    save_comparison,
)
from serval.quantize.workbench import (
    Tell,
    Trial,
    Workbench,
    evaluated_in_fp32,
    made_as,
    opened_workbench,
    refuse_for_target,
)
from serval.wording import counted, percent

if TYPE_CHECKING:
    from pathlib import Path

    from serval.models.onnx import OnnxModel
    from serval.quantize.clips import Clips
    from serval.quantize.search import Sensitivity

__all__ = [
    "QuantizeOptions",
    "Quantized",
    "Variant",
    "Variants",
    "compare_all",
    "comparison_verdict",
    "folder_beside",
    "made_verdict",
    "quantize",
    "same_in_words",
    "save_comparison",
    "save_tried",
    "speed_verdict",
]


NOTHING_ROUNDED = (
    "No layer of it is in 8 or 4 bits: either the model has no layer that the method rounds, or "
    "--max-drop took all of them out."
)
SPEED_CLIP_S = 3.0
EFFORT = Effort(warm_up=1, fewest=3, most=9, budget_s=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """A file that was made.

    Attributes:
        path: The file.
        precision: `int8` or `int4`; `fp16` or `fp32` where no layer is in either.
        size_bytes: Bytes of the file and its external weights.
        fp32_bytes: Bytes of the FP32 model and its external weights.
        recipe: What was done, in words.
        tried: Every candidate that was measured, in order.
        sensitive: Where --max-drop made a search, the error of each layer quantized alone.
        result: The file itself on the evaluation set, else on held-out calibration clips, else
            `None`.
        speed: How many times as fast as FP32 it is on this machine, one thread.
        left_out: Which clips of that set were not evaluated and why, in words; empty if none.
        seen: Whether the ranges were set on those clips, because there were too few to hold out.
    """

    path: Path
    precision: str
    size_bytes: int
    fp32_bytes: int
    recipe: tuple[str, ...]
    tried: tuple[Trial, ...]
    sensitive: tuple[Sensitivity, ...]
    result: Trial | None
    speed: Ratio
    left_out: str = ""
    seen: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """What was done and tried, as plain JSON types."""
        return {
            "verdict": made_verdict(self),
            "file": self.path.name,
            "precision": self.precision,
            "size_bytes": self.size_bytes,
            "fp32_bytes": self.fp32_bytes,
            "recipe": list(self.recipe),
            "result": self.result and self.result.document,
            "speed": asdict(self.speed),
            "left_out": self.left_out,
            "tried": [trial.document for trial in self.tried],
            "sensitive": [asdict(one) for one in self.sensitive],
        }


def quantize(
    model: str, output: Path, options: QuantizeOptions, tell: Tell = lambda _line: None
) -> Quantized:
    """Return the quantized model, written whole to `output` or not at all.

    Raises:
        ServalError: The options do not go together, the model or a dataset cannot be used, or
            --max-drop cannot be held.
    """
    options.check()
    with opened_workbench(model, output, options, tell) as bench:
        clips = evaluated_in_fp32(bench) if options.evaluation else None
        with whole_files(output) as part:
            made = _made(bench, part, clips)
            refuse_for_target(stored_graph(part), output, options.target)
    remove_stale(output)
    return replace(made, path=output)


def made_verdict(made: Quantized) -> list[str]:
    """Return what a reader takes away from one file: its size, what it cost, how fast it is."""
    whole = [] if made.precision in {"int8", "int4"} else [NOTHING_ROUNDED]
    return [_size_and_cost(made), *whole, speed_verdict(made.speed)]


def speed_verdict(speed: Ratio) -> str:
    """Return whether a file is faster than FP32 on this machine, and what to do if it is not."""
    here = f"on this processor ({' '.join(instruction_sets()) or 'of unknown instruction sets'})"
    if not speed.told_apart:
        return f"It is about as fast as FP32 {here}."
    times = f"{speed.median:.2f}x (quartiles {speed.low:.2f} to {speed.high:.2f})"
    if speed.median > 1:
        return f"It is {times} as fast as FP32 {here}."
    return (
        f"It is slower than FP32 {here}: {times} its speed; where speed counts, run FP32 there or "
        "take the fastest file of --compare-all."
    )


def _size_and_cost(made: Quantized) -> str:
    size = (
        f"{made.path.name} ({made.precision}) has {percent(made.size_bytes / made.fp32_bytes)} of "
        f"the size of FP32, {made.size_bytes / 1e6:.1f} MB"
    )
    if made.result is None:
        return f"{size}; give --eval DATASET to learn what that cost."
    found, clips = made.result.measured, made.result.clips
    unseen = "on which its ranges were set" if made.seen else "that no range has seen"
    if found.judged is not None:
        return f"{size}; on {counted(found.clips, 'clip')} of {clips} its {found.judged.cost}."
    if found.ccc:
        return f"{size}; {value_words(found)}, of {clips} {unseen}."
    return f"{size}, and the same emotion on {same_in_words(found)} of {clips} {unseen}."


def save_tried(made: Quantized) -> Path:
    """Return the JSON file beside a made file, with everything that was tried for it."""
    return write_json(made.document, made.path.with_suffix(TRIED))


def _made(bench: Workbench, path: Path, clips: Clips | None) -> Quantized:
    """Return what was made at `path`, with its session closed again."""
    sensitive: tuple[Sensitivity, ...] = ()
    if bench.options.method == "dynamic":
        made, tried = written_dynamic(bench, path), list[Trial]()
    else:
        int4 = bench.options.method == "int4"
        candidate, tried = int4_candidate(bench) if int4 else chosen_static(bench)
        if clips is not None and bench.options.max_drop is not None:
            kept = kept_within(bench, candidate, clips, bench.options.max_drop)
            candidate, sensitive, tried = kept.candidate, kept.sensitive, [*tried, *kept.trials]
        made = bench.written(candidate, path)
    judge = clips or bench.held_out
    precision, recipe = made_as(made)
    return Quantized(
        path=path,
        precision=precision,
        size_bytes=made.size_bytes,
        fp32_bytes=bench.model.size_bytes,
        recipe=recipe,
        tried=tuple(tried),
        sensitive=sensitive,
        result=bench.measured("the file", made, judge) if judge else None,
        speed=_speed(bench.model, made),
        left_out=judge.left_out if judge else "",
        seen=judge is bench.calibration,
    )


def _speed(reference: OnnxModel, made: OnnxModel) -> Ratio:
    """Return how many times as fast as FP32 a file is here."""
    clip = noise(min(SPEED_CLIP_S, reference.max_seconds), reference.sample_rate)
    files = {"the file": made, "fp32": reference}
    works = {name: partial(logits_alone, model, clip) for name, model in files.items()}
    return ratio_of("the file", "fp32", interleaved(works, EFFORT))

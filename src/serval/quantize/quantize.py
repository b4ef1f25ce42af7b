"""The whole way: FP32 file in, smaller file out, with what it cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError, ModelError
from serval.files import scratch_folder, whole_files, write_text
from serval.inspection import stored_graph
from serval.inspection.targets import TARGETS
from serval.machine import available_cores
from serval.models.load import model_path
from serval.models.onnx import load_onnx
from serval.models.options import overrides_of
from serval.quantize.build import Recipe
from serval.quantize.clips import calibration_clips, evaluation_clips
from serval.quantize.graph import read_graph
from serval.quantize.recipes import chosen_static, plan_of, written_dynamic
from serval.quantize.search import kept_within
from serval.quantize.workbench import Candidate, Trial, Workbench, open_workbench
from serval.wording import printable

if TYPE_CHECKING:
    from pathlib import Path

    from serval.inspection.graph import StoredGraph
    from serval.models.onnx import OnnxModel
    from serval.quantize.clips import Clips
    from serval.quantize.options import QuantizeOptions
    from serval.quantize.search import Sensitivity

__all__ = [
    "Quantized",
    "Tell",
    "evaluated_in_fp32",
    "int4_candidate",
    "opened_workbench",
    "quantize",
    "recipe_words",
    "save_tried",
    "static_candidate",
]


HELD_OUT = 2
"""Clips to choose recipes by, for each clip that sets ranges."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """A file that was made.

    Attributes:
        path: The file.
        precision: `int8` or `int4`.
        size_bytes: Of the file and its external weights.
        fp32_bytes: The same of the FP32 model.
        recipe: What was done, in words.
        tried: Every candidate that was measured, in order.
        sensitive: Where --max-drop made a search, the error of each layer quantized alone.
        result: The file itself on the evaluation set, else on held-out calibration clips, else
            `None`.
    """

    path: Path
    precision: str
    size_bytes: int
    fp32_bytes: int
    recipe: tuple[str, ...]
    tried: tuple[Trial, ...]
    sensitive: tuple[Sensitivity, ...]
    result: Trial | None

    @property
    def document(self) -> dict[str, Any]:
        """What was done and tried, as plain JSON types."""
        return {
            "file": self.path.name,
            "precision": self.precision,
            "size_bytes": self.size_bytes,
            "fp32_bytes": self.fp32_bytes,
            "recipe": list(self.recipe),
            "result": self.result and self.result.document,
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
            _refuse_for_target(stored_graph(part), output, options.target)
    return replace(made, path=output)


def _refuse_for_target(graph: StoredGraph, path: Path, target: str) -> None:
    faults = TARGETS[target](graph)
    if faults:
        raise ModelError(f"--target {target}: {path} {faults[0]}")


def save_tried(made: Quantized) -> Path:
    """Return the JSON file beside a made file, with everything that was tried for it."""
    text = json.dumps(made.document, indent=2, ensure_ascii=False) + "\n"
    return write_text(made.path.with_suffix(".tried.json"), text)


def evaluated_in_fp32(bench: Workbench) -> Clips:
    """Return the clips of the evaluation set with the answers of the FP32 model."""
    bench.tell(f"running the FP32 model on {bench.options.evaluation}")
    clips = evaluation_clips(bench.options, bench.model, bench.workers)
    if clips.left_out:
        bench.tell(f"left out of {clips.name}: {clips.left_out}")
    if bench.calibration is not None and bench.calibration.name == clips.name:
        bench.tell(
            f"note: {clips.name} has no train split, so the recipe was chosen on clips that "
            "accuracy is measured on; for a figure to publish, calibrate on another set"
        )
    return clips


@contextmanager
def opened_workbench(
    model: str, output: Path, options: QuantizeOptions, tell: Tell
) -> Iterator[Workbench]:
    """Yield the workbench of a model, with a folder beside `output` that is removed at the end.

    Raises:
        ConfigError: `output` is no .onnx file, or is the model itself.
    """
    path = model_path(model)
    _check_output(output, path)
    # What is a matter of size is looked at in the file that is made.
    fp32 = replace(stored_graph(path), size_bytes=0, external=())
    _refuse_for_target(fp32, path, options.target)
    opened = load_onnx(path, overrides_of(options))
    graph = read_graph(path)
    workers = options.workers or available_cores()
    with scratch_folder(output.parent, output.name) as folder:
        clips = None
        if options.calibration is not None:
            tell(f"reading up to {(1 + HELD_OUT) * options.clips} clips of {options.calibration}")
            clips = calibration_clips(options, (1 + HELD_OUT) * options.clips, opened, workers)
            left_out = f"; left out: {clips.left_out}" if clips.left_out else ""
            tell(f"calibrating on {len(clips.waveforms)} clips of {clips.name}{left_out}")
        yield open_workbench(opened, graph, clips, options, (folder, workers, tell))


def _check_output(output: Path, source: Path) -> None:
    if output.suffix != ".onnx":
        raise ConfigError(f"--output {output}: the name must end in .onnx")
    if output.exists() and output.samefile(source):
        raise ConfigError(f"--output {output} is the FP32 file itself; give the new file a name")


def int4_candidate(bench: Workbench) -> tuple[Candidate, list[Trial]]:
    """Return large linear layers at 4 bits, convolutions at 8, in integers where clips allow it."""
    said = f"linear layers at 4 bits in blocks of {bench.options.block}"
    if bench.calibration is not None:
        candidate, tried = chosen_static(bench, "int4")
        return candidate.described(said), tried
    recipe = Recipe(
        plan=plan_of(bench, "int4"),
        tables=bench.tables,
        block=bench.options.block,
        portable=bench.options.portable,
    )
    words = (said, "convolutions' weights in 8 bits")
    return Candidate(graph=bench.graph, layers=bench.layers, recipe=recipe, words=words), []


def _made(bench: Workbench, path: Path, clips: Clips | None) -> Quantized:
    """Return what was made at `path`, with its session closed again."""
    precision = "int4" if bench.options.method == "int4" else "int8"
    sensitive: tuple[Sensitivity, ...] = ()
    if bench.options.method == "dynamic":
        made, tried = written_dynamic(bench, path), list[Trial]()
    else:
        candidate, tried = int4_candidate(bench) if precision == "int4" else static_candidate(bench)
        if clips is not None and bench.options.max_drop is not None:
            kept = kept_within(bench, candidate, clips, bench.options.max_drop)
            candidate, sensitive, tried = kept.candidate, kept.sensitive, [*tried, *kept.trials]
        made = bench.written(candidate, precision, path)
    judge = clips or bench.held_out
    return Quantized(
        path=path,
        precision=precision,
        size_bytes=made.size_bytes,
        fp32_bytes=bench.model.size_bytes,
        recipe=recipe_words(made),
        tried=tuple(tried),
        sensitive=sensitive,
        result=bench.measured("the file", made, judge) if judge else None,
    )


def recipe_words(model: OnnxModel) -> tuple[str, ...]:
    """Return what a file says of how it was made."""
    said = model.backend.session.get_modelmeta().custom_metadata_map.get("serval.recipe", "")
    return tuple(printable(said).split("; "))


def static_candidate(bench: Workbench) -> tuple[Candidate, list[Trial]]:
    """Return the static recipe that held-out clips speak for, and what was tried."""
    candidate, tried = chosen_static(bench)
    return candidate.described("static, U8 activations, S8 weights"), tried

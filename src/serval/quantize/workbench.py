"""Where candidates are made and measured: the FP32 model, its layers, the clips, a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from onnx import helper

from serval.audio import sound_of
from serval.errors import ConfigError, ModelError
from serval.files import scratch_folder
from serval.inspection import stored_graph
from serval.inspection.verdicts import TARGETS
from serval.machine import available_cores
from serval.models.contract import Overrides
from serval.models.load import model_path
from serval.models.onnx import load_onnx
from serval.models.options import overrides_of
from serval.models.sources import NORMALIZATION, OUTPUT_NAME, RATE, contract_entries
from serval.quantize.build import built
from serval.quantize.clips import (
    Clips,
    Fidelity,
    calibration_clips,
    evaluation_clips,
    fidelity,
    is_one_set,
    logits_of,
)
from serval.quantize.graph import means_as_products, read_graph, write_graph
from serval.quantize.layers import layers_of, tables_of
from serval.quantize.observe import Observer, Seen
from serval.trained_on import SoundRanges
from serval.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import onnx

    from serval.audio import Waveform
    from serval.inspection.graph import StoredGraph
    from serval.models.contract import Contract
    from serval.models.onnx import OnnxModel
    from serval.quantize.build import Recipe
    from serval.quantize.layers import Layer
    from serval.quantize.options import QuantizeOptions

HELD_OUT = 2
"""Clips to choose recipes by, for each clip that sets ranges."""

NO_INTEGERS = "no layer in 8 or 4 bits"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to quantize the model, not yet written.

    Attributes:
        graph: The FP32 graph, possibly smoothed.
        layers: Its layers.
        recipe: What becomes of its layers.
        words: How its layers were prepared, in words.
    """

    graph: onnx.ModelProto
    layers: tuple[Layer, ...]
    recipe: Recipe
    words: tuple[str, ...] = ()

    @property
    def recipe_words(self) -> tuple[str, ...]:
        """The recipe in words, for the file and for the reader: what became of the layers first."""
        stored = set(self.recipe.plan.values())
        if "int4" in stored:
            return (f"linear layers at 4 bits in blocks of {self.recipe.block}", *self.words)
        if "int8" in stored:
            return ("static, U8 activations, S8 weights", *self.words)
        if self.recipe.precision == "int8":
            return ("weights in 8 bits", *self.words)
        return (NO_INTEGERS, *["large weights stored as FP16"] * (self.recipe.precision == "fp16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate that was made and measured.

    Attributes:
        what: What was special about it.
        size_bytes: Bytes of its file.
        measured: On which clips, and how true it was.
    """

    what: str
    size_bytes: int
    clips: str
    measured: Fidelity

    @property
    def document(self) -> dict[str, Any]:
        """Everything as plain JSON types."""
        return {
            "what": self.what,
            "size_bytes": self.size_bytes,
            "clips": self.clips,
            "measured": self.measured.document,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What every candidate of one model shares.

    Attributes:
        model: The FP32 model, opened.
        graph: Its graph.
        layers: Its layers.
        tables: Its large constants outside layers.
        options: As given.
        overrides: The contract of the FP32 model, so that every candidate is measured under it.
        calibration: Clips for ranges, or `None` for a method that needs none.
        held_out: Clips of the same split to choose by, which no range has seen; of fewer than three
            they are those of `calibration`.
        folder: For candidates' files.
        workers: Clips at once.
        tell: Takes a line on what is being done.
        seen: What the calibration clips made of the graph that was observed last.
    """

    model: OnnxModel
    graph: onnx.ModelProto
    layers: tuple[Layer, ...]
    tables: tuple[str, ...]
    options: QuantizeOptions
    overrides: Overrides
    calibration: Clips | None
    held_out: Clips | None
    folder: Path
    workers: int
    tell: Tell
    seen: Seen = field(default_factory=Seen)

    def observer(self) -> Observer:
        """Return what runs the calibration clips through a graph.

        Raises:
            ConfigError: There are none.
        """
        if self.calibration is None:
            raise ConfigError("this recipe needs ranges; give --calibration DATASET")
        return Observer(
            model=self.model,
            waveforms=self.calibration.waveforms,
            folder=self.folder,
            workers=self.workers,
            seen=self.seen,
        )

    def written(self, candidate: Candidate, path: Path) -> OnnxModel:
        """Return the candidate, written and opened again."""
        write_graph(self._tagged(candidate), path)
        return load_onnx(path, self.overrides)

    def _tagged(self, candidate: Candidate) -> onnx.ModelProto:
        graph = built(candidate.graph, candidate.layers, candidate.recipe)
        calibration, rate = self.calibration, self.model.sample_rate
        ranges = None
        if calibration is not None and calibration.waveforms:
            ranges = SoundRanges.of_clips(
                f"calibration clips of {calibration.name}",
                [_sounding(waveform, rate) for waveform in calibration.waveforms],
            )
        precision, words = candidate.recipe.precision, candidate.recipe_words
        return tagged(graph, self.model, precision, words, ranges)

    def trial(self, what: str, candidate: Candidate, clips: Clips) -> Trial:
        """Return how true a candidate is on some clips."""
        self.tell(f"trying {what}")
        model = self.written(candidate, self.folder / "trial.onnx")
        return self.measured(what, model, clips)

    def measured(self, what: str, model: OnnxModel, clips: Clips) -> Trial:
        """Return how true an opened model is on some clips."""
        logits = logits_of(model, clips.waveforms, self.workers)
        found = fidelity(logits, clips)
        return Trial(what=what, size_bytes=model.size_bytes, clips=clips.name, measured=found)


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
    refuse_for_target(replace(stored_graph(path), size_bytes=0, external=()), path, options.target)
    opened = load_onnx(path, overrides_of(options))
    graph = read_graph(path)
    means_as_products(graph)
    workers = options.workers or available_cores()
    with scratch_folder(output.parent, output.name) as folder:
        clips = None
        if options.calibration is not None:
            tell(f"reading up to {(1 + HELD_OUT) * options.clips} clips of {options.calibration}")
            clips = calibration_clips(options, (1 + HELD_OUT) * options.clips, opened, workers)
            left_out = f"; left out: {clips.left_out}" if clips.left_out else ""
            tell(
                f"calibrating on {counted(len(clips.waveforms), 'clip')} of {clips.name}{left_out}"
            )
        yield open_workbench(opened, graph, clips, options, (folder, workers, tell))


def refuse_for_target(graph: StoredGraph, path: Path, target: str) -> None:
    """Refuse a file that does not run where it is meant to."""
    faults = TARGETS[target](graph)
    if faults:
        raise ModelError(f"--target {target}: {path} {faults[0]}")


def _check_output(output: Path, source: Path) -> None:
    if output.suffix != ".onnx":
        raise ConfigError(f"--output {output}: the name must end in .onnx")
    if output.exists() and output.samefile(source):
        raise ConfigError(f"--output {output} is the FP32 file itself; give the new file a name")


def open_workbench(
    model: OnnxModel,
    graph: onnx.ModelProto,
    clips: Clips | None,
    options: QuantizeOptions,
    place: tuple[Path, int, Tell],
) -> Workbench:
    """Return the workbench of a model; two of three calibration clips are held out.

    Raises:
        ModelError: The graph has no layer that could be quantized.
    """
    folder, workers, tell = place
    layers = layers_of(graph, len(model.labels))
    if not layers:
        raise ModelError(f"{model.path} has no MatMul or Conv with constant weights to quantize")
    step = 3 if clips is not None and len(clips.waveforms) >= 3 else 1
    calibration = clips and clips.every(step)
    return Workbench(
        model=model,
        graph=graph,
        layers=layers,
        tables=tables_of(graph, layers),
        options=options,
        overrides=_pinned(model.contract),
        calibration=calibration,
        held_out=clips.without_every(step) if clips and step > 1 else calibration,
        folder=folder,
        workers=workers,
        tell=tell,
    )


def _sounding(waveform: Waveform, rate: int) -> tuple[float, float, float]:
    sound = sound_of(waveform, rate, rate)
    return len(waveform) / rate, sound.level_db, sound.bandwidth_hz


def _pinned(contract: Contract) -> Overrides:
    return Overrides(
        labels=tuple(contract.labels),
        sample_rate=contract.sample_rate,
        normalize=contract.normalize,
        max_seconds=contract.max_seconds,
        output_name=contract.output_name,
        scale=contract.scale or None,
        outputs=contract.stated_outputs,
    )


def evaluated_in_fp32(bench: Workbench) -> Clips:
    """Return the clips of the evaluation set with the answers of the FP32 model."""
    bench.tell(f"running the FP32 model on {bench.options.evaluation}")
    clips = evaluation_clips(bench.options, bench.model, bench.workers)
    for warning in clips.warnings:
        bench.tell(f"note: {warning}")
    if clips.left_out:
        bench.tell(f"left out of {clips.name}: {clips.left_out}")
    if bench.calibration is not None and _share_clips(bench.options, bench.calibration, clips):
        said = f"{clips.name} has no train split, so the recipe was chosen on clips that it is"
        said, remedy = f"{said} judged on", "calibrate on another set"
        if bench.calibration.split:
            said = f"the recipe was chosen on {clips.name}, on which it is judged"
            remedy = f"give another --split, or {remedy}"
        bench.tell(f"note: {said}; for a figure to publish, {remedy}")
    return clips


def _share_clips(options: QuantizeOptions, calibration: Clips, clips: Clips) -> bool:
    """Tell whether both are of one set and split; without a split they are all of it."""
    one_split = "" in {calibration.split, clips.split} or calibration.split == clips.split
    return one_split and is_one_set(options.calibration or "", options.evaluation or "")


def made_as(model: OnnxModel) -> tuple[str, tuple[str, ...]]:
    """Return the precision that a made file states, and how it was made, in words."""
    said = model.backend.session.get_modelmeta().custom_metadata_map
    return said["serval.precision"], tuple(printable(said["serval.recipe"]).split("; "))


def tagged(
    graph: onnx.ModelProto,
    model: OnnxModel,
    precision: str,
    words: Sequence[str],
    ranges: SoundRanges | None = None,
) -> onnx.ModelProto:
    """Return the graph with the FP32 file's metadata, its contract, precision and recipe.

    The contract is written over the metadata, because what the command line or the FP32 model's
    folder said of it does not come along with the new file. What nobody stated stays so. What the
    FP32 file says of the sound of its training goes before that of the calibration.
    """
    contract = model.contract
    left = {"onnx.infer", *RATE, *NORMALIZATION}  # written anew, under one name each
    said = {entry.key: entry.value for entry in graph.metadata_props if entry.key not in left}
    said |= contract_entries(contract)
    if len(graph.graph.output) > 1:  # or the labels would be read for another of them
        said[OUTPUT_NAME] = contract.output_name
    if not contract.masks_padding:
        said["return_attention_mask"] = "false"
    if stated := contract.asked.stated:
        said["task"] = stated
    if contract.scale:
        said["scale"] = contract.scale
    if contract.stated_outputs:
        said["outputs"] = contract.stated_outputs
    if contract.sources.get("labels") != "default":
        said["labels"] = json.dumps(list(contract.labels))
    said |= {"serval.precision": precision, "serval.recipe": "; ".join(words)}
    if ranges is not None and "sound_ranges" not in said:
        said["sound_ranges"] = ranges.metadata()
    del graph.metadata_props[:]
    helper.set_model_props(graph, said)
    return graph

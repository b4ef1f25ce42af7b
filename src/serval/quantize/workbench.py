"""Where candidates are made and measured: the FP32 model, its layers, the clips, a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from onnx import helper

from serval.errors import ConfigError, ModelError
from serval.models.contract import Overrides
from serval.models.onnx import load_onnx
from serval.quantize.build import built
from serval.quantize.clips import Clips, Fidelity, fidelity, logits_of
from serval.quantize.graph import write_graph
from serval.quantize.layers import layers_of, tables_of
from serval.quantize.observe import Observer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    from serval.models.contract import Contract
    from serval.models.onnx import OnnxModel
    from serval.quantize.build import Recipe
    from serval.quantize.layers import Layer
    from serval.quantize.options import QuantizeOptions

__all__ = ["Candidate", "Trial", "Workbench", "open_workbench", "tagged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to quantize the model, not yet written.

    Attributes:
        graph: The FP32 graph, possibly smoothed.
        layers: Its layers.
        recipe: What becomes of its layers.
        words: The recipe in words, for the file and for the reader.
    """

    graph: onnx.ModelProto
    layers: tuple[Layer, ...]
    recipe: Recipe
    words: tuple[str, ...] = ()

    def described(self, first: str) -> Candidate:
        """Return the candidate with a word in front of its recipe."""
        return replace(self, words=(first, *self.words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate that was made and measured.

    Attributes:
        what: What was special about it.
        size_bytes: Of its file.
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
        held_out: Clips of the same split that no range has seen, to choose by.
        folder: For candidates' files.
        workers: Clips at once.
        tell: Takes a line on what is being done.
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
    tell: Callable[[str], None]

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
        )

    def written(self, candidate: Candidate, precision: str, path: Path) -> OnnxModel:
        """Return the candidate, written and opened again."""
        graph = built(candidate.graph, candidate.layers, candidate.recipe)
        write_graph(tagged(graph, self.model, precision, candidate.words), path)
        return load_onnx(path, self.overrides)

    def trial(self, what: str, candidate: Candidate, clips: Clips) -> Trial:
        """Return how true a candidate is on some clips."""
        self.tell(f"trying {what}")
        model = self.written(candidate, "int8", self.folder / "trial.onnx")
        return self.measured(what, model, clips)

    def measured(self, what: str, model: OnnxModel, clips: Clips) -> Trial:
        """Return how true an opened model is on some clips."""
        logits = logits_of(model, clips.waveforms, self.workers)
        found = fidelity(logits, clips)
        return Trial(what=what, size_bytes=model.size_bytes, clips=clips.name, measured=found)


def open_workbench(
    model: OnnxModel,
    graph: onnx.ModelProto,
    clips: Clips | None,
    options: QuantizeOptions,
    place: tuple[Path, int, Callable[[str], None]],
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
    return Workbench(
        model=model,
        graph=graph,
        layers=layers,
        tables=tables_of(graph, layers),
        options=options,
        overrides=_pinned(model.contract),
        calibration=clips and clips.every(step),
        held_out=clips and (clips if step == 1 else clips.without_every(step)),
        folder=folder,
        workers=workers,
        tell=tell,
    )


def _pinned(contract: Contract) -> Overrides:
    return Overrides(
        labels=tuple(contract.labels),
        sample_rate=contract.sample_rate,
        normalize=contract.normalize,
        max_seconds=contract.max_seconds,
        output_name=contract.output_name,
    )


def tagged(
    graph: onnx.ModelProto, model: OnnxModel, precision: str, words: tuple[str, ...]
) -> onnx.ModelProto:
    """Return the graph with the FP32 file's metadata, its contract, precision and recipe.

    The contract is written over the metadata, because what the command line or the FP32 model's
    folder said of it does not come along with the new file. Labels that nobody stated stay so.
    """
    contract = model.contract
    said = {entry.key: entry.value for entry in graph.metadata_props if entry.key != "onnx.infer"}
    said |= {
        "sampling_rate": str(contract.sample_rate),
        "normalize": contract.normalize,
        "max_seconds": f"{contract.max_seconds:g}",
    }
    if contract.sources.get("labels") != "default":
        said["labels"] = json.dumps(list(contract.labels))
    said |= {"serval.precision": precision, "serval.recipe": "; ".join(words)}
    del graph.metadata_props[:]
    helper.set_model_props(graph, said)
    return graph

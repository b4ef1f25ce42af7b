"""The whole export: checkpoint, reference logits, graph, file, comparison, final name."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from serval.checkpoints.network import published_scores
from serval.checkpoints.quiet import quiet
from serval.dimensions import scale_of_text
from serval.errors import ConfigError
from serval.export.checkpoint import open_checkpoint
from serval.export.network import graph_network, onnx_program
from serval.export.options import Exported, ExportOptions
from serval.export.parity import compared, parity_waveforms, refuse_unless_equal
from serval.files import whole_files
from serval.labels import unnamed
from serval.models.contract import DEFAULT_MAX_SECONDS
from serval.models.graph import INLINE_LIMIT_BYTES
from serval.models.onnx import load_onnx
from serval.models.sources import MOST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint
    from serval.export.options import Parity

__all__ = ["exported", "metadata_of", "save_program"]


def exported(name: str, output: Path, options: ExportOptions) -> Exported:
    """Return the ONNX file of a checkpoint; see `serval.export.export_checkpoint`."""
    if output.suffix != ".onnx":
        raise ConfigError(f"--output {output}: the name must end in .onnx")
    with quiet():
        return _exported(name, output, options)


def _exported(name: str, output: Path, options: ExportOptions) -> Exported:
    checkpoint = open_checkpoint(name, options)
    metadata = metadata_of(checkpoint) | _scale(checkpoint, options.model_scale)
    longest = float(metadata.get("max_seconds", DEFAULT_MAX_SECONDS))
    waveforms = parity_waveforms(options.dataset, checkpoint.sample_rate, longest)
    # Before the export, which changes layers of the same model.
    expected = [published_scores(checkpoint, waveform) for waveform in waveforms]
    network = graph_network(checkpoint, masked=options.attention_mask)
    with whole_files(output) as part:
        program = onnx_program(
            network, masked=options.attention_mask, sample_rate=checkpoint.sample_rate
        )
        save_program(program.model, part, metadata)
        parity, size_bytes = _checked(part, lambda model: compared(model, waveforms, expected))
        refuse_unless_equal(parity, name)
    return Exported(
        path=output,
        size_bytes=size_bytes,
        metadata=metadata,
        parity=parity,
        notes=tuple(_notes(checkpoint)),
    )


def metadata_of(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what the file says of itself: contract, origin and licence, all of it text."""
    seconds = checkpoint.max_seconds
    stated = {
        "labels": json.dumps(checkpoint.labels),
        "sampling_rate": str(checkpoint.sample_rate),
        "normalize": checkpoint.normalize,
        "max_seconds": f"{seconds:g}" if seconds else "",
        MOST_SECONDS: f"{seconds:g}" if seconds else "",
        "task": checkpoint.task.stated,
        "license": checkpoint.licence,
        "source": checkpoint.source,
        "revision": checkpoint.revision,
        "family": checkpoint.family,
        "layers": f"{checkpoint.layers} of {checkpoint.layers_before}",
        "exported_with": ", ".join(
            f"{package} {version(package)}" for package in ("serval-ser", "torch", "transformers")
        ),
    }
    return {key: value for key, value in stated.items() if value}


def _scale(checkpoint: Checkpoint, stated: str | None) -> dict[str, str]:
    if stated is None:
        return {}
    if checkpoint.task.has_labels:
        raise ConfigError(
            f"--model-scale {stated} is about models of dimensions, and {checkpoint.source} names "
            "emotions; leave it out"
        )
    return {"scale": str(scale_of_text(stated, "--model-scale"))}


def save_program(model: Any, path: Path, metadata: dict[str, str]) -> None:  # noqa: ANN401 - an onnx_ir.Model
    """Write the graph without the traces of this machine that the exporter left in it."""
    import onnx_ir

    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    model.metadata_props.clear()
    model.metadata_props.update(metadata)
    size = sum(value.const_value.nbytes for value in model.graph.initializers.values())
    beside = f"{path.name}.data" if size > INLINE_LIMIT_BYTES else None
    onnx_ir.save(model, path, external_data=beside)


def _checked(path: Path, check: Any) -> tuple[Parity, int]:  # noqa: ANN401 - a callable of an OnnxModel
    """Return the comparison and the size, with the session closed before the file is moved."""
    model = load_onnx(path)
    return check(model), model.size_bytes


def _notes(checkpoint: Checkpoint) -> Iterator[str]:
    if checkpoint.layers < checkpoint.layers_before:
        yield (
            f"only the first {checkpoint.layers} of {checkpoint.layers_before} transformer layers "
            "are left: the classifier was not trained on what they give; distil or fine-tune "
            "before you use it"
        )
    if unnamed(checkpoint.labels):
        yield (
            f"the checkpoint names its labels {', '.join(checkpoint.labels[:2])} ...; evaluate "
            "with --labels and their real names"
        )

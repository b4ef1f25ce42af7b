"""The whole export: checkpoint, reference logits, graph, file, comparison, final name.

Of an encoder alone, the graph of its hidden levels.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.utils import parametrize

from serval import checkpoints
from serval.audio import decode, encoded_bytes
from serval.checkpoints.check import head_check, refuse_fresh
from serval.checkpoints.network import HiddenStates, network_of, published_scores
from serval.checkpoints.opened import quiet
from serval.datasets import DatasetOptions, load_dataset
from serval.dimensions import scale_of_text
from serval.errors import ConfigError, ModelError
from serval.export.options import Exported, ExportOptions, Parity
from serval.files import whole_files
from serval.labels import nameless
from serval.models.contract import DEFAULT_MAX_SECONDS
from serval.models.graph import INLINE_LIMIT_BYTES
from serval.models.hub import HUB_PREFIX, hub_checkpoint
from serval.models.onnx import load_onnx
from serval.models.sources import MOST_SECONDS
from serval.models.torch import open_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from serval.audio import Waveform
    from serval.checkpoints.checkpoint import Checkpoint
    from serval.models.contract import Overrides
    from serval.models.onnx import OnnxModel


@quiet()
def exported(name: str, output: Path, options: ExportOptions) -> Exported:
    """Return the ONNX file of a checkpoint; see `serval.export.export_checkpoint`."""
    if output.suffix != ".onnx":
        raise ConfigError(f"--output {output}: the name must end in .onnx")
    checkpoint = open_checkpoint(name, options)
    metadata = metadata_of(checkpoint) | _scale(checkpoint, options.model_scale)
    longest = float(metadata.get("max_seconds", DEFAULT_MAX_SECONDS))
    waveforms = parity_waveforms(options.dataset, checkpoint.sample_rate, longest)
    # Before the export, which changes layers of the same model.
    expected = [published_scores(checkpoint, waveform) for waveform in waveforms]
    fold_weight_norms(checkpoint.model)
    network = network_of(checkpoint, masked=options.attention_mask)
    with whole_files(output) as part:
        program = onnx_program(
            network, masked=options.attention_mask, sample_rate=checkpoint.sample_rate
        )
        save_program(program.model, part, metadata)
        parity, size_bytes = _checked(part, waveforms, expected)
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
        "layers": f"{checkpoint.layers} of {checkpoint.cut_from or checkpoint.layers}",
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


def _checked(
    path: Path, waveforms: Sequence[Waveform], expected: Sequence[NDArray[np.float32]]
) -> tuple[Parity, int]:
    """Return the comparison and the size, with the session closed before the file is moved."""
    model = load_onnx(path)
    return compared(model, waveforms, expected), model.size_bytes


def _notes(checkpoint: Checkpoint) -> Iterator[str]:
    if checkpoint.cut_from:
        yield (
            f"only the first {checkpoint.layers} of {checkpoint.cut_from} transformer layers "
            "are left: the classifier was not trained on what they give; distil or fine-tune "
            "before you use it"
        )
    if without := nameless(checkpoint.labels):
        yield (
            f"the checkpoint calls labels {', '.join(without[:2])}, which are no names; evaluate "
            "with --labels and the real ones"
        )


def open_checkpoint(name: str, options: ExportOptions) -> Checkpoint:
    """Return the checkpoint called `name`, with only the layers that are wanted."""
    folder, revision = _folder(name, options.revision)
    checkpoint = checkpoints.open_checkpoint(
        folder, name, normalize=options.normalize, revision=revision
    )
    refuse_fresh(head_check(checkpoint), name)
    source = name if name.startswith(HUB_PREFIX) else folder.resolve().name
    before = checkpoint.layers
    if options.layers is not None:
        _keep_layers(checkpoint.model, options.layers, before, name)
    cut_from = before if checkpoint.layers < before else 0
    return replace(checkpoint, source=source, cut_from=cut_from)


def _folder(name: str, revision: str | None) -> tuple[Path, str]:
    if name.startswith(HUB_PREFIX):
        return hub_checkpoint(name, revision)
    if revision:
        raise ConfigError(
            f"--revision {revision}: checkpoint '{name}' is a folder, which has one state only; "
            f"leave the option out, or name a checkpoint of the hub, {HUB_PREFIX}ORG/NAME"
        )
    return Path(name).expanduser(), ""


def _keep_layers(model: Any, kept: int, before: int, name: str) -> None:  # noqa: ANN401 - transformers' own class for each family
    """Cut the stack of transformer layers after the first `kept` ones."""
    if not 1 <= kept <= before:
        raise ConfigError(f"--layers {kept}: checkpoint '{name}' has {before}; give 1 to {before}")
    if kept == before:
        return
    stacks = [
        (module, child)
        for module in model.modules()
        for child in ("layers", "layer")
        if _is_stack(getattr(module, child, None), before)
    ]
    if len(stacks) != 1:
        raise ModelError(
            f"checkpoint '{name}': found {len(stacks)} stacks of {before} transformer layers, "
            "expected one; export it without --layers"
        )
    owner, child = stacks[0]
    setattr(owner, child, getattr(owner, child)[:kept])
    model.config.num_hidden_layers = kept
    if getattr(model, "layer_weights", None) is not None:
        model.layer_weights.data = model.layer_weights.data[: kept + 1]


def _is_stack(child: object, length: int) -> bool:
    return type(child).__name__ == "ModuleList" and len(child) == length  # type: ignore[arg-type]


TOLERANCE = 1e-4
"""Largest difference of a score that rounding may make."""

N_CLIPS = 4
SHORT_S, LONG_S = 0.5, 10.0


def parity_waveforms(dataset: str, sample_rate: int, max_seconds: float) -> list[Waveform]:
    """Return the first clips of a dataset, half a second of them, and ten seconds of them."""
    opened = load_dataset(dataset, options=DatasetOptions(limit=N_CLIPS))
    clips = [
        decode(encoded_bytes(clip.audio), sample_rate).samples
        for clip in islice(opened.clips(0, N_CLIPS), N_CLIPS)
    ]
    once = np.concatenate(clips)
    joined = np.tile(once, int(LONG_S * sample_rate) // len(once) + 1)
    made = [joined[: int(seconds * sample_rate)] for seconds in (SHORT_S, LONG_S)]
    return [waveform[: int(max_seconds * sample_rate)] for waveform in (*clips, *made)]


def compared(
    model: OnnxModel, waveforms: Sequence[Waveform], expected: Sequence[NDArray[np.float32]]
) -> Parity:
    """Return how close an opened file comes to what torch said about the same waveforms."""
    alone = np.stack([model.scores(w[None], np.array([len(w)]))[0] for w in waveforms])
    wanted = np.stack(expected)
    return Parity(
        durations_s=tuple(round(len(w) / model.sample_rate, 3) for w in waveforms),
        max_abs_diff=float(np.abs(alone - wanted).max()),
        same_argmax=int((alone.argmax(axis=1) == wanted.argmax(axis=1)).sum()),
        padded_max_abs_diff=_padded_diff(model, waveforms, alone),
    )


def refuse_unless_equal(parity: Parity, name: str) -> None:
    """Refuse a file that differs from its checkpoint, or whose mask does not hide padding."""
    n_clips = len(parity.durations_s)
    if not parity.max_abs_diff <= TOLERANCE or parity.same_argmax < n_clips:
        raise ModelError(
            f"the graph of '{name}' differs from torch by {parity.max_abs_diff:.1e} "
            f"(at most {TOLERANCE:.0e} allowed) and agrees on the label of "
            f"{parity.same_argmax} of {n_clips} clips; nothing was written"
        )
    padded = parity.padded_max_abs_diff
    if padded is not None and not padded <= TOLERANCE:
        raise ModelError(
            f"padding changes the scores of '{name}' by {padded:.1e} in spite of the mask: this "
            "family mixes padding into valid frames; export it without --attention-mask"
        )


def _padded_diff(
    model: OnnxModel, waveforms: Sequence[Waveform], alone: NDArray[np.float32]
) -> float | None:
    """Return how much the scores change in one padded batch, or `None` where none may be."""
    if not model.contract.may_pad:
        return None
    lengths = np.array([len(waveform) for waveform in waveforms])
    batch = np.zeros((len(waveforms), int(lengths.max())), dtype=np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return float(np.abs(model.scores(batch, lengths) - alone).max())


OPSET = 20


def onnx_program(
    network: nn.Module, *, masked: bool, sample_rate: int, outputs: Sequence[str] = ("logits",)
) -> Any:  # noqa: ANN401 - an ONNXProgram
    """Return the ONNX program of a network in evaluation mode, with batch and length left open."""
    inputs = _example_inputs(sample_rate, masked=masked)
    try:
        with torch.no_grad():
            return torch.onnx.export(
                network,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=tuple({0: "batch", 1: "samples"} for _ in inputs),
                verbose=False,
            )
    except (RuntimeError, ValueError, TypeError) as error:
        # The exporter's own message is a page of advice; what went wrong is its cause.
        cause = error.__cause__ or error
        first = " ".join(str(cause).split())[:300]
        raise ModelError(
            f"torch cannot turn this checkpoint into a graph: {type(cause).__name__}: {first}"
        ) from error


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


def _example_inputs(sample_rate: int, *, masked: bool) -> dict[str, torch.Tensor]:
    # Odd and coprime sizes, so that the exporter cannot take one for a constant of the model.
    samples = torch.randn(2, sample_rate + 123) * 0.1
    mask = {"attention_mask": torch.ones(samples.shape, dtype=torch.int64)} if masked else {}
    return {"input_values": samples, **mask}


def fold_weight_norms(model: nn.Module) -> None:
    """Fold the weight norms of a model into its weights, for a graph has no use of them."""
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")


@quiet()
def exported_levels(
    checkpoint: str, overrides: Overrides, levels: Mapping[int, str], output: Path
) -> Path:
    """Return `output` after writing the graph; see `serval.export.export_levels`."""
    opened = open_encoder(checkpoint, overrides)
    fold_weight_norms(opened.model)
    program = onnx_program(
        HiddenStates(opened, levels).eval(),
        masked=False,
        sample_rate=opened.sample_rate,
        outputs=list(levels.values()),
    )
    save_program(program.model, output, {})
    return output

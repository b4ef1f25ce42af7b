"""The ONNX graph of a classifier in torch, or of the hidden levels of an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from serval.checkpoints.network import HiddenStates, network_of
from serval.checkpoints.opened import quiet
from serval.errors import ModelError
from serval.models.graph import INLINE_LIMIT_BYTES
from serval.models.torch import open_encoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint
    from serval.models.contract import Overrides


OPSET = 20


def graph_network(checkpoint: Checkpoint, *, masked: bool) -> nn.Module:
    """Return the module to export, in evaluation mode, its weight norms folded into weights."""
    fold_weight_norms(checkpoint.model)
    return network_of(checkpoint, masked=masked)


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

"""The ONNX graph of a classifier in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from serval.checkpoints.network import network_of
from serval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.checkpoints.checkpoint import Checkpoint

__all__ = ["fold_weight_norms", "graph_network", "onnx_program"]

OPSET = 20


def graph_network(checkpoint: Checkpoint, *, masked: bool) -> nn.Module:
    """Return the module to export, in evaluation mode, its weight norms folded into weights."""
    fold_weight_norms(checkpoint.model)
    return network_of(checkpoint, masked=masked)


def onnx_program(
    network: nn.Module, *, masked: bool, sample_rate: int, outputs: Sequence[str] = ("logits",)
) -> Any:  # noqa: ANN401 - an ONNXProgram
    """Return the ONNX program of a network, with batch and length left open.

    Args:
        network: In evaluation mode.
        masked: Whether it takes a mask beside the samples.
        sample_rate: In Hz.
        outputs: Names of what it returns.

    Raises:
        ModelError: torch cannot turn the network into a graph.
    """
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

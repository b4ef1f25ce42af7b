"""What the page must know of a model, in plain JSON types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.inspection import stored_graph
from serval.models.builtin import BUILTIN_MODELS
from serval.models.graph import parsed, read_skeleton

if TYPE_CHECKING:
    from serval.models.onnx import OnnxModel
    from serval.models.signature import Slot

__all__ = ["page_contract"]

TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
"""ONNX Runtime's names of types -> those of its JavaScript."""

FLOAT_TOLERANCE = 0.005
"""Difference of a logit that sums in another order and the filter of a resampled clip make."""

INTEGER_TOLERANCE = 0.3
"""The same where activations are rounded to integers, since a sum may fall on the other side."""


def page_contract(model: OnnxModel, name: str, file: str) -> dict[str, Any]:
    """Return what the page must know: labels, rate, normalisation, inputs, outputs.

    Args:
        model: Opened.
        name: What people read.
        file: The model's file in the site.
    """
    contract, signature = model.contract, model.backend.signature
    return {
        "name": name,
        "file": file,
        "sha256": model.identity.sha256,
        "size_bytes": model.size_bytes,
        "labels": list(contract.labels),
        "sample_rate": contract.sample_rate,
        "normalize": contract.normalize,
        "max_seconds": contract.max_seconds,
        "static_samples": contract.static_samples,
        "layout": contract.layout,
        "input": _slot(signature.waveform),
        "mask": _slot(signature.mask) if signature.mask else None,
        "masks_padding": contract.masks_padding,
        "mask_marks": contract.mask_marks,
        "output": contract.output_name,
        "outputs": contract.outputs,
        "one_output": contract.one_output,
        "adds_sigmoid": contract.adds_sigmoid,
        "tolerance": _tolerance(model),
        "licence": _licence(model),
    }


def _slot(slot: Slot) -> dict[str, Any]:
    return {"name": slot.name, "type": TYPES[slot.type], "rank": len(slot.shape) or 2}


def _tolerance(model: OnnxModel) -> float:
    weights = stored_graph(model.path).weight_shares
    return INTEGER_TOLERANCE if weights.keys() & {"int8", "int4"} else FLOAT_TOLERANCE


def _licence(model: OnnxModel) -> str:
    """Return the licence that the file states, or that of a built-in model, or nothing."""
    graph = parsed(read_skeleton(model.path))
    stated = {entry.key: entry.value for entry in graph.metadata_props} if graph else {}
    builtin = {known.path: known.licence for known in BUILTIN_MODELS}
    return builtin.get(model.path) or stated.get("license", "")

"""The dynamic recipe: ranges of activations are found at run time, so no clips are needed."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from serval.models.onnx import load_onnx
from serval.quantize.build import Recipe, built
from serval.quantize.graph import INLINE_LIMIT_BYTES, write_graph
from serval.quantize.static import plan_of
from serval.quantize.workbench import tagged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serval.models.onnx import OnnxModel
    from serval.quantize.workbench import Workbench

__all__ = ["default_dynamic", "written_dynamic"]


def written_dynamic(bench: Workbench, path: Path) -> OnnxModel:
    """Return the model with its matrices quantized dynamically, S8 per channel, and opened.

    The convolutions stay out of it, because ConvInteger has no fast kernel: their weights are
    stored in 8 bits and computed in FP32. The classifier and the products of attention stay FP32.
    """
    plan = plan_of(bench, "fp32")
    recipe = Recipe(plan=plan, tables=bench.tables, portable=bench.options.portable)
    before = write_graph(built(bench.graph, bench.layers, recipe), bench.folder / "before.onnx")
    matrices = [layer.name for layer in bench.layers if layer.role == "matmul"]
    # An empty list of nodes would mean all of them to ONNX Runtime, the classifier among them.
    after = _dynamic(bench, before, matrices) if matrices else before
    words = ("MatMul dynamic, S8 per channel", "convolutions' weights in 8 bits, tables FP16")
    write_graph(tagged(onnx.load(after), bench.model, "int8", words), path)
    return load_onnx(path, bench.overrides)


def _dynamic(bench: Workbench, before: Path, matrices: list[str]) -> Path:
    after = bench.folder / "dynamic.onnx"
    with _quiet():
        quantize_dynamic(
            before,
            after,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=matrices,
            per_channel=True,
            reduce_range=bench.options.portable,
            weight_type=QuantType.QInt8,
            use_external_data_format=bench.model.size_bytes > INLINE_LIMIT_BYTES,
        )
    return after


def default_dynamic(bench: Workbench, path: Path) -> OnnxModel:
    """Return what `quantize_dynamic(fp32, int8)` makes with all its defaults: the usual recipe."""
    large = bench.model.size_bytes > INLINE_LIMIT_BYTES
    with _quiet():
        quantize_dynamic(bench.model.path, path, use_external_data_format=large)
    return load_onnx(path, bench.overrides)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice to pre-process the model off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

"""What a MatMul of a type reaches on this machine: the ceiling for a model of that type."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serval.models.onnx import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MATMUL_MACS", "Reached", "matmul_work", "reached"]

ROWS, DEPTH, COLUMNS = 512, 1024, 1024
"""About the largest product in a wav2vec2-large on 10 s; fits the caches of a server core."""

MATMUL_MACS = ROWS * DEPTH * COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How near a model comes to the fastest MatMul of its type, with one thread.

    Attributes:
        gmac_per_s: 10^9 multiply-adds a second of the model, everything else it does included.
        ceiling_gmac_per_s: Of MatMuls alone, mixed as the model mixes its types; `None` where the
            model was faster: measured at another moment, it is then no ceiling.
        share: The first over the second, in [0, 1]; `None` without a ceiling.
    """

    gmac_per_s: float
    ceiling_gmac_per_s: float | None
    share: float | None


def reached(
    gmac_per_s: float, shares: Mapping[str, float], ceiling: Mapping[str, float]
) -> Reached:
    """Return how near a rate comes to the ceiling of a mixture of types.

    Args:
        gmac_per_s: 10^9 multiply-adds a second of the model.
        shares: Precision -> share of the model's multiply-adds; what is not int8 counts as fp32.
        ceiling: `precision/threads` -> the rate of a MatMul.

    Examples:
        >>> reached(30.0, {"int8": 0.5, "fp32": 0.5}, {"int8/1": 150.0, "fp32/1": 50.0})
        Reached(gmac_per_s=30.0, ceiling_gmac_per_s=75.0, share=0.4)
        >>> reached(90.0, {}, {"int8/1": 150.0, "fp32/1": 80.0})
        Reached(gmac_per_s=90.0, ceiling_gmac_per_s=None, share=None)
    """
    integer = shares.get("int8", 0.0)
    most = 1 / (integer / ceiling["int8/1"] + (1 - integer) / ceiling["fp32/1"])
    if gmac_per_s > most:
        return Reached(gmac_per_s=gmac_per_s, ceiling_gmac_per_s=None, share=None)
    return Reached(gmac_per_s=gmac_per_s, ceiling_gmac_per_s=most, share=gmac_per_s / most)


def matmul_work(precision: str, threads: int) -> Callable[[], object]:
    """Return a function that multiplies two matrices once, `fp32` or `int8` (u8 by s8).

    `MATMUL_MACS` multiply-adds over its time is the rate that nothing of the type goes beyond.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matmul.onnx"
        onnx.save(_fp32() if precision == "fp32" else _int8(), path)
        session = open_session(path, threads=threads)
    rng = np.random.default_rng(0)
    left = rng.integers(0, 255, (ROWS, DEPTH))
    feed = left.astype(np.float32 if precision == "fp32" else np.uint8)
    return partial(session.run, None, {"left": feed})


def _fp32() -> onnx.ModelProto:
    rng = np.random.default_rng(1)
    right = rng.normal(size=(DEPTH, COLUMNS)).astype(np.float32)
    return _model("MatMul", right, TensorProto.FLOAT, TensorProto.FLOAT)


def _int8() -> onnx.ModelProto:
    rng = np.random.default_rng(1)
    right = rng.integers(-127, 127, (DEPTH, COLUMNS)).astype(np.int8)
    return _model("MatMulInteger", right, TensorProto.UINT8, TensorProto.INT32)


def _model(
    operator: str,
    right: np.ndarray[tuple[int, ...], np.dtype[np.float32 | np.int8]],
    left_type: int,
    output_type: int,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "matmul",
        [helper.make_tensor_value_info("left", left_type, [ROWS, DEPTH])],
        [helper.make_tensor_value_info("product", output_type, [ROWS, COLUMNS])],
        [numpy_helper.from_array(right, "right")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)

"""How fast each kind of matrix product of ONNX Runtime is on this machine, against FP32.

The three shapes of a transformer layer of wav2vec2-large at 3.7 s, one thread, every kind in every
round, by the processor time of this process. What ONNX Runtime has no kernel for is said.

    python benchmarks/kernels.py [--rounds 15] [--rows 185]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serval.bench.bench import disclosure, load_average
from serval.bench.rounds import Effort, interleaved, ratio_of
from serval.errors import ModelError
from serval.models.onnx import open_session
from serval.quantize.rounding import block_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHAPES = {"attention": (1024, 1024), "up": (1024, 4096), "down": (4096, 1024)}
"""Depth and columns of a layer's weights: four of the first, one of each other."""
FP32, BLOCK = "fp32", 128
INTEGERS = {"u8s8": (np.uint8, np.int8), "u8u8": (np.uint8, np.uint8), "s8s8": (np.int8, np.int8)}
FLOAT = TensorProto.FLOAT
TYPES = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
Constants = dict[str, np.ndarray]


def product(
    operator: str, inputs: list[str], left: int, constants: Constants, **said: int
) -> onnx.ModelProto:
    """Return a model that multiplies `left` (rows, K) by constants."""
    depth, columns = said.pop("depth"), said.pop("columns")
    domain = "" if operator == "MatMul" else "com.microsoft"
    node = helper.make_node(operator, inputs, ["out"], domain=domain, **said)
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("left", left, ["rows", depth])],
        [helper.make_tensor_value_info("out", FLOAT, ["rows", columns])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def kinds(depth: int, columns: int) -> Mapping[str, onnx.ModelProto]:
    """Return a model for each kind of product."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.02, (depth, columns)).astype(np.float32)
    bias = np.zeros(columns, np.float32)
    sizes = {"depth": depth, "columns": columns}
    made = {FP32: product("MatMul", ["left", "w"], FLOAT, {"w": weights}, **sizes)}
    scale, scales = np.float32(0.02), np.full(columns, 0.001, np.float32)
    for name, (left, right) in INTEGERS.items():
        constants = {
            "w": np.rint(weights * 1000).clip(-64, 64).astype(np.int8).view(right),
            "scale": np.array(scale),
            "scales": scales,
            "zero": np.array(128 if left is np.uint8 else 0, left),
            "bias": bias,
        }
        inputs = ["left", "w", "scale", "scales", "zero", "", "bias"]
        made[name] = product("MatMulIntegerToFloat", inputs, TYPES[left], constants, **sizes)
        if name == "u8s8":
            made["u8s8, scale at run time"] = product(
                "DynamicQuantizeMatMul", ["left", "w", "scales"], FLOAT, constants, **sizes
            )
    for bits in (8, 4):
        blocks = block_weights(weights, bits=bits, block=BLOCK)
        made[f"{bits} bits in blocks of {BLOCK}"] = product(
            "MatMulNBits",
            ["left", "w", "scales"],
            FLOAT,
            {"w": blocks.packed, "scales": blocks.scales},
            **sizes,
            K=depth,
            N=columns,
            bits=bits,
            block_size=BLOCK,
            accuracy_level=4,
        )
    return made


def opened(made: onnx.ModelProto, rows: int) -> Callable[[], object]:
    """Return what multiplies once."""
    [left] = made.graph.input
    depth = left.type.tensor_type.shape.dim[1].dim_value
    values = np.random.default_rng(1).integers(0, 100, (rows, depth))
    kind = helper.tensor_dtype_to_np_dtype(left.type.tensor_type.elem_type)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.onnx"
        onnx.save(made, path)
        session = open_session(path)
    return partial(session.run, None, {"left": values.astype(kind)})


def main() -> None:
    """Print one line for each kind and shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rows", type=int, default=185)
    given = parser.parse_args()
    effort = Effort(warm_up=1, fewest=given.rounds, most=given.rounds)
    for shape, (depth, columns) in SHAPES.items():
        works = {}
        for name, made in kinds(depth, columns).items():
            try:
                works[name] = opened(made, given.rows)
                works[name]()
            except (ModelError, RuntimeError) as error:
                works.pop(name, None)
                print(f"{shape:10} {name:26} no kernel: {str(error)[:120]}")
        times = interleaved(works, effort, time.process_time)
        for name in works:
            ratio, best = ratio_of(name, FP32, times), times[name].min()
            print(
                f"{shape:10} {name:26} {1000 * best:7.2f} ms  "
                f"{given.rows * depth * columns / best / 1e9:6.1f} 10^9 multiply-adds a second  "
                f"{ratio.median:.2f}x ({ratio.low:.2f}-{ratio.high:.2f})"
            )
    told = disclosure({}, ())
    print(f"{told['processor']}, {' '.join(told['instruction_sets'])}; load {load_average()}")


if __name__ == "__main__":
    main()

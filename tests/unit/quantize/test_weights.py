import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import helper, numpy_helper

from serval.quantize.rounding import (
    block_weights,
    channel_weights,
    portable_kernel_scales,
    portable_scales,
    symmetric_scales,
)

MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(-100, 100, width=32),
)


@given(MATRICES)
def test_portable_weights_never_overflow_sixteen_bits(matrix):
    levels = channel_weights(matrix, portable_scales(matrix), 1).astype(int)
    rows = np.pad(levels, ((0, len(levels) % 2), (0, 0)))
    for sign in (1, -1):
        half = np.maximum(sign * rows, 0)
        assert (255 * (half[0::2] + half[1::2])).max() <= 32_767


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
        elements=st.floats(-100, 100, width=32),
    )
)
def test_portable_kernels_never_overflow_in_either_layout(kernel):
    levels = channel_weights(kernel, portable_kernel_scales(kernel), 0).astype(int)
    outputs = len(kernel)
    by_tap = levels.transpose(0, 2, 1)
    apart = np.pad(by_tap, ((0, 0), (0, 0), (0, kernel.shape[1] % 2)))
    for layout in (levels, by_tap, apart):
        row = layout.reshape(outputs, -1)
        row = np.pad(row, ((0, 0), (0, row.shape[1] % 2)))
        for sign in (1, -1):
            half = np.maximum(sign * row, 0)
            assert (255 * (half[:, 0::2] + half[:, 1::2])).max() <= 32_767


def test_portable_kernels_cost_less_than_a_bit():
    kernel = np.random.default_rng(0).normal(size=(64, 384, 3)).astype(np.float32)
    price = portable_kernel_scales(kernel) / symmetric_scales(kernel, 0)
    assert 1 <= price.min() <= price.mean() < 1.75


@given(MATRICES)
def test_rounding_errs_by_half_a_step_at_most(matrix):
    for scales in (portable_scales(matrix), symmetric_scales(matrix, 1)):
        error = np.abs(channel_weights(matrix, scales, 1) * scales - matrix)
        assert (error <= 0.501 * scales + 1e-6).all()


def test_portable_scales_cost_less_than_a_bit():
    matrix = np.random.default_rng(0).normal(size=(384, 64)).astype(np.float32)
    price = portable_scales(matrix) / symmetric_scales(matrix, 1)
    assert 1 <= price.min() <= price.mean() < 1.6


@pytest.mark.parametrize(("bits", "block", "rows"), [(4, 32, 64), (4, 16, 40), (8, 32, 50)])
def test_blocks_are_what_the_operator_reads(bits, block, rows):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(rows, 6)).astype(np.float32)
    samples = rng.normal(size=(5, rows)).astype(np.float32)
    blocks = block_weights(matrix, bits=bits, block=block)
    node = helper.make_node(
        "MatMulNBits", ["x", "packed", "scales"], ["y"], domain="com.microsoft",
        K=rows, N=6, bits=bits, block_size=block,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "one", [helper.make_tensor_value_info("x", 1, ["n", rows])],
        [helper.make_tensor_value_info("y", 1, ["n", 6])],
        [numpy_helper.from_array(blocks.packed, "packed"),
         numpy_helper.from_array(blocks.scales, "scales")],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": samples})
    np.testing.assert_allclose(answer, samples @ blocks.matrix(rows, bits), atol=1e-4)
    assert np.abs(blocks.matrix(rows, bits) - matrix).max() < 4 / 2**bits * np.abs(matrix).max()


def test_a_column_of_zeros_stays_zero():
    matrix = np.zeros((32, 2), dtype=np.float32)
    assert not block_weights(matrix, bits=4, block=16).matrix(32, 4).any()
    assert not channel_weights(matrix, portable_scales(matrix), 1).any()

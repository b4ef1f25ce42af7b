"""The mean error that rounding brings into each layer, to be taken off its bias.

Source: Nagel et al., Data-Free Quantization (ICCV 2019), section 4.2, with means from calibration
clips. A model that averages over time cancels noise, but not a shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serval.quantize.build import stored_weights
from serval.quantize.graph import index_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    from serval.quantize.build import Recipe
    from serval.quantize.layers import Layer
    from serval.quantize.observe import Means

__all__ = ["bias_shifts"]

ROUNDED = {"int8", "weights8", "int4"}


def bias_shifts(
    graph: onnx.ModelProto, layers: tuple[Layer, ...], recipe: Recipe, means: Mapping[str, Means]
) -> dict[str, NDArray[np.float64]]:
    """Return the mean error of each rounded layer's output, `(N,) float64`, by the layer's name.

    Borders of convolutions are taken to look like the rest of the clip.
    """
    index = index_of(graph)
    shifts = {}
    for layer in layers:
        precision = recipe.plan.get(layer.name)
        if precision not in ROUNDED:
            continue
        exact = index.array(layer.weight)
        stored = stored_weights(exact, layer, recipe)
        seen = means[layer.source]
        arriving = seen.rounded if precision == "int8" else seen.exact
        shifts[layer.name] = _mean_output(stored, arriving, layer) - _mean_output(
            exact, seen.exact, layer
        )
    return shifts


def _mean_output(
    weights: NDArray[np.float32], mean: NDArray[np.float64], layer: Layer
) -> NDArray[np.float64]:
    if layer.is_matmul:
        return np.asarray(mean @ weights.astype(np.float64))
    kernel = weights.astype(np.float64).reshape(layer.groups, -1, *weights.shape[1:])
    sums = kernel.reshape(*kernel.shape[:3], -1).sum(axis=3)
    outputs = np.einsum("gmc,gc->gm", sums, mean.reshape(layer.groups, -1))
    return np.asarray(outputs.ravel())

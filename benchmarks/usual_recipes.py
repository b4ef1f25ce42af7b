"""The recipes that are usually run, with ONNX Runtime alone: what `serval quantize` has to beat.

    python benchmarks/usual_recipes.py MODEL.onnx FOLDER --calibration SET

Writes three files, whose accuracy and agreement with FP32 serval then measures:

    serval evaluate -m MODEL.onnx -d SET -o FOLDER/fp32
    serval evaluate -m FOLDER/static-minmax.onnx -d SET -o FOLDER/static-minmax
    serval compare FOLDER/fp32 FOLDER/static-minmax
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from serval.models.backend import feeds_of
from serval.models.onnx import OnnxModel, load_onnx
from serval.quantize.clips import calibration_clips
from serval.quantize.options import QuantizeOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

LAYERS = ["Conv", "MatMul", "Gemm"]


class Feeds(CalibrationDataReader):
    """The calibration clips, as the model is fed with them."""

    def __init__(self, model: OnnxModel, clips: str, n: int) -> None:
        waveforms = calibration_clips(QuantizeOptions(calibration=clips), n, model, 1).waveforms
        self.feeds: Iterator[dict[str, NDArray[np.float32]]] = (
            feeds_of(model, samples) for samples in waveforms
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next clip, or `None` after the last."""
        return next(self.feeds, None)


def main() -> None:
    """Write the files and print their sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--clips", type=int, default=64)
    flags = parser.parse_args()
    logging.disable(logging.WARNING)
    flags.folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: flags.folder / f"{name}.onnx"
        for name in ("default-dynamic", "matmul-dynamic", "static-minmax")
    }
    quantize_dynamic(flags.model, files["default-dynamic"])
    quantize_dynamic(
        flags.model,
        files["matmul-dynamic"],
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    quantize_static(
        flags.model,
        files["static-minmax"],
        Feeds(load_onnx(flags.model), flags.calibration, flags.clips),
        op_types_to_quantize=LAYERS,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    whole = flags.model.stat().st_size
    for path in files.values():
        size = path.stat().st_size
        print(f"{path}: {size / 1e6:.1f} MB, {size / whole:.1%} of FP32")


if __name__ == "__main__":
    main()

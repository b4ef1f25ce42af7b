"""A classifier in an ONNX file, run by OpenVINO on the CPU (extra: `openvino`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import AudioError, MissingExtraError, ModelError
from serval.models.onnx import OnnxBackend, as_rows, load_onnx, one_by_one
from serval.wording import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.classifier import Classifier
    from serval.models.contract import Overrides
    from serval.models.protocol import Logits

__all__ = ["OpenVinoBackend", "open_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVinoBackend:
    """Runs a compiled graph; each thread has a request of its own.

    Attributes:
        compiled: The compiled model.
        graph: What knows its inputs.
        requests: One for each thread.
    """

    compiled: Any
    graph: OnnxBackend
    requests: local = field(default_factory=local)

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32`, what the graph gives for each row.

        Raises:
            AudioError: OpenVINO cannot run the graph on samples of this length.
        """
        if self.graph.signature.alone and len(samples) > 1:
            return one_by_one(self, samples, lengths)
        if not hasattr(self.requests, "own"):
            self.requests.own = self.compiled.create_infer_request()
        feeds = self.graph.feeds(samples, lengths)
        try:
            answer = self.requests.own.infer(feeds)[self.graph.contract.output_name]
        except RuntimeError as error:
            raise AudioError(
                f"OpenVINO cannot run the model on {samples.shape[1]} samples: "
                f"{one_line(error)[-300:]}"
            ) from error
        return as_rows(np.array(answer, dtype=np.float32), len(samples))


def open_model(path: Path, overrides: Overrides, threads: int) -> Classifier[OpenVinoBackend]:
    """Return the model in an .onnx file, compiled by OpenVINO for that many threads.

    What it expects and gives is found by ONNX Runtime, so that both have one contract.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ModelError: It cannot run this model.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            "the runtime 'openvino' is not installed; pip install openvino"
        ) from error
    known = load_onnx(path, overrides)
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Where the processor has bfloat16, OpenVINO would round an fp32 model to it.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise ModelError(f"OpenVINO cannot run {path}: {one_line(last)[:300]}") from error
    return known.on(OpenVinoBackend(compiled=compiled, graph=known.backend))

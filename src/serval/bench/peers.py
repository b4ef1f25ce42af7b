"""Other programs that run the same classifier, timed in the same rounds where they are installed.

A peer is given as `openvino`, which runs the first model file, or as `torch:FOLDER`, the
checkpoint that the model was exported from, in transformers' own layout.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import ConfigError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from serval.audio import Waveform
    from serval.bench.subjects import Call
    from serval.models.onnx import OnnxModel

__all__ = ["PEERS", "open_peer", "peer_packages"]

PEERS = {"openvino": ("openvino",), "torch": ("torch", "transformers")}
"""Each peer and the packages that it needs."""


def open_peer(peer: str, model: OnnxModel, threads: int) -> Call:
    """Return a function that runs the peer on one waveform with that many threads.

    Raises:
        ConfigError: There is no such peer, or it needs a checkpoint folder.
        MissingExtraError: Its package is not installed.
        ModelError: It cannot run this model.
    """
    kind, _, folder = peer.partition(":")
    if kind == "openvino":
        return _openvino(model, threads)
    if kind == "torch" and Path(folder).is_dir() and folder:
        return _torch(Path(folder), threads)
    raise ConfigError(
        f"unknown peer '{peer}'; known: openvino, and torch:FOLDER with an existing checkpoint"
    )


def peer_packages(peers: list[str]) -> tuple[str, ...]:
    """Return the packages whose versions a reader must know.

    Examples:
        >>> peer_packages(["torch:wav2vec2", "openvino"])
        ('torch', 'transformers', 'openvino')
    """
    return tuple(name for peer in peers for name in PEERS.get(peer.partition(":")[0], ()))


def _openvino(model: OnnxModel, threads: int) -> Call:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            "the peer 'openvino' is not installed; pip install openvino"
        ) from error
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Where the processor has bfloat16, OpenVINO would round an fp32 model to it.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    try:
        compiled = openvino.Core().compile_model(str(model.path), "CPU", settings)
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot run {model.path}: {str(error).strip().splitlines()[-1][:300]}"
        ) from error
    return partial(_run_openvino, compiled.create_infer_request(), model)


def _run_openvino(request: Any, model: OnnxModel, samples: Waveform) -> object:  # noqa: ANN401
    return request.infer(model.feeds(samples[np.newaxis], np.array([len(samples)])))


def _torch(folder: Path, threads: int) -> Call:
    try:
        import torch
        from transformers import AutoModelForAudioClassification
    except ImportError as error:
        raise MissingExtraError(
            "the peer 'torch' is not installed; pip install torch transformers"
        ) from error
    try:
        classifier = AutoModelForAudioClassification.from_pretrained(folder).eval()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"transformers cannot open {folder}: {str(error).splitlines()[0][:300]}"
        ) from error
    return partial(_run_torch, torch, classifier, threads)


def _run_torch(torch: Any, classifier: Any, threads: int, samples: Waveform) -> object:  # noqa: ANN401
    torch.set_num_threads(threads)
    with torch.inference_mode():
        return classifier(torch.from_numpy(samples)[None]).logits.numpy()

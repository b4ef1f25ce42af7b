"""Clips -> records, in this process: decode, resample and run the model, several clips at once."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.audio import Audio, Waveform, decode, encoded_bytes
from serval.errors import ServalError
from serval.records import Clip, Failure, Prediction, Record
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.models.protocol import Model

__all__ = ["Transform", "failure_of", "predict", "predict_clip", "softmax"]

AHEAD = 4
"""Clips in flight for each worker: enough to keep it busy, few enough to keep memory flat."""

Transform = Callable[[Waveform, int, Clip], Waveform]
"""`(samples, sample_rate, clip)` -> other samples, applied between decoding and the model."""


def predict(
    model: Model, clips: Iterable[Clip], *, workers: int = 1, transform: Transform | None = None
) -> Iterator[Record]:
    """Yield one record for each clip, in order, holding only a few clips in memory.

    Each worker does a whole clip: read, decode, resample, run. The model runs each clip alone and
    unpadded, so the answer does not depend on the number of workers or on the neighbours.

    Args:
        model: Must be safe to call from several threads.
        clips: Labelled with the model's own labels.
        workers: Threads.
        transform: Changes each waveform before the model sees it; must be a pure function.
    """
    waiting: deque[Future[Record]] = deque()
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="serval")
    try:
        for clip in clips:
            waiting.append(pool.submit(predict_clip, model, clip, transform))
            if len(waiting) >= workers * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def predict_clip(model: Model, clip: Clip, transform: Transform | None = None) -> Record:
    """Return the prediction for one clip, or the Failure that says why there is none."""
    if not clip.label:
        return Failure(stage="read", reason="the dataset gives no label", **_identity(clip))
    stage = "read"
    try:
        encoded = encoded_bytes(clip.audio)
        stage = "decode"
        audio = decode(encoded, model.sample_rate, max_seconds=model.max_seconds)
        samples = transform(audio.samples, audio.sample_rate, clip) if transform else audio.samples
        stage = "model"
        start = time.perf_counter()
        logits = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
        inference_s = time.perf_counter() - start
    except ServalError as error:
        return failure_of(clip, stage, str(error))
    except Exception as error:  # noqa: BLE001 - one clip must not end the run, whatever is raised
        return failure_of(clip, stage, f"{type(error).__name__}: {one_line(error)}")
    return _prediction(model, clip, audio, logits, inference_s, encoded)


def failure_of(clip: Clip, stage: str, reason: str) -> Failure:
    """Return the record of a clip that has no prediction."""
    return Failure(stage=stage, reason=printable(reason), **_identity(clip))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return probabilities, `(..., K) float64` in [0, 1], that sum to 1 over the last axis.

    Examples:
        >>> softmax(np.float32([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _identity(clip: Clip) -> dict[str, Any]:
    return {
        "clip_id": clip.id,
        "index": clip.index,
        "truth": clip.label,
        "speaker": clip.speaker,
        "groups": dict(clip.groups),
    }


def _prediction(
    model: Model,
    clip: Clip,
    audio: Audio,
    logits: NDArray[np.float32],
    inference_s: float,
    encoded: bytes,
) -> Prediction:
    return Prediction(
        predicted=model.labels[int(logits.argmax())],
        logits=_shortest(logits),
        probs=_shortest(softmax(logits).astype(np.float32)),
        duration_s=round(audio.duration_s, 6),
        inference_s=round(inference_s, 6),
        audio_sha256=hashlib.sha256(encoded).hexdigest(),
        notes=audio.notes,
        **_identity(clip),
    )


def _shortest(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the values as the shortest decimals that give the same float32 again."""
    return tuple(float(str(value)) for value in values)

"""Clips -> records, in this process: decode, resample and run the model, several clips at once."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serval.audio import Audio, Waveform, decode, encoded_bytes, sound_of
from serval.errors import ServalError
from serval.probabilities import joined_logits, probabilities_of
from serval.records import Clip, Failure, Prediction, Record
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.labels import LabelSpace
    from serval.models.protocol import Model

__all__ = [
    "Answer",
    "Transform",
    "answer_of",
    "failure_of",
    "in_label_space",
    "in_order",
    "infer",
    "predict",
    "predict_clip",
]

AHEAD = 4
"""Items in flight for each worker: enough to keep it busy, few enough to keep memory flat."""

Transform = Callable[[Waveform, int, Clip], Waveform]
"""`(samples, sample_rate, clip)` -> other samples, applied between decoding and the model."""

T = TypeVar("T")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says of one clip, and what it heard.

    Attributes:
        clip: As its dataset gives it.
        audio: Decoded, at the model's rate.
        samples: `(T,) float32`, what the model heard, before its normalisation.
        logits: `(K,) float32`.
        inference_s: Wall time of the model call in seconds.
        audio_sha256: Of the encoded file.
    """

    clip: Clip
    audio: Audio
    samples: Waveform
    logits: NDArray[np.float32]
    inference_s: float
    audio_sha256: str


def infer(
    model: Model, clips: Iterable[Clip], *, workers: int = 1, transform: Transform | None = None
) -> Iterator[Record]:
    """Yield one record for each clip, in order, holding only a few clips in memory.

    Each worker does a whole clip: read, decode, resample, run. The model runs each clip alone and
    unpadded, so the answer does not depend on the number of workers or on the neighbours. A clip
    without a label is as good as any: the truth of its record is `None`.

    Args:
        model: Must be safe to call from several threads.
        clips: Labelled with the model's own labels, or not at all.
        workers: Threads.
        transform: Changes each waveform before the model sees it; must be a pure function.
    """
    return in_order(partial(_inferred, model, transform), clips, workers)


def predict(
    model: Model, clips: Iterable[Clip], *, workers: int = 1, transform: Transform | None = None
) -> Iterator[Record]:
    """Yield one record for each clip as `infer` does; see `predict_clip`.

    Args:
        model: Must be safe to call from several threads.
        clips: Labelled with the model's own labels.
        workers: Threads.
        transform: Changes each waveform before the model sees it; must be a pure function.
    """
    return in_order(partial(predict_clip, model, transform=transform), clips, workers)


def predict_clip(model: Model, clip: Clip, transform: Transform | None = None) -> Record:
    """Return the prediction for one clip, or the Failure that says why there is none.

    A model of dimensions needs no label: its clips have their truth in further columns.
    """
    if not clip.label and model.contract.outputs != "values":
        return failure_of(clip, "read", "the dataset gives no label")
    return _inferred(model, transform, clip)


def answer_of(model: Model, clip: Clip, transform: Transform | None = None) -> Answer | Failure:
    """Return what the model says of one clip, whatever its label, or why it says nothing."""
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
    return Answer(
        clip=clip,
        audio=audio,
        samples=samples,
        logits=logits,
        inference_s=inference_s,
        audio_sha256=hashlib.sha256(encoded).hexdigest(),
    )


def in_order(work: Callable[[T], Result], items: Iterable[T], workers: int = 1) -> Iterator[Result]:
    """Yield what the work makes of each item, in order, with few items in memory at a time."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="serval")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= workers * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_label_space(record: Record, space: LabelSpace, outputs: str) -> Record:
    """Return a record whose logits, probabilities and answer are those of the space's labels.

    Args:
        record: With the model's own logits.
        space: Its labels, and the model's outputs that count as each.
        outputs: `Contract.outputs` of the model.
    """
    if isinstance(record, Failure):
        return record
    logits = joined_logits(np.array(record.logits, np.float32), space.outputs, outputs)
    return replace(
        record,
        predicted=space.labels[int(logits.argmax())],
        logits=_shortest(logits),
        probs=_shortest(probabilities_of(logits, outputs).astype(np.float32)),
    )


def failure_of(clip: Clip, stage: str, reason: str) -> Failure:
    """Return the record of a clip that has no prediction."""
    return Failure(stage=stage, reason=printable(reason), **_identity(clip))


def _inferred(model: Model, transform: Transform | None, clip: Clip) -> Record:
    answer = answer_of(model, clip, transform)
    return answer if isinstance(answer, Failure) else _prediction(model, answer)


def _identity(clip: Clip) -> dict[str, Any]:
    return {
        "clip_id": clip.id,
        "index": clip.index,
        "truth": clip.label,
        "speaker": clip.speaker,
        "groups": dict(clip.groups),
    }


def _prediction(model: Model, answer: Answer) -> Prediction:
    logits = answer.logits
    return Prediction(
        predicted=_named(model, logits),
        logits=_shortest(logits),
        probs=_shortest(probabilities_of(logits, model.contract.outputs).astype(np.float32)),
        duration_s=round(answer.audio.duration_s, 6),
        inference_s=round(answer.inference_s, 6),
        audio_sha256=answer.audio_sha256,
        notes=answer.audio.notes,
        sound=sound_of(answer.samples, answer.audio.sample_rate, answer.audio.source_rate),
        **_identity(answer.clip) | {"truth": answer.clip.label or None},
    )


def _named(model: Model, logits: NDArray[np.float32]) -> str:
    """Return the label with the highest logit; of values of dimensions none is chosen."""
    return "" if model.contract.outputs == "values" else model.labels[int(logits.argmax())]


def _shortest(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the values as the shortest decimals that give the same float32 again."""
    return tuple(float(str(value)) for value in values)

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

from serval.audio import Audio, Streamed, Waveform, decode, encoded_bytes, sound_of
from serval.errors import ServalError, TooLongError
from serval.models.windowed import Windowed
from serval.multilabel import TRUTH
from serval.probabilities import joined_logits, probabilities_of
from serval.records import Clip, Failure, Prediction, Record, Sound
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.labels import LabelSpace
    from serval.models.protocol import Model

WINDOW_S = 10.0
"""What a clip that is too long is advised to be cut into."""

AHEAD = 4
"""Items in flight for each worker: enough to keep it busy, few enough to keep memory flat."""

Transform = Callable[[Waveform, int, Clip], Waveform]
"""`(samples, sample_rate, clip)` -> other samples, applied between decoding and the model."""

Decode = Callable[..., Audio]
"""`serval.audio.decode`, or what answers as it does."""

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

    @property
    def heard(self) -> Heard:
        """What a record keeps of it."""
        return Heard(
            clip=self.clip,
            logits=self.logits,
            inference_s=self.inference_s,
            audio_sha256=self.audio_sha256,
            duration_s=self.audio.duration_s,
            notes=self.audio.notes,
            sound=sound_of(self.samples, self.audio.sample_rate, self.audio.source_rate),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a model says of one clip, without the sound.

    Attributes:
        clip: As its dataset gives it.
        logits: `(K,) float32`.
        inference_s: Wall time of the model calls in seconds.
        audio_sha256: Of the encoded file.
        duration_s: Length of the file in seconds, at its own rate.
        notes: What was done to the sound.
        sound: What it was like; `None` of a clip that was heard in windows.
    """

    clip: Clip
    logits: NDArray[np.float32]
    inference_s: float
    audio_sha256: str
    duration_s: float
    notes: tuple[str, ...]
    sound: Sound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a model says of one window of a clip.

    Attributes:
        start_s: Where it begins, in seconds.
        end_s: Where it ends.
        predicted: The label with the highest logit; empty of values of dimensions.
        probs: `(K,) float64` in [0, 1], in the order of the model's labels.
    """

    start_s: float
    end_s: float
    predicted: str
    probs: NDArray[np.float64]


def infer(model: Model, clips: Iterable[Clip], *, workers: int = 1) -> Iterator[Record]:
    """Yield one record for each clip, in order, holding only a few clips in memory.

    Each worker does a whole clip: read, decode, resample, run. The model runs each clip alone and
    unpadded, so the answer does not depend on the number of workers or on the neighbours. A clip
    without a label is as good as any: the truth of its record is `None`.

    Args:
        model: Must be safe to call from several threads.
        clips: Labelled with the model's own labels, or not at all.
        workers: Threads.
    """
    return in_order(partial(_inferred, model, None), clips, workers)


def predict(
    model: Model,
    clips: Iterable[Clip],
    *,
    workers: int = 1,
    transform: Transform | None = None,
    decoded: Decode = decode,
) -> Iterator[Record]:
    """Yield one record for each clip as `infer` does; see `predict_clip`.

    Args:
        model: Must be safe to call from several threads.
        clips: Labelled with the model's own labels.
        workers: Threads.
        transform: Changes each waveform before the model sees it; must be a pure function.
        decoded: Decodes each clip that is not heard in windows.
    """
    work = partial(predict_clip, model, transform=transform, decoded=decoded)
    return in_order(work, clips, workers)


def predict_clip(
    model: Model, clip: Clip, transform: Transform | None = None, decoded: Decode = decode
) -> Record:
    """Return the prediction for one clip, or the Failure that says why there is none.

    Of dimensions, and of several emotions a clip, the truth stands in further columns.
    """
    if not clip.label and TRUTH not in clip.groups and model.contract.outputs != "values":
        return failure_of(clip, "read", "the dataset gives no label")
    return _inferred(model, transform, clip, decoded)


def answer_of(
    model: Model, clip: Clip, transform: Transform | None = None, decoded: Decode = decode
) -> Answer | Failure:
    """Return what the model says of one clip, whatever its label, or why it says nothing."""
    stage = "read"
    try:
        encoded = encoded_bytes(clip.audio)
        stage = "decode"
        audio = decoded(encoded, model.sample_rate, max_seconds=model.max_seconds)
        samples = transform(audio.samples, audio.sample_rate, clip) if transform else audio.samples
        stage = "model"
        start = time.perf_counter()
        logits = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
        inference_s = time.perf_counter() - start
    except Exception as error:  # noqa: BLE001 - one clip must not end the run, whatever is raised
        return _failed(model, clip, stage, error)
    return Answer(
        clip=clip,
        audio=audio,
        samples=samples,
        logits=logits,
        inference_s=inference_s,
        audio_sha256=hashlib.sha256(encoded).hexdigest(),
    )


def predict_windows(model: Windowed, clip: Clip) -> tuple[Record, list[Moment]]:
    """Return the record of one clip, and what was said of each of its windows until it failed.

    The clip is decoded while it is heard, so that memory holds its file and one window.
    """
    moments: list[Moment] = []
    return _heard(model, clip, moments.append), moments


def _heard(model: Windowed, clip: Clip, tell: Callable[[Moment], object]) -> Record:
    """Return the record of one clip of any length, having told what was said of each window."""
    stage, inference_s = "read", 0.0

    def windows() -> Iterator[NDArray[np.float32]]:
        nonlocal stage, inference_s
        for start, samples in model.cut(sound.blocks()):
            stage, began = "model", time.perf_counter()
            logits = model.one(samples)
            inference_s += time.perf_counter() - began
            stage, end = "decode", start + len(samples)
            tell(_moment(model, (start, end), logits))
            yield logits

    try:
        encoded = encoded_bytes(clip.audio)
        stage, sound = "decode", Streamed(encoded, model.sample_rate)
        logits = model.mean_of(windows())
    except Exception as error:  # noqa: BLE001 - one clip must not end the run, whatever is raised
        return _failed(model, clip, stage, error)
    heard = Heard(
        clip=clip,
        logits=logits,
        inference_s=inference_s,
        audio_sha256=hashlib.sha256(encoded).hexdigest(),
        duration_s=sound.duration_s,
        notes=sound.notes,
    )
    return prediction_of(model, heard)


def _moment(model: Windowed, place: tuple[int, int], logits: NDArray[np.float32]) -> Moment:
    start_s, end_s = (samples / model.sample_rate for samples in place)
    return Moment(
        start_s=start_s,
        end_s=end_s,
        predicted=_named(model, logits),
        probs=probabilities_of(logits, model.contract.outputs),
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


def _failed(model: Model, clip: Clip, stage: str, error: Exception) -> Failure:
    reason = str(error)
    if not isinstance(error, ServalError):
        reason = f"{type(error).__name__}: {one_line(error)}"
    elif isinstance(error, TooLongError) and not isinstance(model, Windowed):
        reason = f"{reason}; hear it in windows: --window {min(WINDOW_S, model.max_seconds):g}"
    return failure_of(clip, stage, reason)


def _inferred(
    model: Model, transform: Transform | None, clip: Clip, decoded: Decode = decode
) -> Record:
    if isinstance(model, Windowed) and transform is None:
        return _heard(model, clip, lambda _moment: None)
    answer = answer_of(model, clip, transform, decoded)
    return answer if isinstance(answer, Failure) else prediction_of(model, answer.heard)


def _identity(clip: Clip) -> dict[str, Any]:
    return {
        "clip_id": clip.id,
        "index": clip.index,
        "truth": clip.label,
        "speaker": clip.speaker,
        "groups": dict(clip.groups),
    }


def prediction_of(model: Model, answer: Heard) -> Prediction:
    """Return the record of what a model says of one clip."""
    logits = answer.logits
    return Prediction(
        predicted=_named(model, logits),
        logits=_shortest(logits),
        probs=_shortest(probabilities_of(logits, model.contract.outputs).astype(np.float32)),
        duration_s=round(answer.duration_s, 6),
        inference_s=round(answer.inference_s, 6),
        audio_sha256=answer.audio_sha256,
        notes=answer.notes,
        sound=answer.sound,
        **_identity(answer.clip) | {"truth": answer.clip.label or None},
    )


def _named(model: Model, logits: NDArray[np.float32]) -> str:
    """Return the label with the highest logit; of values of dimensions none is chosen."""
    return "" if model.contract.outputs == "values" else model.labels[int(logits.argmax())]


def _shortest(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the values as the shortest decimals that give the same float32 again."""
    return tuple(float(str(value)) for value in values)

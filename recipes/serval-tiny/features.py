"""The train clips, their perturbed copies, and what the encoder as it was makes of them, once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from perturb import RATE, perturbed
from tiny import SIZE, Tiny, pooled

from serval.audio import decode, encoded_bytes
from serval.labels import EMOTIONS, LabelMap, LabelSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.records import Dataset

MAX_S = 30
FULL_SCALE = 32_767
MULTIPLE = 4
"""Spectrogram frames are cut to a multiple of it, so that clips of one length are a batch."""

BATCH = 8
SHORTEST = 1_000


@dataclass(frozen=True, slots=True)
class Speech:
    """All clips of a split, decoded.

    Attributes:
        samples: `(T,) int16` of all clips, each divided by its peak.
        ends: `(N + 1,)`, where clips start and end.
        labels: `(N,)`, places in `EMOTIONS`.
        speakers: `(N,)` names.
        corpora: `(N,)` names.
    """

    samples: NDArray[np.int16]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]
    speakers: NDArray[Any]
    corpora: NDArray[Any]

    def clip(self, i: int) -> Waveform:
        """Return the samples of a clip, at most 1."""
        return self.samples[self.ends[i] : self.ends[i + 1]].astype(np.float32) / FULL_SCALE


class Copy(NamedTuple):
    """One copy of the clips, perturbed or not.

    Attributes:
        clips: `(M,)` which clips it has.
        pooled: `(N, 3840) float32` statistics of the frozen encoder's levels.
        frames: `(N,)` how many a clip has.
        start: `(N,)` where they begin in `hidden`.
        hidden: `(F, 384) float16`, what goes into the first transformer layer.
    """

    clips: NDArray[np.int64]
    pooled: NDArray[np.float32]
    frames: NDArray[np.int64]
    start: NDArray[np.int64]
    hidden: NDArray[np.float16]


def speech_of(dataset: Dataset, column: str, folder: Path) -> Speech:
    """Return the decoded clips of a set, kept in `folder`.

    Raises:
        SystemExit: `folder` holds those of another set.
    """
    place, facts = folder / "samples.npy", folder / "clips.npz"
    made_of = f"{dataset.fingerprint} {column}"
    if not facts.exists():
        _decode(dataset, column, place, facts, made_of)
    known = _made_of(facts, made_of)
    samples = np.load(place, mmap_mode="r")
    return Speech(samples, *(known[name] for name in ("ends", "labels", "speakers", "corpora")))


def _made_of(facts: Path, made_of: str) -> dict[str, NDArray[Any]]:
    """Return what is kept in a file, if it was made of that."""
    with np.load(facts) as file:
        known = dict(file)
    if str(known.get("made_of")) != made_of:
        raise SystemExit(f"{facts} was made of other clips, another encoder or another plan: "
                         "give a new output folder")  # fmt: skip
    return known


def _decode(dataset: Dataset, column: str, place: Path, facts: Path, made_of: str) -> None:
    samples, rows = [], []
    meaning = LabelMap(labels=LabelSet(EMOTIONS), explicit={}, meanings=dataset.label_map)
    for clip in dataset.clips(0, None):
        heard = decode(encoded_bytes(clip.audio), RATE, max_seconds=MAX_S).samples
        samples.append(np.round(_at_peak(heard) * FULL_SCALE).astype(np.int16))
        rows.append(
            (EMOTIONS.index(meaning[clip.label]), str(clip.speaker), clip.groups[column].upper())
        )
    labels, speakers, corpora = zip(*rows, strict=True)
    np.save(place, np.concatenate(samples))
    ends = np.cumsum([0, *map(len, samples)])
    of_all = {"ends": ends, "labels": labels, "speakers": speakers, "corpora": corpora}
    np.savez(facts, made_of=made_of, **of_all)


def copy_of(
    speech: Speech, encoder: Tiny, number: int, clips: NDArray[np.int64], folder: Path
) -> Copy:
    """Return copy `number` of the clips (0: not perturbed), kept in `folder`.

    Raises:
        SystemExit: `folder` has that copy of other clips, or by another encoder.
    """
    facts, hidden = folder / f"copy{number}.npz", folder / f"copy{number}.f16"
    made_of = _digest(encoder, clips)
    if not facts.exists():
        _write_copy(speech, encoder, _ordered(clips), number, (facts, hidden), made_of)
    known = _made_of(facts, made_of)
    frames = np.memmap(hidden, dtype=np.float16, mode="r").reshape(-1, SIZE)
    return Copy(*(known[name] for name in ("clips", "pooled", "frames", "start")), frames)


def _digest(encoder: Tiny, clips: NDArray[np.int64]) -> str:
    """Return a hash of the encoder, of where it halves the frames, and of which clips it hears."""
    found = hashlib.sha256(repr(encoder.halved_before).encode() + clips.tobytes())
    for name, weight in encoder.weights.items():
        found.update(name.encode() + weight.numpy().tobytes())
    return found.hexdigest()


def _ordered(clips: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(clips)


def _write_copy(
    speech: Speech,
    encoder: Tiny,
    clips: NDArray[np.int64],
    number: int,
    files: tuple[Path, Path],
    made_of: str,
) -> None:
    n = len(speech.labels)
    statistics = np.zeros((n, (5 * 2) * SIZE), np.float32)
    frames, start, place = np.zeros(n, np.int64), np.zeros(n, np.int64), 0
    with files[1].open("wb") as file:
        for batch in _batches(_log_mels(speech, encoder, clips, number)):
            with torch.inference_mode():
                levels = encoder.levels(torch.stack([log_mel for _, log_mel in batch]))
                found = pooled(levels).numpy()
                hidden = levels[0].to(torch.float16).numpy()
            for (i, _), row, own in zip(batch, found, hidden, strict=True):
                statistics[i], frames[i], start[i] = row, len(own), place
                file.write(own.tobytes())
                place += len(own)
    of_all = {"clips": np.sort(clips), "pooled": statistics, "frames": frames, "start": start}
    np.savez(files[0], made_of=made_of, **of_all)


def _log_mels(
    speech: Speech, encoder: Tiny, clips: Iterable[int], number: int
) -> Iterator[tuple[int, torch.Tensor]]:
    for i in clips:
        samples = _perturbed_clip(speech, i, number) if number else speech.clip(i)
        samples = np.pad(samples, (0, max(0, SHORTEST - len(samples))))
        with torch.inference_mode():
            log_mel = encoder.log_mel(torch.from_numpy(samples.astype(np.float32))[None])[0]
        yield i, log_mel[:, : log_mel.shape[1] // MULTIPLE * MULTIPLE]


def _perturbed_clip(speech: Speech, i: int, number: int) -> Waveform:
    rng = np.random.default_rng([number, i])

    def others() -> list[Waveform]:
        drawn = rng.integers(len(speech.labels), size=8)
        strangers = (j for j in drawn if speech.speakers[j] != speech.speakers[i])
        heard = (speech.clip(j) for j in strangers)
        return [samples for samples in heard if len(samples) > SHORTEST and samples.any()]

    return _at_peak(perturbed(speech.clip(i), rng, others))


def _batches(
    clips: Iterable[tuple[int, torch.Tensor]],
) -> Iterator[list[tuple[int, torch.Tensor]]]:
    """Yield clips of one length together, for the encoder has no mask."""
    waiting: dict[int, list[tuple[int, torch.Tensor]]] = {}
    for i, log_mel in clips:
        batch = waiting.setdefault(log_mel.shape[1], [])
        batch.append((i, log_mel))
        if len(batch) == BATCH:
            yield waiting.pop(log_mel.shape[1])
    yield from waiting.values()


def _at_peak(samples: Waveform) -> Waveform:
    peak = np.abs(samples).max(initial=0)
    return samples / peak if peak > 0 else samples

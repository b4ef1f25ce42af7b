"""The clips that a page carries, with what Python says of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from serval.audio import decode
from serval.datasets import load_dataset
from serval.errors import ModelError
from serval.predict import answer_of
from serval.records import Clip, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.models.onnx import OnnxModel

__all__ = ["SAMPLES", "PageClip", "page_clips"]

SAMPLES = ("angry_f1", "happy_m2", "sad_f3")
"""Of the demo set, what people can click: three voices."""

ODD_RATE = 44_100


@dataclass(frozen=True, slots=True, kw_only=True)
class PageClip:
    """A clip of a page.

    Attributes:
        name: What people read.
        file: Its name in the site.
        encoded: The file's bytes.
        logits: What Python gives for it, by the model's name.
        is_sample: Whether it can be clicked.
    """

    name: str
    file: str
    encoded: bytes
    logits: Mapping[str, tuple[float, ...]]
    is_sample: bool


def page_clips(models: Sequence[OnnxModel], names: Sequence[str], n: int) -> list[PageClip]:
    """Return the sample clips, others of the demo set up to `n`, and one to be mixed and resampled.

    Args:
        models: Opened; each answers every clip.
        names: Of the models, on the page.
        n: Number of clips of the demo set, as many of each emotion as that allows.

    Raises:
        ModelError: A model cannot take one of them.
    """
    demo = list(load_dataset("demo").clips(0, None))
    samples = [clip for clip in demo if _stem(clip) in SAMPLES]
    others = [clip for clip in demo if clip not in samples]
    spread = np.linspace(0, len(others) - 1, max(0, n - len(samples)), dtype=int)
    chosen = [*samples, *(others[int(place)] for place in spread)]
    odd = _stereo(samples[0])
    return [
        PageClip(
            name=_name(clip),
            file=f"clips/{_stem(clip)}{_suffix(clip)}",
            encoded=_bytes(clip),
            logits={
                name: _logits(model, clip) for name, model in zip(names, models, strict=True)
            },
            is_sample=clip in samples,
        )
        for clip in (*chosen, odd)
    ]  # fmt: skip


def _stereo(clip: Clip) -> Clip:
    """Return a clip in two unlike channels at a rate that nobody's model has, as a WAV file."""
    audio = decode(_bytes(clip), ODD_RATE)
    loud = np.column_stack([audio.samples, 0.5 * audio.samples])
    buffer = io.BytesIO()
    soundfile.write(buffer, loud, ODD_RATE, format="WAV", subtype="PCM_16")
    stem = f"{_stem(clip)}_stereo_{ODD_RATE}"
    return Clip(id=stem, index=clip.index, label=clip.label, audio=buffer.getvalue())


def _logits(model: OnnxModel, clip: Clip) -> tuple[float, ...]:
    answer = answer_of(model, clip)
    if isinstance(answer, Failure):
        raise ModelError(
            f"{model.path}: no answer to the demo clip {clip.id} ({answer.reason}), so the page "
            "could not be compared with Python; a model for a page takes clips of 1 to 4 s"
        )
    return tuple(float(value) for value in answer.logits)


def _bytes(clip: Clip) -> bytes:
    return clip.audio.read_bytes() if isinstance(clip.audio, Path) else clip.audio


def _stem(clip: Clip) -> str:
    return Path(clip.id).stem


def _suffix(clip: Clip) -> str:
    return clip.audio.suffix if isinstance(clip.audio, Path) else ".wav"


def _name(clip: Clip) -> str:
    """Return `angry_f1` as `voice f1, meant angry`, and the rest of a name as it is."""
    emotion, voice, *rest = _stem(clip).split("_")
    return ", ".join((f"voice {voice}", f"meant {emotion}", *rest))

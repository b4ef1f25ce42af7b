"""The loop that people write: one row, one decode, one resample, one `session.run`, one argmax.

What serval is compared with. Nothing in it is slower than it need be for somebody who writes it
in ten minutes: `datasets` reads the rows, librosa resamples (soxr), ONNX Runtime has its defaults.
Needs: pip install --group bench
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import librosa
import numpy as np
import onnxruntime
import soundfile
from datasets import Audio, Dataset, load_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE_RATE = 16_000


def rows_of(corpus: str, split: str = "validation") -> Dataset:
    """Return the rows of a folder in the hub's layout, the audio column `audio` not decoded."""
    rows = load_dataset(corpus, split=split)
    name = next(n for n, feature in rows.features.items() if isinstance(feature, Audio))
    return rows.cast_column(name, Audio(decode=False)).rename_column(name, "audio")


def plain_loop(model: Path, rows: Dataset, normalize: str) -> Iterator[int]:
    """Yield the predicted id of each row; `normalize` is `peak`, `zscore` or `none`."""
    session = onnxruntime.InferenceSession(model)
    name = session.get_inputs()[0].name
    for row in rows:
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        if samples.ndim > 1:
            samples = samples.mean(axis=1)
        if rate != SAMPLE_RATE:
            samples = librosa.resample(samples, orig_sr=rate, target_sr=SAMPLE_RATE)
        if normalize == "peak":
            samples = samples / max(np.abs(samples).max(), 1e-12)
        elif normalize == "zscore":
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        logits = session.run(None, {name: samples[np.newaxis].astype(np.float32)})[0]
        yield int(logits.argmax())

"""Whether a file says what its checkpoint says, on waveforms of several lengths."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import ModelError
from serval.export.options import Parity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.models.onnx import OnnxModel

__all__ = ["TOLERANCE", "compared", "parity_waveforms", "refuse_unless_equal"]

TOLERANCE = 1e-4
"""Largest difference of a score that rounding may make."""

N_CLIPS = 4
SHORT_S, LONG_S = 0.5, 10.0


def parity_waveforms(dataset: str, sample_rate: int, max_seconds: float) -> list[Waveform]:
    """Return the first clips of a dataset, half a second of them, and ten seconds of them.

    Raises:
        ServalError: The dataset cannot be read, or one of the clips cannot be decoded.
    """
    opened = load_dataset(dataset, options=DatasetOptions(limit=N_CLIPS))
    clips = [
        decode(encoded_bytes(clip.audio), sample_rate).samples
        for clip in islice(opened.clips(0, N_CLIPS), N_CLIPS)
    ]
    once = np.concatenate(clips)
    joined = np.tile(once, int(LONG_S * sample_rate) // len(once) + 1)
    made = [joined[: int(seconds * sample_rate)] for seconds in (SHORT_S, LONG_S)]
    return [waveform[: int(max_seconds * sample_rate)] for waveform in (*clips, *made)]


def compared(
    model: OnnxModel, waveforms: Sequence[Waveform], expected: Sequence[NDArray[np.float32]]
) -> Parity:
    """Return how close an opened file comes to what torch said about the same waveforms."""
    alone = np.stack([model.scores(w[None], np.array([len(w)]))[0] for w in waveforms])
    wanted = np.stack(expected)
    return Parity(
        durations_s=tuple(round(len(w) / model.sample_rate, 3) for w in waveforms),
        max_abs_diff=float(np.abs(alone - wanted).max()),
        same_argmax=int((alone.argmax(axis=1) == wanted.argmax(axis=1)).sum()),
        padded_max_abs_diff=_padded_diff(model, waveforms, alone),
    )


def refuse_unless_equal(parity: Parity, name: str) -> None:
    """Do nothing if the file agrees with its checkpoint.

    Raises:
        ModelError: It does not, or padding changes what its mask should hide.
    """
    n_clips = len(parity.durations_s)
    if not parity.max_abs_diff <= TOLERANCE or parity.same_argmax < n_clips:
        raise ModelError(
            f"the graph of '{name}' differs from torch by {parity.max_abs_diff:.1e} "
            f"(at most {TOLERANCE:.0e} allowed) and agrees on the label of "
            f"{parity.same_argmax} of {n_clips} clips; nothing was written"
        )
    padded = parity.padded_max_abs_diff
    if padded is not None and not padded <= TOLERANCE:
        raise ModelError(
            f"padding changes the scores of '{name}' by {padded:.1e} in spite of the mask: this "
            "family mixes padding into valid frames; export it without --attention-mask"
        )


def _padded_diff(
    model: OnnxModel, waveforms: Sequence[Waveform], alone: NDArray[np.float32]
) -> float | None:
    """Return how much the scores change in one padded batch, or `None` where none may be."""
    if not model.contract.may_pad:
        return None
    lengths = np.array([len(waveform) for waveform in waveforms])
    batch = np.zeros((len(waveforms), int(lengths.max())), dtype=np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return float(np.abs(model.scores(batch, lengths) - alone).max())

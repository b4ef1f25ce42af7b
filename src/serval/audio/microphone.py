"""The microphone of this machine, window by window. No other file imports sounddevice."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.audio.waveform import resampled
from serval.errors import AudioError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.audio.waveform import Waveform

FIRST_S = 1.0
"""Sound that there must be before the first window."""

WAIT_S = 0.5
"""How often it is looked whether the microphone is still open."""


def microphone_windows(sample_rate: int, window_s: float, hop_s: float) -> Iterator[Waveform]:
    """Yield the last `window_s` seconds, `(T,) float32` in [-1, 1], every `hop_s` seconds.

    The first windows are shorter, from a second on. What is not asked for in time is skipped, so
    that a slow model falls behind by no more than one window. It ends when the microphone does. It
    is opened, or refused, before the first window is asked for.

    Raises:
        MissingExtraError: sounddevice, or the PortAudio that it needs, is not installed.
        AudioError: There is no microphone, or it cannot be opened.
    """
    sound = _sounddevice()
    blocks: queue.SimpleQueue[Waveform] = queue.SimpleQueue()

    def hear(samples: Any, *_: object) -> None:  # noqa: ANN401 - PortAudio's array
        blocks.put(np.array(samples[:, 0], dtype=np.float32))

    try:
        own_rate = int(sound.query_devices(kind="input")["default_samplerate"])
        stream = sound.InputStream(samplerate=own_rate, channels=1, dtype="float32", callback=hear)
    except (sound.PortAudioError, ValueError) as error:
        raise AudioError(f"the microphone cannot be opened: {error}; plug one in") from error

    return _windows(stream, blocks, (own_rate, sample_rate), window_s, hop_s)


def _windows(
    stream: Any,  # noqa: ANN401 - sounddevice is an extra
    blocks: queue.SimpleQueue[Waveform],
    rates: tuple[int, int],
    window_s: float,
    hop_s: float,
) -> Iterator[Waveform]:
    """Yield the windows of an opened microphone, from its own rate to the one that is wanted."""
    most, hop, first = (round(s * rates[0]) for s in (window_s, hop_s, min(FIRST_S, window_s)))
    kept, new = np.zeros(0, dtype=np.float32), 0
    with stream:
        while stream.active or not blocks.empty():
            block = _all_of(blocks)
            kept = np.concatenate([kept, block])[-most:]
            new += len(block)
            if new >= hop and len(kept) >= first:
                new = 0
                yield resampled(kept, *rates)


def _sounddevice() -> Any:  # noqa: ANN401 - a module without types
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # an OSError where PortAudio is not there
        raise MissingExtraError(
            f"the microphone needs sounddevice ({error}): pip install 'serval-ser[live]', on Linux "
            "with libportaudio2"
        ) from error
    return sounddevice


def _all_of(blocks: queue.SimpleQueue[Waveform]) -> Waveform:
    """Return all samples that came since, after waiting a while for the first of them."""
    try:
        found = [blocks.get(timeout=WAIT_S)]
    except queue.Empty:
        return np.zeros(0, dtype=np.float32)
    while not blocks.empty():
        found.append(blocks.get())
    return np.concatenate(found)

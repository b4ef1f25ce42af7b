"""The way from the speaker to the model: rooms, codecs, sample rates, lost packets."""

from __future__ import annotations

import io
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # its signal, a second to load, only where it is called
import soundfile

from serval.audio import resampled
from serval.errors import MissingExtraError
from serval.stress.noise import pink
from serval.stress.waveform import telephone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.audio import Waveform

ROOMS = {
    "small": ((3.0, 2.5, 2.5), 0.25),
    "medium": ((6.0, 5.0, 3.0), 0.5),
    "large": ((14.0, 10.0, 5.0), 1.0),
}
"""Size in metres, and the time in seconds for an echo to fall by 60 dB that sets the absorption.

It is Sabine's formula that makes walls of that time; the image method decays a little slower in
rooms so long: measured on the responses (T30), about 0.23, 0.55 and 1.25 s.
"""

PLACES = 8
"""Places in each room; a clip is put into one of them."""

SIMULATION = Lock()
"""pyroomacoustics keeps its settings in one place for all threads."""


def require_rooms() -> None:
    """Raise unless the library that computes rooms is installed.

    Raises:
        MissingExtraError: It is not.
    """
    try:
        import_module("pyroomacoustics")
    except ImportError:
        raise MissingExtraError(
            "rooms need pyroomacoustics, which is not installed; "
            "pip install 'serval-ser[stress]', or choose --suite quick"
        ) from None


def reverberant(
    samples: Waveform,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    room: str,
    distance_m: float,
) -> Waveform:
    """Return the samples as a microphone `distance_m` away hears them, at the level that they had.

    The direct sound keeps its place in time, and the clip its length: later echoes are cut off.

    Source: Allen and Berkley (1979), Image method for efficiently simulating small-room
    acoustics; `pyroomacoustics.ShoeBox`.
    """
    response = impulse_response(room, distance_m, sample_rate, int(rng.integers(PLACES)))
    direct = int(np.abs(response).argmax())
    wet = scipy.signal.fftconvolve(samples.astype(np.float64), response)[
        direct : direct + len(samples)
    ]
    before, after = np.sqrt(np.mean(samples.astype(np.float64) ** 2)), np.sqrt(np.mean(wet**2))
    return np.asarray(wet * (before / after if after > 0 else 1.0), dtype=np.float32)


@lru_cache(maxsize=128)
def impulse_response(
    room: str, distance_m: float, sample_rate: int, place: int
) -> NDArray[np.float64]:
    """Return the `(L,)` echo of a click in a room, `distance_m` between source and microphone.

    Args:
        room: One of `ROOMS`.
        distance_m: In metres; less than the room is wide.
        sample_rate: In Hz.
        place: Which of the random places of source and microphone.
    """
    acoustics = import_module("pyroomacoustics")
    size, rt60_s = ROOMS[room]
    rng = np.random.default_rng([place, round(1000 * distance_m), len(room)])
    source, microphone = _places(np.array(size), distance_m, rng)
    with SIMULATION:
        absorption, order = acoustics.inverse_sabine(rt60_s, size)
        walls = acoustics.ShoeBox(
            size, fs=sample_rate, materials=acoustics.Material(absorption), max_order=min(order, 40)
        )
        walls.add_source(source)
        walls.add_microphone(microphone)
        walls.compute_rir()
    return np.asarray(walls.rir[0][0], dtype=np.float64)


def _places(
    size: NDArray[np.float64], distance_m: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return source and microphone, both at least 0.3 m from every wall, at mouth height or so."""
    low, high = np.full(3, 0.3), size - 0.3
    low[2], high[2] = 1.1, 1.8
    for _ in range(1000):
        source = rng.uniform(low, high)
        angle = rng.uniform(0, 2 * np.pi)
        microphone = source + distance_m * np.array([np.cos(angle), np.sin(angle), 0.0])
        if (microphone > low - 1e-9).all() and (microphone < high + 1e-9).all():
            return source, microphone
    centre = size / 2
    half = np.array([distance_m / 2, 0.0, 0.0])
    return centre - half, centre + half


OPUS_LOWEST, OPUS_SPAN = 6.0, 250.0
MP3_RATES = {16000: (8.0, 160.0), 22050: (8.0, 160.0), 24000: (8.0, 160.0),
             32000: (32.0, 320.0), 44100: (32.0, 320.0), 48000: (32.0, 320.0)}  # fmt: skip
MP3_SMALLEST = 0.999
"""The scale of libsndfile up to which it takes a constant bit rate; at 1 it refuses."""

MP3_DELAY = 1105
"""Samples by which LAME (576) and its decoder (529) come late."""


def opus(samples: Waveform, sample_rate: int, rng: np.random.Generator, *, kbps: float) -> Waveform:
    """Return the samples after Opus at about that bit rate, without the Ogg around it.

    Source: RFC 6716, the encoder of libopus in libsndfile, whose scale from 0 to 1 stands for
    256 to 6 kbit/s of one channel (`ogg_opus.c`).
    """
    scale = 1 - (kbps - OPUS_LOWEST) / OPUS_SPAN
    choice: dict[str, Any] = {"format": "OGG", "subtype": "OPUS", "compression_level": scale}
    return _at_rate(samples, sample_rate, (8000, 12000, 16000, 24000, 48000), choice)


def mp3(samples: Waveform, sample_rate: int, rng: np.random.Generator, *, kbps: float) -> Waveform:
    """Return the samples after MP3 at that constant bit rate, its delay taken off.

    Source: ISO/IEC 13818-3, the encoder of LAME in libsndfile.
    """
    rate = next((r for r in MP3_RATES if r >= sample_rate), 48000)
    low, high = MP3_RATES[rate]
    choice = {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": min((high - kbps) / (high - low), MP3_SMALLEST),
    }
    at_rate = np.pad(resampled(samples, sample_rate, rate), (0, MP3_DELAY))
    heard = encoded_as(at_rate, rate, choice)[1][MP3_DELAY:]
    return _same_length(resampled(heard, rate, sample_rate), len(samples))


def gsm(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return the samples after the full-rate speech codec of GSM: 8 kHz, 13 kbit/s.

    Source: ETSI GSM 06.10 (libgsm in libsndfile).
    """
    return _at_rate(samples, sample_rate, (8000,), {"format": "WAV", "subtype": "GSM610"})


def mulaw(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return the samples after 8-bit mu-law at the same rate.

    Source: ITU-T G.711 (libsndfile).
    """
    return _at_rate(samples, sample_rate, (sample_rate,), {"format": "WAV", "subtype": "ULAW"})


def rate_round_trip(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, rate: int
) -> Waveform:
    """Return the samples after a way through another sample rate and back.

    Source: soxr, quality HQ.
    """
    there = resampled(samples, sample_rate, rate)
    return _same_length(resampled(there, rate, sample_rate), len(samples))


def packet_loss(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, percent: float
) -> Waveform:
    """Return the samples with packets of 20 ms silent: `percent` of them, in runs of 2 on average.

    Source: the two-state model of Gilbert (1960), Capacity of a burst-noise channel, with
    nothing in the place of a lost packet.
    """
    packet = round(0.02 * sample_rate)
    share = percent / 100
    recover, lose = 0.5, 0.5 * share / (1 - share)
    draws = rng.random(-(-len(samples) // packet) + 1)
    lost, state = np.zeros(len(draws), dtype=bool), bool(draws[0] < share)
    for i, draw in enumerate(draws[1:]):
        lost[i] = state
        state = draw >= recover if state else draw < lose
    silent = np.repeat(lost, packet)[: len(samples)]
    return np.where(silent, np.float32(0), samples)


def poor_telephone(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return the samples over a poor line: compressed 4 : 1, telephone band, GSM, pink noise.

    Source: audeering ser-tests, low-quality phone: compressor, AMR-NB at 7.4 kbit/s and pink
    noise. The codec here is GSM 06.10, for no library with a permissive licence encodes AMR.
    """
    even = _compressed(samples, sample_rate)
    narrow = telephone(even, sample_rate, rng)
    return pink(gsm(narrow, sample_rate, rng), sample_rate, rng, snr_db=25.0)


def encoded_as(samples: Waveform, sample_rate: int, choice: dict[str, Any]) -> tuple[int, Waveform]:
    """Return how many bytes libsndfile makes of the samples, and what it reads from them.

    Samples beyond 1 are scaled down for the codec and up again after it.
    """
    peak = max(1.0, float(np.abs(samples).max(initial=0.0)))
    file = io.BytesIO()
    soundfile.write(file, samples / peak, sample_rate, **choice)
    size = file.tell()
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    return size, np.asarray(heard * peak, dtype=np.float32)


def _at_rate(
    samples: Waveform, sample_rate: int, rates: tuple[int, ...], choice: dict[str, Any]
) -> Waveform:
    """Return the samples after a codec at the first of its rates that loses nothing."""
    rate = next((r for r in rates if r >= sample_rate), rates[-1])
    heard = encoded_as(resampled(samples, sample_rate, rate), rate, choice)[1]
    return _same_length(resampled(heard, rate, sample_rate), len(samples))


def _same_length(samples: Waveform, length: int) -> Waveform:
    return np.pad(samples, (0, max(0, length - len(samples))))[:length]


def _compressed(samples: Waveform, sample_rate: int) -> NDArray[np.float32]:
    """Return the samples with levels above -30 dB of the peak brought down 4 : 1, then up again.

    The peak has its level back afterwards, as after a compressor's make-up gain.

    Source: Giannoulis, Massberg and Reiss (2012), Digital dynamic range compressor design.
    """
    smooth = np.exp(-1 / (0.02 * sample_rate))
    power = scipy.signal.lfilter([1 - smooth], [1, -smooth], samples.astype(np.float64) ** 2)
    level = 10 * np.log10(np.maximum(power, 1e-12))
    over = np.maximum(level - (level.max(initial=-120.0) - 30), 0)
    quiet = samples * 10 ** (-0.75 * over / 20)
    peak, lower = np.abs(samples).max(initial=0.0), np.abs(quiet).max(initial=0.0)
    return np.asarray(quiet * (peak / lower if lower > 0 else 1.0), dtype=np.float32)

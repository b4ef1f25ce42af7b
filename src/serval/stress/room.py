"""Rooms: the same speech from another place, with its echoes."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from serval.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.audio import Waveform

__all__ = ["ROOMS", "impulse_response", "require_rooms", "reverberant"]

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
    wet = signal.fftconvolve(samples.astype(np.float64), response)[direct : direct + len(samples)]
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

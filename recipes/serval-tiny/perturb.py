"""Perturbed copies of clips to train on: what the stress suite does, drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.stress import channel, noise, waveform

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from serval.audio import Waveform

RATE = 16_000
SHARES = {"none": 0.2, "noise": 0.35, "telephone": 0.2, "room": 0.15, "channel": 0.1}
"""How often each kind is drawn; of `none` only the speed is changed."""

ROOMS = (("small", 1.0), ("medium", 1.5), ("small", 0.6))


def perturbed(
    samples: Waveform, rng: np.random.Generator, others: Callable[[], list[Waveform]]
) -> Waveform:
    """Return the samples after one kind of perturbation, most often at another speed too.

    Args:
        samples: `(T,) float32` at 16 kHz.
        rng: Draws everything.
        others: Draws clips of other speakers, for babble.
    """
    kind = tuple(SHARES)[int(rng.choice(len(SHARES), p=list(SHARES.values())))]
    if kind == "none" or rng.random() < 0.6:
        percent = float(rng.choice([-1, 1]) * rng.uniform(4, 13))
        samples = waveform.speed(samples, RATE, rng, percent=percent)
    return KINDS[kind](samples, rng, others)


def _noise(
    samples: Waveform, rng: np.random.Generator, others: Callable[[], list[Waveform]]
) -> Waveform:
    db = float(rng.uniform(4, 22))
    kind = int(rng.choice(5, p=[0.35, 0.2, 0.2, 0.2, 0.05]))
    if kind == 3:
        return noise.babble(samples, RATE, rng, snr_db=db, voices=others())
    return (noise.white, noise.pink, noise.environment, None, noise.music)[kind](
        samples, RATE, rng, snr_db=db
    )


def _telephone(samples: Waveform, rng: np.random.Generator, _others: object) -> Waveform:
    kinds = (waveform.telephone, waveform.telephone, channel.gsm, channel.poor_telephone)
    return kinds[rng.integers(4)](samples, RATE, rng)


def _room(samples: Waveform, rng: np.random.Generator, _others: object) -> Waveform:
    room, metres = ROOMS[rng.integers(len(ROOMS))]
    return channel.reverberant(samples, RATE, rng, room=room, distance_m=metres)


def _channel(samples: Waveform, rng: np.random.Generator, _others: object) -> Waveform:
    kind = int(rng.integers(4))
    if kind == 0:
        return channel.rate_round_trip(samples, RATE, rng, rate=8000)
    if kind == 1:
        return channel.mulaw(samples, RATE, rng)
    if kind == 2:
        return waveform.tilted(samples, RATE, rng, tilt=float(rng.choice([-0.9, 0.9])))
    return channel.packet_loss(samples, RATE, rng, percent=float(rng.uniform(3, 12)))


KINDS = {
    "none": lambda samples, _rng, _others: samples,
    "noise": _noise,
    "telephone": _telephone,
    "room": _room,
    "channel": _channel,
}

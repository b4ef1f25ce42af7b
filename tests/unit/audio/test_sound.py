import numpy as np
import pytest

from build import voice
from serval.audio import resampled, sound_of


def noise(seconds=1.0, rate=16_000, level=0.1):
    samples = np.random.default_rng(0).normal(0, level, round(seconds * rate))
    return samples.astype(np.float32)


def test_the_level_is_the_root_mean_square_in_db_of_full_scale():
    assert sound_of(noise(level=0.1), 16_000, 44_100).level_db == pytest.approx(-20, abs=0.2)
    assert sound_of(np.float32([1, -1, 1, -1]), 16_000, 16_000).level_db == 0.0
    silence = sound_of(np.zeros(100, np.float32), 16_000, 8_000)
    assert (silence.level_db, silence.bandwidth_hz, silence.source_rate) == (-120.0, 0.0, 8_000)
    assert sound_of(np.zeros(0, np.float32), 16_000, 8_000).level_db == -120.0


def test_the_bandwidth_is_what_a_telephone_left_whatever_the_rate_is_now():
    assert sound_of(noise(), 16_000, 16_000).bandwidth_hz == 8000.0
    narrow = resampled(resampled(noise(), 16_000, 8_000), 8_000, 16_000)
    assert 3700 < sound_of(narrow, 16_000, 8_000).bandwidth_hz < 4300


def test_neither_depends_on_the_loudness_of_the_other():
    soft, loud = (sound_of(gain * voice(1), 16_000, 16_000) for gain in (0.01, 1.0))
    assert loud.level_db - soft.level_db == pytest.approx(40, abs=0.05)
    assert loud.bandwidth_hz == soft.bandwidth_hz

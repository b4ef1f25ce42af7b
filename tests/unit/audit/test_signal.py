import numpy as np
import pytest

from serval.audit.facts import clipped_share, signal_of
from speech import utterance


def test_speech_is_not_clipped():
    assert clipped_share(utterance(1)) == 0


def test_a_loud_sine_is_not_clipped():
    sine = np.sin(2 * np.pi * 100 * np.arange(48_000) / 48_000).astype(np.float32)
    assert clipped_share(np.round(sine * 32767) / 32768) < 0.001


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_flat_tops_count_even_when_turned_down_later(gain):
    limited = np.clip(utterance(1) * 4, -1, 1) * np.float32(gain)
    assert clipped_share(limited) > 0.01


def test_a_constant_has_no_tops():
    assert clipped_share(np.zeros(100, np.float32)) == 0


def test_the_numbers_of_a_clip():
    signal = signal_of(np.float32([0.25, -0.5, 0.75, 0.5]))
    assert (signal.peak, signal.offset, signal.clipped) == (0.75, 0.25, 0)

"""Channels become one by their mean, and by the louder one where the mean cancels out."""

import numpy as np
import pytest

from build import encoded, voice
from serval.audio import decode

LEFT, RIGHT = voice(1), voice(2)
CANCELS = ("its channels cancel out; the louder one was taken",)


def heard(*channels):
    return decode(encoded(np.stack(channels, axis=1), subtype="FLOAT"), 16_000)


@pytest.mark.parametrize(
    ("channels", "louder"),
    [
        ((LEFT, -LEFT), LEFT),
        ((-0.9 * LEFT, LEFT), LEFT),
        ((LEFT, -LEFT + 0.01 * RIGHT), None),
        ((0.7 * LEFT + 0.1, -0.75 * LEFT + 0.1), -0.75 * LEFT + 0.1),
        ((0.5 * LEFT, -0.5 * LEFT, LEFT, -LEFT), LEFT),
    ],
    ids=["inverted", "louder second", "nearly", "constant part", "four"],
)
def test_channels_that_cancel_out_leave_the_louder_one(channels, louder):
    audio = heard(*channels)
    assert audio.notes == CANCELS
    loudest = max(channels, key=lambda channel: channel.var()) if louder is None else louder
    np.testing.assert_allclose(audio.samples, loudest, atol=1e-6)


@pytest.mark.parametrize(
    "channels",
    [
        (LEFT, RIGHT),
        (LEFT, LEFT),
        (LEFT, 0 * LEFT),
        (LEFT, -0.4 * LEFT),
        (LEFT, *[0 * LEFT] * 7),
        tuple(voice(seed) for seed in range(6)),
        (LEFT, -LEFT, RIGHT, RIGHT),
    ],
    ids=["unrelated", "equal", "one silent", "inverted weakly", "one of 8", "six", "half of them"],
)
def test_all_other_channels_leave_their_mean(channels):
    audio = heard(*channels)
    mean = np.stack(channels, axis=1).mean(axis=1, dtype=np.float32)
    np.testing.assert_array_equal(audio.samples, mean)
    assert audio.notes == ()


def test_lossy_copies_of_inverted_channels_are_heard():
    for form in ("OGG", "MP3"):
        audio = decode(encoded(np.stack([LEFT, -LEFT], axis=1), form=form), 16_000)
        assert audio.notes == CANCELS
        assert np.abs(audio.samples).max() > 0.3


def test_digital_silence_is_noted():
    assert decode(encoded(0 * LEFT), 16_000).notes == ("the model heard digital silence",)
    assert heard(0 * LEFT, 0 * LEFT).notes == ("the model heard digital silence",)
    assert decode(encoded(1e-3 * LEFT), 16_000).notes == ()


@pytest.mark.parametrize(("peak", "is_noted"), [(32_000, True), (40, True), (4, False), (1, False)])
def test_samples_on_the_scale_of_integers_are_noted(peak, is_noted):
    samples = peak / np.abs(voice()).max() * voice()
    notes = decode(encoded(samples, subtype="FLOAT"), 16_000).notes
    assert [note.startswith("its samples are not on the scale") for note in notes] == [
        True
    ] * is_noted

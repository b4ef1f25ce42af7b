"""MP3 files as encoders, editors and broken copies leave them."""

import contextlib
import ctypes
import io
import sys

import numpy as np
import pytest
import soundfile

from build import encoded, voice
from serval.audio import decode
from serval.audio.libsndfile import c_output_silenced
from serval.errors import AudioError, TruncatedError

ID3 = b"ID3\x04\0\0\0\0\x01\0" + b"\xff\xfb" * 64
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + bytes(92)
GARBAGE = bytes(range(1, 255)) * 20


def vbr(*loudness, rate=16_000):
    """A second of voice at each level, as MP3 of variable bit rate."""
    samples = np.concatenate([level * voice(i, 1, rate) for i, level in enumerate(loudness)])
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="MP3", bitrate_mode="VARIABLE")
    return buffer.getvalue()


def without_xing(whole):
    """The file without its first frame, which holds no sound but the number of the others."""
    assert b"Xing" in whole[:64]
    return whole[whole.index(whole[:2], whole.index(b"LAME")) :]


@pytest.mark.parametrize("loudness", [(0, 1, 1, 1), (1, 0, 0, 0), (1, 1, 1, 1)])
def test_a_variable_bit_rate_without_a_count_is_read_to_the_end(loudness):
    whole = vbr(*loudness)
    counted, uncounted = decode(whole, 16_000), decode(without_xing(whole), 16_000)
    # Without a count it is not known how much the encoder put in front and behind: 3 frames.
    assert 0 <= len(uncounted.samples) - len(counted.samples) <= 3 * 576
    late = counted.samples[-32_000:-16_000]
    found = np.correlate(uncounted.samples[-36_000:], late, "valid").max()
    assert found == pytest.approx((late**2).sum(), rel=0.05, abs=1e-6)


def test_a_constant_bit_rate_without_a_count_gives_what_libsndfile_gives():
    whole = encoded(voice(seconds=2), 48_000, form="MP3")
    uncounted = without_xing(whole) if b"Xing" in whole[:64] else whole
    samples, _ = soundfile.read(io.BytesIO(uncounted), dtype="float32", frames=10**6)
    assert len(decode(uncounted, 48_000).samples) >= len(samples) - 1152


@pytest.mark.parametrize(
    ("front", "behind"),
    [
        (ID3, ID3V1),
        (ID3 + ID3, APE + ID3V1),
        (b"\0" * 5000, b""),
        (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100),
        (GARBAGE, GARBAGE),
    ],
)
def test_tags_and_garbage_round_the_frames_change_nothing(front, behind, capfd):
    whole = encoded(voice(), form="MP3")
    expected = decode(whole, 16_000)
    audio = decode(front + whole + behind, 16_000)
    np.testing.assert_array_equal(audio.samples, expected.samples)
    assert audio.notes == ()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("between", [ID3, ID3V1 + ID3, APE, GARBAGE])
def test_tags_and_garbage_between_two_files_are_not_heard(between, capfd):
    a, b = encoded(voice(1), form="MP3"), encoded(voice(2), form="MP3")
    expected = np.concatenate([decode(one, 16_000).samples for one in (a, b)])
    np.testing.assert_array_equal(decode(a + between + b, 16_000).samples, expected)
    assert capfd.readouterr() == ("", "")


def test_frames_behind_those_that_were_counted_are_heard():
    counted = vbr(1, 1)
    uncounted = without_xing(vbr(1, 1))
    n = len(decode(counted, 16_000).samples) + len(decode(uncounted, 16_000).samples)
    assert len(decode(counted + uncounted, 16_000).samples) == n


def test_fewer_frames_than_were_counted_are_a_cut():
    whole = vbr(1, 1, 1)
    with pytest.raises(TruncatedError, match=r"truncated: \d+ of \d+ MPEG frames are there"):
        decode(whole[: int(0.9 * len(whole))], 16_000)


def test_the_decoder_prints_nothing_and_python_still_does(capfd):
    damaged = bytearray(encoded(voice(seconds=3), form="MP3"))
    rng = np.random.default_rng(0)
    for at in rng.integers(600, len(damaged), 400):
        damaged[at] = rng.integers(256)
    with contextlib.suppress(AudioError):
        decode(bytes(damaged), 16_000)
    print("said", file=sys.stderr)  # noqa: T201 - what is tested
    assert capfd.readouterr() == ("", "said\n")


def test_c_code_prints_again_once_the_last_thread_has_left(capfd):
    libc = ctypes.CDLL(None)
    with c_output_silenced():
        with c_output_silenced():
            pass
        libc.perror(b"inside")
    libc.perror(b"behind")
    printed = capfd.readouterr().err
    assert "behind" in printed
    assert "inside" not in printed


def test_a_count_without_frames_is_no_sound():
    whole = vbr(1)
    alone = whole[: len(whole) - len(without_xing(whole))]
    with pytest.raises(AudioError):
        decode(alone, 16_000)

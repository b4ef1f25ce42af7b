import math

import numpy as np
import pytest

from build import encoded, voice
from serval.audio import decode, encoded_bytes, peak_normalized, resampled, zscored
from serval.errors import AudioError

LOSSLESS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("AIFF", "PCM_16"),
    ("AIFF", "PCM_24"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("CAF", "PCM_16"),
]
LOSSY = [("WAV", "PCM_U8"), ("WAV", "ULAW"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


@pytest.mark.parametrize(("form", "subtype"), LOSSLESS)
def test_lossless_formats_give_the_samples_back(form, subtype):
    samples = voice()
    audio = decode(encoded(samples, form=form, subtype=subtype), 16_000)
    assert audio.samples.dtype == np.float32
    np.testing.assert_allclose(audio.samples, samples, atol=1e-4)
    assert audio.duration_s == 1.0


@pytest.mark.parametrize(("form", "subtype"), LOSSY)
def test_lossy_formats_sound_alike(form, subtype):
    samples = voice()
    audio = decode(encoded(samples, form=form, subtype=subtype), 16_000)
    assert len(audio.samples) == pytest.approx(16_000, abs=2_400)
    lags = np.correlate(audio.samples, samples, "full")
    energy = np.linalg.norm(audio.samples) * np.linalg.norm(samples)
    assert lags.max() / energy > 0.8


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_sample_rate_becomes_the_wanted_one(rate):
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    audio = decode(encoded(tone, rate), 16_000)
    assert len(audio.samples) == 16_000
    assert np.abs(np.fft.rfft(audio.samples)).argmax() == 440
    assert (audio.source_rate, audio.sample_rate) == (rate, 16_000)


def test_channels_are_averaged():
    left, right = voice(1), voice(2)
    audio = decode(encoded(np.stack([left, right], axis=1), subtype="FLOAT"), 16_000)
    np.testing.assert_allclose(audio.samples, (left + right) / 2, atol=1e-6)
    assert audio.channels == 2


def test_the_content_decides_not_the_name(tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(encoded(voice(), form="AIFF"))
    assert len(decode(encoded_bytes(path), 16_000).samples) == 16_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"not audio at all" * 20, "not decodable"),
        (encoded(voice())[:20], "not decodable"),
        (encoded(np.zeros(0, dtype=np.float32)), "no samples"),
        (encoded(np.float32([0.1, np.nan, np.inf] * 900), subtype="FLOAT"), "1800 samples are NaN"),
    ],
    # The bytes of the last hold the second in which they were made, another for each test worker.
    ids=["empty", "text", "cut", "silent", "nan"],
)
def test_a_bad_clip_says_what_is_wrong(content, reason):
    with pytest.raises(AudioError, match=reason):
        decode(encoded_bytes(content), 16_000)


def test_a_missing_file_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError, match=r"cannot read .*gone\.wav"):
        encoded_bytes(tmp_path / "gone.wav")


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("WAV", "truncated: "),
        ("FLAC", "truncated or damaged after .* lost sync"),
        ("AIFF", "truncated: "),
    ],
)
def test_a_truncated_file_is_refused(form, reason):
    whole = encoded(voice(seconds=2), form=form)
    with pytest.raises(AudioError, match=reason):
        decode(whole[: len(whole) // 2], 16_000, max_seconds=30)


def test_a_cut_mp3_is_refused_by_its_own_count(capfd):
    whole = encoded(voice(seconds=8), form="MP3")
    with pytest.raises(AudioError, match=r"truncated: \d+ of \d+ MPEG frames"):
        decode(whole[: len(whole) // 2], 16_000, max_seconds=30)


def test_a_wav_that_was_streamed_has_no_size_and_is_read():
    streamed = bytearray(encoded(voice()))
    streamed[40:44] = (0xFFFFFFFF).to_bytes(4, "little")
    assert len(decode(bytes(streamed), 16_000).samples) == 16_000


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_clip_over_the_limit_is_refused(form):
    with pytest.raises(AudioError, match="limit is 1 s"):
        decode(encoded(voice(seconds=3), form=form), 16_000, max_seconds=1)


def test_a_clip_of_exactly_the_limit_passes():
    assert decode(encoded(voice(seconds=1)), 16_000, max_seconds=1).duration_s == 1


def test_an_hour_is_refused_from_the_header_alone():
    an_hour = encoded(np.zeros(3600 * 1000, dtype=np.float32), rate=1000, form="FLAC")
    with pytest.raises(AudioError, match="3600 s long, but the limit is 30 s"):
        decode(an_hour[:4096], 16_000, max_seconds=30)


def test_normalisation():
    samples = voice()
    assert np.abs(peak_normalized(samples)).max() == 1.0
    scored = zscored(samples)
    assert abs(scored.mean()) < 1e-5
    assert math.isclose(scored.std(), 1, abs_tol=1e-3)
    silence = np.zeros(10, dtype=np.float32)
    assert not peak_normalized(silence).any()
    assert not zscored(silence).any()
    assert resampled(samples, 16_000, 16_000) is samples


def test_a_clip_that_resamples_to_nothing_is_refused():
    with pytest.raises(AudioError, match="leave none"):
        decode(encoded(np.float32([0.1]), rate=96_000, subtype="FLOAT"), 16_000)

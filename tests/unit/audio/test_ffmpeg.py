"""Containers that libsndfile does not read, made and read with PyAV."""

import io

import numpy as np
import pytest

from build import encoded, voice
from serval.audio import decode, header_of
from serval.errors import AudioError, TooLongError

av = pytest.importorskip("av")

VOICE = voice(1, seconds=3)


def muxed(form, codec, samples=VOICE, rate=16_000, layout="mono"):
    """The samples, `(T,)` or `(T, channels)`, in a container."""
    buffer = io.BytesIO()
    planes = np.atleast_2d(samples.T).astype(np.float32)
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 64_000
        for start in range(0, planes.shape[1], 1024):
            block = np.ascontiguousarray(planes[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


MADE = [
    ("ipod", "aac", "mov/aac"),
    ("mp4", "aac", "mov/aac"),
    ("webm", "libopus", "matroska/opus"),
    ("matroska", "flac", "matroska/flac"),
    ("asf", "wmav2", "asf/wmav2"),
    ("adts", "aac", "aac/aac"),
    ("mov", "alac", "mov/alac"),
    ("wv", "wavpack", "wv/wavpack"),
    ("flv", "aac", "flv/aac"),
]


def test_without_another_name_than_wav_they_are_read():
    for form, codec, encoding in MADE:
        rate = 48_000 if codec == "libopus" else 44_100 if form == "flv" else 16_000
        samples = voice(1, 3, rate)
        audio = decode(muxed(form, codec, samples, rate), rate)
        assert audio.encoding == encoding
        assert (audio.source_rate, audio.channels) == (rate, 1)
        assert audio.duration_s == pytest.approx(3, abs=0.15)
        size = 2**19
        spectra = [np.fft.rfft(one, size) for one in (audio.samples, samples)]
        lags = np.fft.irfft(spectra[0] * spectra[1].conj())
        energy = np.linalg.norm(audio.samples) * np.linalg.norm(samples)
        assert lags.max() / energy > 0.8, encoding


@pytest.mark.parametrize(
    ("form", "codec"), [("ipod", "aac"), ("matroska", "flac"), ("adts", "aac"), ("asf", "wmav2")]
)
def test_joined_containers_are_all_heard(form, codec):
    a, b = muxed(form, codec), muxed(form, codec, voice(2, 2))
    alone = sum(decode(one, 16_000).duration_s for one in (a, b))
    assert decode(a + b, 16_000).duration_s == pytest.approx(alone, abs=0.1)


def test_stereo_is_mixed_as_elsewhere():
    stereo = np.stack([VOICE, -VOICE], axis=1)
    audio = decode(muxed("matroska", "flac", stereo, layout="stereo"), 16_000)
    assert audio.channels == 2
    assert audio.notes == ("its channels cancel out; the louder one was taken",)


def test_a_header_is_read_without_the_samples():
    header = header_of(muxed("matroska", "flac"))
    assert (header.sample_rate, header.channels, header.encoding) == (16_000, 1, "matroska/flac")
    assert header.duration_s == pytest.approx(3, abs=0.1)


def test_a_cut_container_is_refused():
    for form, codec in (("matroska", "flac"), ("mp4", "aac"), ("asf", "wmav2")):
        whole = muxed(form, codec)
        with pytest.raises(AudioError, match=r"truncated|not decodable"):
            decode(whole[: len(whole) // 2], 16_000)


def test_the_limit_is_kept():
    with pytest.raises(TooLongError, match="limit is 1 s"):
        decode(muxed("matroska", "flac"), 16_000, max_seconds=1)


def test_a_codec_that_libsndfile_does_not_know_is_read_in_a_wav_file():
    audio = decode(muxed("wav", "wmav2"), 16_000)
    assert audio.duration_s == pytest.approx(3, abs=0.15)


def test_a_list_of_other_files_is_never_opened(tmp_path):
    other = tmp_path / "other.wav"
    other.write_bytes(encoded(VOICE))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{other}\n".encode()
    concat = f"ffconcat version 1.0\nfile {other}\n".encode()
    for content in (playlist, concat):
        with pytest.raises(AudioError, match="not decodable as audio: plain text"):
            decode(content, 16_000)


def test_a_video_without_sound_says_so():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no sound of a known codec"):
        decode(buffer.getvalue(), 16_000)


@pytest.mark.parametrize(
    ("form", "codec"), [("ogg", "libopus"), ("mp4", "aac"), ("matroska", "flac")]
)
def test_a_second_sound_at_the_same_time_is_noted(form, codec):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        streams = [container.add_stream(codec, rate=48_000, layout="mono") for _ in range(2)]
        for i, stream in enumerate(streams):
            samples = voice(i + 1, 1, 48_000)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    audio = decode(buffer.getvalue(), 16_000)
    assert audio.notes == ("it holds 2 sounds that play at the same time; the first was taken",)
    assert audio.duration_s == pytest.approx(1, abs=0.1)

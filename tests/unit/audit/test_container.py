import pytest

from build import encoded
from serval.audit.container import decodable_frames, header_of, ogg_is_cut_off
from serval.errors import AudioError
from speech import opus, utterance


def test_a_header_says_rate_channels_and_length():
    header = header_of(encoded(utterance(1)[:8000], form="FLAC"))
    assert (header.sample_rate, header.channels, header.duration_s) == (16_000, 1, 0.5)
    assert header.encoding == "FLAC/PCM_16"


def test_what_is_no_audio_is_an_audio_error():
    with pytest.raises(AudioError, match="not decodable"):
        header_of(b"hello world, this is text")


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
def test_a_file_of_noise_after_half_its_bytes_has_fewer_frames(form):
    whole = encoded(utterance(1, seconds=4), form=form)
    assert decodable_frames(whole[: len(whole) // 2]) < decodable_frames(whole)


def test_what_is_no_audio_has_no_frames():
    assert decodable_frames(b"text") == 0


def test_an_ogg_file_that_is_whole_is_not_cut_off():
    assert not ogg_is_cut_off(opus(utterance(1)))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_ogg_file_that_ends_early_is_cut_off(share):
    whole = opus(utterance(1, seconds=6))
    assert ogg_is_cut_off(whole[: int(share * len(whole))])


def test_other_formats_are_not_judged():
    assert not ogg_is_cut_off(encoded(utterance(1)))
    assert ogg_is_cut_off(b"OggS")

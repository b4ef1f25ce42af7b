"""Files joined end to end: all of them are decoded, whatever their rates and channels."""

import numpy as np
import pytest

from build import encoded, voice
from serval.audio import decode
from serval.errors import AudioError

FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "MS_ADPCM"),
    ("RF64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("W64", "PCM_16"),
    ("CAF", "PCM_16"),
    ("NIST", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", None),
]


@pytest.mark.parametrize(("form", "subtype"), FORMATS)
def test_joined_files_are_all_heard(form, subtype):
    a = encoded(voice(1, 1.5), form=form, subtype=subtype)
    b = encoded(np.stack([voice(2, 1), voice(2, 1)], axis=1), 48_000, form, subtype)
    alone = [decode(one, 16_000) for one in (a, b)]
    joined = decode(a + b + a, 16_000)
    parts = [alone[0].samples, alone[1].samples, alone[0].samples]
    np.testing.assert_array_equal(joined.samples, np.concatenate(parts))
    assert joined.duration_s == pytest.approx(2 * alone[0].duration_s + alone[1].duration_s)
    assert joined.channels == 2
    assert joined.notes == ("it is 3 files joined end to end; all were decoded",)


@pytest.mark.parametrize("form", ["OGG", "MP3", "WAV", "FLAC"])
def test_one_file_is_no_chain(form):
    assert decode(encoded(voice(), form=form), 16_000).notes == ()


@pytest.mark.parametrize("form", ["OGG", "MP3", "WAV", "FLAC", "W64"])
def test_a_chain_whose_last_file_is_cut_off_is_refused(form):
    whole = encoded(voice(1, 3), form=form)
    with pytest.raises(AudioError, match="truncated"):
        decode(whole + whole[: len(whole) // 2], 16_000)


@pytest.mark.parametrize("form", ["OGG", "MP3", "WAV", "FLAC"])
def test_the_limit_holds_for_all_of_them_together(form):
    whole = encoded(voice(1, 1), form=form)
    with pytest.raises(AudioError, match=r"limit is 2\.5 s"):
        decode(whole * 3, 16_000, max_seconds=2.5)


def test_a_thousand_headers_are_no_clip():
    with pytest.raises(AudioError, match="1001 files joined end to end; up to 1000"):
        decode(encoded(np.zeros(8, np.float32)) * 1001, 16_000)

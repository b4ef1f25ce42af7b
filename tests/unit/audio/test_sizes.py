"""A size in a header promises nothing, and one that promises much more tells of a cut."""

import numpy as np
import pytest
import soundfile

from build import encoded, voice
from serval.audio import decode
from serval.audio.sizes import sized_parts
from serval.audit.facts import ClipFacts, clip_facts
from serval.errors import AudioError, TruncatedError
from serval.records import Clip

VOICE = voice(seconds=2)

FIELDS = {
    "WAV": (b"data", 4, 4, "little"),
    "AIFF": (b"SSND", 4, 4, "big"),
    "RF64": (b"ds64", 16, 8, "little"),
    "W64": (b"data\xf3\xac", 16, 8, "little"),
    "AU": (b".snd", 8, 4, "big"),
    "CAF": (b"data\0", 4, 8, "big"),
}
"""Where the size lies: a mark, the way from there, width and order."""


def with_size(form, change):
    whole = encoded(VOICE, form=form)
    mark, behind, width, order = FIELDS[form]
    at = whole.index(mark) + behind
    size = int.from_bytes(whole[at : at + width], order)
    return (
        whole[:at] + (change(size, 2 ** (8 * width))).to_bytes(width, order) + whole[at + width :]
    )


@pytest.mark.parametrize("form", FIELDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda size, top: 0,
        lambda size, top: top - 1,
        lambda size, top: 0x7FFFFFFF,
        lambda size, top: 0x7FFFF000,
        lambda size, top: top // 2,
        lambda size, top: size + 44,
        lambda size, top: size + 600,
    ],
    ids=["0", "ones", "2^31-1", "sox", "half", "header", "1 %"],
)
def test_a_size_that_is_not_known_or_a_little_wrong_is_harmless(form, change):
    samples = decode(with_size(form, change), 16_000).samples
    np.testing.assert_array_equal(samples, decode(encoded(VOICE, form=form), 16_000).samples)


@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU", "RF64"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_size_of_less_than_is_there_is_not_believed(form, share):
    audio = decode(with_size(form, lambda size, top: int(size * share) // 2 * 2), 16_000)
    assert audio.duration_s == 2


@pytest.mark.parametrize("form", FIELDS)
def test_a_size_of_noticeably_more_tells_of_a_cut(form):
    with pytest.raises(TruncatedError, match=r"truncated: 6400[048]"):
        decode(with_size(form, lambda size, top: int(size * 1.04)), 16_000)


def test_chunks_behind_the_samples_are_no_sound():
    whole = encoded(VOICE)
    chunk = b"LIST" + (3000).to_bytes(4, "little") + b"INFO" + b"\x7f" * 2996
    assert decode(whole + chunk, 16_000).duration_s == 2
    empty = encoded(VOICE[:0])
    with pytest.raises(AudioError, match="no samples"):
        decode(empty + chunk, 16_000)


def flac_with_total(n):
    whole = encoded(VOICE, form="FLAC")
    field = int.from_bytes(whole[18:26], "big")
    return whole[:18] + (field >> 36 << 36 | n).to_bytes(8, "big") + whole[26:]


@pytest.mark.parametrize("total", [0, 2**36 - 1, 2**31, 20_000, 31_900, 32_100])
@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125)])
def test_a_flac_of_unknown_or_wrong_length_is_read_to_its_end(total, behind):
    audio = decode(flac_with_total(total) + behind, 16_000, max_seconds=30)
    whole = decode(encoded(VOICE, form="FLAC"), 16_000)
    np.testing.assert_array_equal(audio.samples, whole.samples)


def test_other_bytes_behind_a_flac_are_no_sound():
    audio = decode(encoded(VOICE, form="FLAC") + b"junk" * 1000, 16_000)
    assert audio.duration_s == 2


def test_a_flac_that_promises_more_was_cut_off():
    with pytest.raises(TruncatedError, match="32000 of 40000 samples"):
        decode(flac_with_total(40_000), 16_000)


def test_the_audit_counts_what_was_read_not_what_was_promised():
    blank = ClipFacts(split="", clip_id="x", label="", raw_label="", speaker=None, text=None)
    for audio in (flac_with_total(0), with_size("WAV", lambda size, top: top - 1)):
        facts = clip_facts(Clip(id="x", index=0, label="", audio=audio), blank)
        assert facts.header.duration_s == 2
        assert facts.faults == ()


WITHOUT_A_SIZE = {"IRCAM", "PAF", "PVF", "XI"}
NOT_IN_MEMORY = {"RAW", "SD2"}
KNOWN = [
    (form, subtype)
    for form in sorted(soundfile.available_formats())
    for subtype in sorted(soundfile.available_subtypes(form))
    if form not in WITHOUT_A_SIZE | NOT_IN_MEMORY
]


def test_a_cut_is_found_in_every_format_with_a_size():
    tried, samples = 0, voice(3, 3)
    for form, subtype in KNOWN:
        try:
            whole = encoded(samples, form=form, subtype=subtype)
        except soundfile.LibsndfileError:
            continue  # a codec that this format has at other rates only
        tried += 1
        for share in (0.5, 0.97):
            with pytest.raises(AudioError):  # noqa: PT012 - the name, should it be read
                decode(whole[: int(share * len(whole))], 16_000)
                pytest.fail(f"{share} of {form}/{subtype} was read")
    assert tried > 70


@pytest.mark.parametrize("form", sorted(WITHOUT_A_SIZE - {"XI"}))
def test_where_there_is_no_size_what_is_there_is_read(form):
    whole = encoded(VOICE, form=form, subtype="PCM_16")
    cut = decode(whole[: len(whole) // 2], 16_000).samples
    np.testing.assert_array_equal(cut, decode(whole, 16_000).samples[: len(cut)])
    assert len(cut) > 15_000


@pytest.mark.parametrize(
    "header",
    [b"Creative Voice File\x1a" + bytes(200), b".snd" + bytes(200)],
    ids=["VOC", "AU"],
)
def test_a_header_that_says_it_has_no_length_comes_to_an_end(header):
    assert len(sized_parts(header)) == 1

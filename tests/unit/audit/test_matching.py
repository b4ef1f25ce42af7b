"""Copies of a recording are found; a sentence said twice is not a copy."""

import numpy as np
import pytest

from serval.audio import resampled as to_rate
from serval.audit.matching import (
    Shelf,
    Sketch,
    agreement,
    fingerprint_of_audio,
    matches,
    overlap,
    sketch_of,
)
from speech import after_silence, decoded, opus, resampled, utterance

TAKES = [utterance(words, take=take) for words in range(4) for take in range(4)]


def sketch(samples, rate=16_000):
    return sketch_of(to_rate(samples, rate, Sketch.sample_rate))


def found(sounds):
    with Shelf() as shelf:
        for position, (samples, rate) in enumerate(sounds):
            shelf.put(position, sketch(samples, rate))
        prints = {i: fingerprint_of_audio(x, rate) for i, (x, rate) in enumerate(sounds)}
        return list(matches(prints, shelf))


COPIES = {
    "the same": lambda x: (x, 16_000),
    "quieter": lambda x: (x * np.float32(0.03), 16_000),
    "sign turned": lambda x: (-x, 16_000),
    "telephone": lambda x: (resampled(x, 8000), 8000),
    "44.1 kHz": lambda x: (resampled(x, 44_100), 44_100),
    "silence": lambda x: (after_silence(x), 16_000),
    "opus": lambda x: decoded(opus(x)),
    "opus after silence": lambda x: decoded(opus(after_silence(x) * np.float32(0.3))),
    "telephone opus": lambda x: decoded(opus(resampled(after_silence(x), 8000), 8000)),
    "cut at the end": lambda x: (x[: int(0.85 * len(x))], 16_000),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_matched_to_its_source_and_to_nothing_else(copy):
    sounds = [(x, 16_000) for x in TAKES] + [copy(TAKES[5])]
    assert [(m.first, m.second) for m in found(sounds)] == [(5, len(TAKES))]


def test_one_sentence_said_again_and_again_is_no_copy():
    assert found([(utterance(7, take=take), 16_000) for take in range(12)]) == []


def test_one_clip_or_none_has_no_pair():
    assert found([]) == []
    assert found([(TAKES[0], 16_000)]) == []


def test_more_copies_than_neighbours_hang_together():
    pairs = found([(after_silence(TAKES[0], seconds=i / 50), 16_000) for i in range(12)])
    assert {i for m in pairs for i in (m.first, m.second)} == set(range(12))


def test_agreement_is_one_with_itself_and_near_zero_with_another():
    one, other = (fingerprint_of_audio(x, 16_000) for x in TAKES[:2])
    assert agreement(one, one) == pytest.approx(1)
    assert agreement(one, other) < 0.2


def test_digital_silence_has_no_fingerprint():
    assert fingerprint_of_audio(np.zeros(16_000, np.float32), 16_000) is None


@pytest.mark.parametrize("n", [1, 10, 600])
def test_a_very_short_clip_has_a_fingerprint(n):
    samples = TAKES[0][2000 : 2000 + n]
    assert np.isfinite(fingerprint_of_audio(samples, 16_000).outline).all()


def test_the_outline_of_a_long_clip_does_not_depend_on_where_it_begins():
    long = utterance(3, seconds=14)
    one, other = (fingerprint_of_audio(x, 16_000) for x in (long, after_silence(long)))
    assert len(one.words) > 512
    assert one.outline @ other.outline > 0.98


def test_overlap_is_the_shared_part():
    whole, half = sketch(TAKES[0]), sketch(TAKES[0][: len(TAKES[0]) // 2])
    assert overlap(whole, whole) == pytest.approx(1, abs=1e-3)
    assert 0.4 < overlap(whole, half) < 0.9


def test_overlap_with_nothing_is_nothing():
    hum = np.sin(2 * np.pi * 50 * np.arange(8000) / 4000).astype(np.float32)
    assert overlap(sketch(TAKES[0]), Sketch(samples=np.zeros(100, np.int8))) == 0
    assert overlap(sketch(TAKES[0]), sketch_of(hum)) < 0.2

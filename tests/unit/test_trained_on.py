import base64
import hashlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serval.errors import ConfigError
from serval.trained_on import SoundRanges, TrainedOn

NAMES = st.text(st.characters(exclude_characters="/.", exclude_categories=["Cs"]), min_size=6)


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


@given(st.lists(NAMES, max_size=50, unique=True))
def test_what_is_written_is_read_again(names):
    written = TrainedOn.of_clips([(f"{n}.wav", sha(n)) for n in names], ["TESS"], ["a: train"])
    again = TrainedOn.parsed(written.metadata())
    assert again.facts() == {"corpora": ["TESS"], "splits": ["a: train"], "n_clips": len(names)}
    assert np.array_equal(again.names, written.names)
    assert np.array_equal(again.audio, written.audio)
    assert all(again.has("other name.wav", sha(name)) for name in names)


def test_a_clip_is_known_by_its_name_in_any_folder_and_format():
    heard = TrainedOn.of_clips([("Actor_01/03-01-05-01-01-01-01.wav", "")], [], [])
    assert heard.has("x/03-01-05-01-01-01-01.FLAC#2", "")
    assert not heard.has("x/03-01-05-01-01-01-02.wav", "")


@pytest.mark.parametrize(
    "name", ["a01.wav", "b/000001.wav", "clip-000003", "train-000003#2", "test1_07.wav", "Audio 12"]
)
def test_a_name_that_every_set_has_says_nothing(name):
    assert not TrainedOn.of_clips([(name, "")], [], []).has(name, "")


def test_strangers_are_not_taken_for_clips_of_the_training():
    rng = np.random.default_rng(0)
    heard = TrainedOn.of_clips([(f"heard {n}.wav", sha(str(n))) for n in range(2_000)], [], [])
    strangers = [f"other {n}" for n in rng.integers(0, 1 << 60, 20_000)]
    assert sum(heard.has(f"{name}.wav", sha(name)) for name in strangers) <= 2


BOMB = base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "7", "null", '{"corpora": "RAVDESS"}', '{"corpora": [7]}'),
        *('{"names": "!"}', '{"names": "AAAA"}', '{"names": 7}', '{"n_clips": "many"}'),
        *("[" * 100_000, f'{{"names": "{BOMB}"}}'),
    ],
)
def test_an_entry_that_cannot_be_read_is_one_line(text):
    with pytest.raises(ConfigError, match=r"trained_on cannot be read"):
        TrainedOn.parsed(text)


def test_sound_ranges_are_read_as_they_were_written():
    ranges = SoundRanges.of_clips("clips of x", [(1, -20, 8000), (2, -30, 4000), (3, -25, 6000)])
    assert ranges.ranges["level_db"][1] == -25.0
    assert SoundRanges.parsed(ranges.metadata()) == ranges


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"of": "x"}', '{"of": "x", "clips": 1, "duration_s": [3, 2, 1]}', "[" * 99999],
)
def test_sound_ranges_that_make_no_sense_are_said_to_be_so(text):
    with pytest.raises(ConfigError, match="sound_ranges cannot be read"):
        SoundRanges.parsed(text)

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from serval.audio import decode
from serval.errors import AudioError
from serval.records import Clip
from serval.stress import kept
from serval.stress.kept import MadeOnce, decoder
from serval.stress.suite import FULL, Draws, perturbed


def test_what_fits_is_made_once_and_the_rest_each_time():
    made = []

    def make(key):
        made.append(key)
        return np.full(10, key, np.int8)

    store = MadeOnce(lambda array: array.nbytes, most_bytes=25)
    for _ in range(3):
        assert [int(store.get(key, lambda key=key: make(key))[0]) for key in (1, 2, 3)] == [1, 2, 3]
    assert made == [1, 2, 3, 3, 3]


def test_threads_that_ask_at_once_do_not_count_a_thing_twice():
    store = MadeOnce(lambda array: array.nbytes, most_bytes=20)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.get(i % 2, lambda: np.zeros(10, np.int8)), range(200)))
    for key in (0, 1):
        store.get(key, lambda: pytest.fail("it was kept before"))


def test_a_clip_is_decoded_once_for_each_rate_and_a_broken_one_each_time(tmp_path, monkeypatch):
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.sin(np.arange(1600, dtype=np.float32)), 16000)
    encoded, calls = path.read_bytes(), []

    def counted(*args, **options):
        calls.append(args)
        return decode(*args, **options)

    monkeypatch.setattr(kept, "decode", counted)
    decoded = decoder()
    first = decoded(encoded, 8000, max_seconds=5.0)
    assert decoded(bytes(bytearray(encoded)), 8000, max_seconds=5.0) is first
    assert np.array_equal(first.samples, decode(encoded, 8000).samples)
    assert decoded(encoded, 16000).sample_rate == 16000
    for _ in range(2):
        with pytest.raises(AudioError, match="not decodable"):
            decoded(b"no sound", 8000)
    assert len(calls) == 4


@pytest.mark.parametrize("kind", ["music", "environment"])
def test_levels_that_share_their_noise_are_what_each_is_alone(kind):
    rng = np.random.default_rng(0)
    clips = {name: rng.normal(0, 0.1, 9000).astype(np.float32) for name in ("one", "two")}
    shared = Draws(3, (), MadeOnce(lambda made: made.nbytes))
    for case in (case for case in FULL if case.kind == kind):
        for name, samples in clips.items():
            clip = Clip(id=name, index=0, label="happy")
            alone = perturbed(case, samples, 16000, clip, Draws(3))
            assert np.array_equal(alone, perturbed(case, samples, 16000, clip, shared)), case.name

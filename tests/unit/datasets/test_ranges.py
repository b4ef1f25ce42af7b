"""Clips read in ranges, as the workers of a cluster read them."""

import random

import numpy as np
import pytest

from build import encoded, voice, write_manifest
from serval.datasets import load_dataset
from serval.datasets.rows import _Ids


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(voice()))
    rows = [{"path": "a.wav", "label": "angry"} for _ in range(40)]
    return load_dataset(str(write_manifest(tmp_path / "set.csv", rows)))


def ids(clips):
    return [(clip.index, clip.id) for clip in clips]


def test_ranges_in_any_order_give_the_ids_of_one_pass(dataset):
    whole = ids(dataset.clips(0, None))
    assert whole[-1] == (39, "a.wav#40")
    for start in (5, 10, 30, 20, 0, 35, 1, *np.random.default_rng(0).integers(0, 38, 30).tolist()):
        assert ids(dataset.clips(start, start + 4)) == whole[start : start + 4]


def test_a_range_that_was_left_early_spoils_nothing(dataset):
    whole = ids(dataset.clips(0, None))
    assert ids(dataset.clips(3, 6)) == whole[3:6]
    next(dataset.clips(8, 20))
    one, two = dataset.clips(10, 14), dataset.clips(12, 16)
    next(one), next(two)
    assert (ids(one), ids(two)) == (whole[11:14], whole[13:16])
    assert ids(dataset.clips(7, 9)) == whole[7:9]


def test_rising_ranges_read_each_name_once(dataset, monkeypatch):
    source = dataset.clips.__self__
    read = []
    rows = type(source.table).rows
    monkeypatch.setattr(type(source.table), "rows", lambda *a: read.append(a[1:3]) or rows(*a))
    for start in range(4, 40, 4):
        list(dataset.clips(start, start + 4))
    assert read == [(0, 4), *((start, start + 4) for start in range(4, 40, 4))]


def test_every_id_is_new_among_thousands_of_repeated_names():
    """More than one size of the table in which names are looked up."""
    rng = random.Random(0)
    names = [f"clip{rng.randrange(2_000)}.wav{rng.choice(['', '#2', '#3'])}" for _ in range(5_000)]
    seen, expected = set(), []
    for name in names:
        clip_id, number = name, 1
        while clip_id in seen:
            number += 1
            clip_id = f"{name}#{number}"
        seen.add(clip_id)
        expected.append(clip_id)
    ids = _Ids(prefix="clip")
    assert [ids.take(name, i) for i, name in enumerate(names)] == expected
    assert ids.take(None, 5_000) == "clip-005000"

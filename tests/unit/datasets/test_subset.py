from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serval.datasets import DatasetOptions, load_dataset
from serval.datasets.load import sampled, stratified


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=120), st.data())
def test_a_sample_has_each_label_s_share(labels, data):
    n = data.draw(st.integers(1, len(labels)))
    chosen = stratified(labels, n, seed=3)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == n
    found, whole = Counter(labels[i] for i in chosen), Counter(labels)
    for label, size in whole.items():
        share = size * n / len(labels)
        assert found[label] <= size
        assert found[label] < share + 1 or found[label] == 1
        assert n < len(whole) or found[label] >= 1


def test_a_seed_gives_the_same_clips_and_another_seed_others():
    labels = ["happy", "sad"] * 50
    assert stratified(labels, 20, seed=1) == stratified(labels, 20, seed=1)
    assert stratified(labels, 20, seed=1) != stratified(labels, 20, seed=2)


def test_an_ordered_set_is_drawn_from_everywhere():
    labels = ["angry"] * 500 + ["sad"] * 500
    positions = np.array(stratified(labels, 100, seed=0))
    assert (positions >= 500).sum() == 50
    assert np.histogram(positions, bins=10, range=(0, 1000))[0].min() > 0


def test_a_sampled_set_says_so_and_keeps_the_clips_names():
    whole = load_dataset("demo", options=DatasetOptions())
    some = sampled(whole, 16, seed=0)
    names = {clip.index: clip.id for clip in whole.metadata(0, None)}
    clips = list(some.clips(0, None))
    assert len(clips) == some.n_clips == 16
    assert {clip.index: clip.id for clip in clips}.items() <= names.items()
    assert Counter(clip.label for clip in clips) == dict.fromkeys({c.label for c in clips}, 2)
    assert "random sample of 16 of the set's 64 clips" in some.caveats[-1]
    assert some.fingerprint != whole.fingerprint


@pytest.mark.parametrize("n", [64, 100])
def test_a_sample_of_all_is_the_set(n):
    whole = load_dataset("demo", options=DatasetOptions())
    assert sampled(whole, n, seed=0) is whole


@pytest.mark.parametrize(("limit", "cut"), [(63, True), (64, False), (65, False)])
def test_a_limit_that_leaves_nothing_out_is_no_cut(limit, cut):
    caveats = load_dataset("demo", options=DatasetOptions(limit=limit)).caveats
    assert any("only the first" in caveat for caveat in caveats) is cut

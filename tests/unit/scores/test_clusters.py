import numpy as np
import pytest

from serval.scores.clusters import (
    FEW_CLUSTERS,
    cluster_tables,
    clustering_of,
    effective_number,
    resampled,
)


def test_clips_of_one_speaker_belong_together():
    clustering = clustering_of(["b", "a", "b"])
    assert clustering.by == "speaker"
    assert clustering.ids.tolist() == [0, 1, 0]
    assert clustering.sizes.tolist() == [2, 1]
    assert len(clustering) == 2


def test_a_clip_without_speaker_counts_alone_and_is_told():
    clustering = clustering_of(["a", None, "b", None])
    assert clustering.ids.tolist() == [0, 1, 2, 3]
    assert "2 clips have no speaker" in clustering.warnings[-1]


def test_one_clip_of_an_unknown_speaker_is_one_clip():
    warning = clustering_of([*"aabbccddee", None]).warnings[-1]
    assert warning == "1 clip has no speaker; each counts as a speaker of its own."


def test_without_speakers_each_clip_counts():
    clustering = clustering_of([None] * 3)
    assert clustering.by == "clip"
    assert "Speakers are not known" in clustering.warnings[0]


def test_one_speaker_says_nothing_about_others():
    clustering = clustering_of(["a", "a"])
    assert clustering.by == "clip"
    assert "one speaker" in clustering.warnings[0]


def test_one_named_speaker_among_unknown_ones_is_not_called_the_only_one():
    (warning,) = clustering_of(["a", *[None] * 30]).warnings
    assert warning.startswith("Speakers are known for 1 of 31 scored clips only")


def test_few_clips_of_unknown_speakers_are_told():
    assert "few clips (5)" in clustering_of([None] * 5).warnings[-1]
    assert len(clustering_of([None] * FEW_CLUSTERS).warnings) == 1
    assert len(clustering_of([]).warnings) == 1


def test_few_speakers_are_told_and_many_are_not():
    assert "4 speakers are few" in clustering_of(list("abcd")).warnings[0]
    assert clustering_of([str(i) for i in range(FEW_CLUSTERS)]).warnings == ()


def test_two_loud_speakers_among_many_count_as_few():
    speakers = ["loud"] * 500 + ["louder"] * 500 + [str(i) for i in range(50)]
    assert "worth 2.2" in clustering_of(speakers).warnings[0]


def test_tables_count_every_cell_of_a_cluster():
    tables = cluster_tables([[0, 3], [1, 3], [0, 2]], 4, clustering_of(["a", "a", "b"]))
    assert tables.tables.toarray().tolist() == [[1, 1, 0, 2], [1, 0, 1, 0]]
    assert tables.times.tolist() == [1, 1]
    assert tables.total.tolist() == [2, 1, 1, 2]


def test_equal_clips_are_stored_once():
    tables = cluster_tables([1, 1, 0, 1], 2, clustering_of([None] * 4))
    assert tables.tables.toarray().tolist() == [[1, 0], [0, 1]]
    assert tables.times.tolist() == [1, 3]


def test_a_draw_has_as_many_clusters_as_there_are():
    clustering = clustering_of([str(i // 2) for i in range(40)])
    draws = resampled(cluster_tables([0, 1] * 20, 2, clustering), 50, np.random.default_rng(0))
    assert draws.shape == (50, 2)
    assert set(draws.sum(axis=1)) == {40.0}


def test_draws_by_clip_vary_as_the_binomial():
    tables = cluster_tables([0] * 30 + [1] * 70, 2, clustering_of([None] * 100))
    draws = resampled(tables, 20_000, np.random.default_rng(0))
    assert draws[:, 0].mean() == pytest.approx(30, abs=0.2)
    assert draws[:, 0].std() == pytest.approx(np.sqrt(100 * 0.3 * 0.7), rel=0.03)


def test_memory_stays_flat_for_many_clusters(monkeypatch):
    monkeypatch.setattr("serval.scores.clusters.DRAWS_AT_ONCE", 10)
    clustering = clustering_of([str(i) for i in range(4)])
    draws = resampled(cluster_tables([0, 0, 1, 1], 2, clustering), 7, np.random.default_rng(0))
    assert draws.shape == (7, 2)


def test_same_seed_same_draws():
    tables = cluster_tables([0, 1, 1], 2, clustering_of([None] * 3))
    a, b = (resampled(tables, 5, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_no_clip_no_draw():
    tables = cluster_tables(np.zeros(0, dtype=int), 4, clustering_of([]))
    assert resampled(tables, 3, np.random.default_rng(0)).tolist() == [[0.0] * 4] * 3
    assert tables.total.tolist() == [0, 0, 0, 0]


def test_equal_clusters_count_fully():
    weights = np.array([[3, 0], [3, 0]])
    assert effective_number(weights, np.array([1, 9])).tolist() == [10.0, 0.0]

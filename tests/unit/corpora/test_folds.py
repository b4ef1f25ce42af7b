"""Folds by rule, and folds that a column of any table names."""

from collections import Counter

import pytest

from build import encoded, voice
from corpus_trees import put
from serval.corpora import FOLDS, corpus_called, folds_by_rule, known_corpora, published_folds
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetNotFoundError

CREMA = corpus_called("CREMA-D")


def crema_clips():
    """Every speaker with two clips of each emotion, some with fewer."""
    for i, (speaker, sex) in enumerate(CREMA.genders.items()):
        for emotion in CREMA.emotions:
            for _ in range(1 + (i + len(emotion)) % 2):
                yield speaker, (emotion, sex)


def test_every_speaker_is_in_one_fold_and_emotions_and_sexes_are_balanced():
    clips = list(crema_clips())
    folds = folds_by_rule(clips)
    assert folds.keys() == CREMA.genders.keys()
    assert set(folds.values()) == {str(n) for n in range(1, FOLDS + 1)}
    for feature in (*CREMA.emotions, "female", "male"):
        counts = Counter(folds[s] for s, features in clips if feature in features)
        assert max(counts.values()) <= 1.1 * min(counts.values()), (feature, counts)


def test_the_order_of_the_clips_does_not_matter():
    clips = list(crema_clips())
    assert folds_by_rule(clips) == folds_by_rule(reversed(clips))


@pytest.mark.parametrize(("n", "folds"), [(0, 0), (1, 0), (2, 2), (4, 4), (10, 5)])
def test_there_are_no_more_folds_than_speakers(n, folds):
    clips = [(f"s{i}", ("sad", "male")) for i in range(n)]
    assert len(set(folds_by_rule(clips).values())) == folds


def test_ten_speakers_of_two_sexes_give_one_of_each_to_every_fold():
    emodb = corpus_called("EmoDB")
    folds = folds_by_rule((s, (e, sex)) for s, sex in emodb.genders.items() for e in emodb.emotions)
    pairs = Counter((fold, emodb.genders[speaker]) for speaker, fold in folds.items())
    assert pairs == {(str(n), sex): 1 for n in range(1, 6) for sex in ("female", "male")}


def test_published_folds_name_each_speaker_once():
    assert published_folds(corpus_called("TESS")) == {"TESS_OAF": "1", "TESS_YAF": "2"}
    published = [corpus for corpus in known_corpora() if corpus.folds]
    assert len(published) == 9
    for corpus in published:
        assert len(published_folds(corpus)) == corpus.speakers


@pytest.fixture
def table(tmp_path):
    rows = []
    for i, fold in enumerate(("1", "1", "2", "3", "")):
        put(tmp_path / f"{i}.wav", encoded(voice(i, 0.1)))
        rows.append(f"{i}.wav,sad,{fold}")
    put(tmp_path / "set.csv", "\n".join(["path,label,fold", *rows]).encode())
    return tmp_path / "set.csv"


@pytest.mark.parametrize(
    ("split", "ids"),
    [("fold1.test", "01"), ("fold1.train", "23"), ("fold3.test", "3"), ("folds", "0123"),
     (None, "01234")],
)  # fmt: skip
def test_a_column_fold_of_any_table_chooses_rows(table, split, ids):
    dataset = load_dataset(str(table), options=DatasetOptions(split=split))
    clips = list(dataset.metadata(0, None))
    assert [clip.id for clip in clips] == [f"{i}.wav" for i in ids]
    assert dataset.split == (split or "")
    assert [clip.groups.get("fold") for clip in clips if clip.id == "2.wav"] in ([], ["2"])
    assert [part.n for part in dataset.left_out] == ([1] if split else [])


@pytest.mark.parametrize("split", ["fold4.test", "fold1.dev", "test"])
def test_a_fold_that_is_not_there_is_told_with_those_that_are(table, split):
    with pytest.raises(DatasetNotFoundError, match=f"no split '{split}'; it has: folds, fold1"):
        load_dataset(str(table), options=DatasetOptions(split=split))

"""Each known corpus as it lies on disk: labels, speakers, sexes, folds, and what is left out."""

from collections import Counter

import pytest

from corpus_trees import TREES
from serval.corpora import known_corpora
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetNotFoundError

CORPORA = {corpus.name: corpus for corpus in known_corpora() if not corpus.location}


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of each tree, in one that is called `data`, so that no name helps."""
    root = tmp_path_factory.mktemp("trees")
    return {
        name: tree.write(root / f"set{i}" / "data") for i, (name, tree) in enumerate(TREES.items())
    }


def test_every_corpus_has_a_tree():
    assert CORPORA.keys() == TREES.keys()


def parts(name, tree):
    """The whole set, or every split of one with official splits."""
    if not CORPORA[name].official:
        return [load(tree)]
    with pytest.raises(DatasetNotFoundError, match="it has: ") as error:
        load(tree, split="none")
    return [
        load(tree, split=split) for split in str(error.value).partition("it has: ")[2].split(", ")
    ]


@pytest.mark.parametrize("name", TREES)
def test_labels_speakers_and_sexes(name, written):
    tree, datasets = TREES[name], parts(name, written[name])
    clips = {clip.id: clip for dataset in datasets for clip in dataset.metadata(0, None)}
    assert {
        path: (clip.label, clip.speaker, clip.groups.get("gender")) for path, clip in clips.items()
    } == {
        path: (label, speaker and f"{name}_{speaker}", gender)
        for path, (label, speaker, gender, _) in tree.clips.items()
    }
    for path, columns in tree.columns.items():
        assert clips[path].groups.items() >= columns.items()


@pytest.mark.parametrize("name", TREES)
def test_what_was_read_and_what_is_left_out_is_counted(name, written):
    tree = TREES[name]
    n_speakers = len({speaker for _, speaker, _, _ in tree.clips.values()} - {None})
    whole = f" of {CORPORA[name].clips:,}" if CORPORA[name].clips else ""
    for dataset in parts(name, written[name]):
        said = f"read as {name}: {len(tree.clips)}{whole} clips, {n_speakers} speakers"
        assert (dataset.corpus, dataset.read_as) == (name, said)
        assert {part.kind: part.n for part in dataset.left_out} == Counter(tree.others.values())


@pytest.mark.parametrize("name", [name for name in TREES if not CORPORA[name].official])
def test_folds_keep_speakers_apart(name, written):
    tree, whole = TREES[name], load(written[name], split="folds")
    fold_of = {clip.id: clip.groups["fold"] for clip in whole.metadata(0, None)}
    assert fold_of.keys() == tree.clips.keys()
    assert all(fold in ("?", fold_of[path]) for path, (*_, fold) in tree.clips.items())
    folds = set(fold_of.values())
    assert len(folds) > 1
    for fold in folds:
        test, train = (
            load(written[name], split=f"fold{fold}.{part}") for part in ("test", "train")
        )
        assert {clip.id for clip in test.metadata(0, None)} == {
            path for path, of in fold_of.items() if of == fold
        }
        heard, known = ({clip.speaker for clip in part.metadata(0, None)} for part in (test, train))
        assert not heard & known
        assert test.n_clips + train.n_clips == whole.n_clips

"""Whether speakers of the part that is read are in its train part too, wherever that stands."""

import pytest

from build import encoded, voice
from serval.datasets import DatasetOptions, load_dataset

SOUND = encoded(voice(seconds=0.05))


def caveats(path, split):
    return load_dataset(str(path), options=DatasetOptions(split=split)).caveats


def sentence(n, of):
    told = f"{n} of {of} speakers of the whole split also occur in train: the score says "
    return (told + f"{'nothing' if n == of else 'too little'} about new speakers",)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "a.wav").write_bytes(SOUND)

    def write(column, *rows):
        text = "".join(f"a.wav,sad,{speaker},{part}\n" for speaker, part in rows)
        path = tmp_path / "set.csv"
        path.write_text(f"path,label,speaker,{column}\n{text}", "utf-8")
        return path

    return write


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN"])
def test_a_train_split_goes_by_each_of_its_names(table, train):
    path = table("split", ("a", train), ("b", train), ("b", "dev"), ("c", "dev"), ("", "dev"))
    assert caveats(path, "dev") == sentence(1, 2)
    assert caveats(path, train) == ()


def test_the_train_part_of_a_fold_is_the_other_folds(table):
    path = table("fold", ("a", 1), ("b", 1), ("b", 2), ("c", 3), ("a", ""))
    assert caveats(path, "fold1.test") == sentence(1, 2)
    assert caveats(path, "fold2.test") == sentence(1, 1)
    assert caveats(path, "folds") == sentence(1, 3)
    assert [caveats(path, part) for part in ("fold3.test", "fold1.train")] == [(), ()]


def test_a_column_of_a_folder_is_looked_at_as_that_of_a_file(table, tmp_path):
    table("split", ("a", "training"), ("a", "dev")).rename(tmp_path / "metadata.csv")
    (tmp_path / "metadata.csv").write_text(
        (tmp_path / "metadata.csv").read_text("utf-8").replace("path", "file_name"), "utf-8"
    )
    assert caveats(tmp_path, "dev") == sentence(1, 1)


def test_a_corpus_in_folders_named_after_splits_says_so(tmp_path):
    for split, statement in (("training", 1), ("validation", 2)):
        folder = tmp_path / split / "Actor_01"
        folder.mkdir(parents=True)
        for emotion in ("03", "04", "05"):
            (folder / f"03-01-{emotion}-01-0{statement}-01-01.wav").write_bytes(SOUND)
    assert sentence(1, 1)[0] in caveats(tmp_path, "validation")

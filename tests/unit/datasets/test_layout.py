"""Which files make up which split, from their names and the set's card alone."""

import pytest

from serval.datasets.card import card_of
from serval.datasets.layout import choose_split, layout_of
from serval.errors import DatasetError, DatasetNotFoundError


def splits(files, card="", config=None):
    layout = layout_of(sorted(files), card_of(card, config, "set"), "set")
    return {name: list(found) for name, found in layout.splits.items()}


def card(text):
    return f"---\n{text}---\n"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["sad/the train leaves.wav", "sad/eval x.wav", "happy/test.wav"], [""]),
        (["sad/a.wav", "happy/validation-1.wav"], [""]),
        (["latest/a.wav", "contest/b.wav"], [""]),
        (["train/sad/a.wav", "custom/sad/b.wav"], ["custom", "train"]),
        (["Train/sad/a.wav", "DEV/sad/b.wav"], ["DEV", "Train"]),
        (["data/train/a.wav", "data/test/b.wav", "samples/c.wav"], ["test", "train"]),
        (["corpus/v2/train/a.wav", "corpus/v2/test/b.wav"], ["test", "train"]),
        (["train.csv", "test.csv", "clips/a.wav"], ["test", "train"]),
        (["train.csv", "extra.csv"], ["extra", "train"]),
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], ["train"]),
        (["part-00000-of-00001.parquet", "x.wav"], ["part"]),
        (
            ["default/train/0000.parquet", "default/validation/0000.parquet"],
            ["train", "validation"],
        ),
        (["0000.parquet", "0001.parquet"], [""]),
        (["ravdess_train.parquet", "ravdess_test.parquet"], ["ravdess_test", "ravdess_train"]),
        (["train/a.wav", "train.csv", "info.csv", "test/b.wav"], ["test", "train"]),
    ],
)
def test_only_whole_names_of_folders_and_tables_make_splits(files, names):
    found = splits(files)
    assert list(found) == names
    in_splits = [file for several in found.values() for file in several]
    assert len(in_splits) == len(set(in_splits))
    assert names != [""] or in_splits == sorted(files)


def test_folders_named_after_splits_in_several_places_are_not_read_as_one_set():
    files = ["en/train/a.wav", "en/test/b.wav", "de/train/c.wav"]
    with pytest.raises(DatasetError, match="in more than one place: de, en; give one of those"):
        splits(files)


def test_the_card_says_which_files_are_which_split():
    text = card(
        "configs:\n- config_name: default\n  data_files:\n"
        "  - {split: dev, path: [b.csv, 'sub/*.csv']}\n  - {split: train, path: 'deep/**'}\n"
        "  - {split: gone, path: nowhere/*}\n"
    )
    files = ["a.csv", "b.csv", "sub/c.csv", "sub/x/d.csv", "deep/x/e.csv", "[b].csv"]
    assert splits(files, text) == {
        "dev": ["b.csv", "sub/c.csv"],
        "train": ["deep/x/e.csv"],
        "gone": [],
    }


def test_a_configuration_is_named_default_or_the_only_one():
    two = card(
        "configs:\n- {config_name: en, data_files: en/*}\n"
        "- {config_name: de, data_files: 'de/**', default: true}\n"
    )
    files = ["en/a.csv", "de/b.csv"]
    assert splits(files, two) == {"train": ["de/b.csv"]}
    assert splits(files, two, "en") == {"train": ["en/a.csv"]}
    assert splits(files, config="en") == {"": ["en/a.csv"]}
    with pytest.raises(DatasetNotFoundError, match="no configuration 'fr'; it has: en, de"):
        splits(files, two, "fr")
    with pytest.raises(DatasetNotFoundError, match="there is no configuration 'fr'"):
        splits(files, config="fr")
    with pytest.raises(DatasetNotFoundError, match="several configurations: en, de; give the fold"):
        splits(files, two.replace(", default: true", ""))


def test_the_folder_of_a_configuration_is_looked_into():
    text = card("configs:\n- {config_name: en, data_dir: en}\n")
    files = ["en/train/a.wav", "en/test/b.wav", "de/train/c.wav"]
    assert splits(files, text) == {"test": ["en/test/b.wav"], "train": ["en/train/a.wav"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("license: [mit\n", "YAML at the head of its README.md cannot be read: .*; mend it"),
        ("a: " + "[" * 3000 + "\n", "cannot be read: .*; mend it"),
        ("configs:\n- data_files: 3\n", "`data_files` that name no path for a split; write"),
        (f"configs:\n- data_files: '{'**/' * 20}x'\n", "too many stars"),
        (
            "a: &a {k: v}\n"
            + "".join(
                f"{new}: &{new} {{<<: [{', '.join(f'*{old}' for _ in range(9))}]}}\n"
                for old, new in zip("abcdefghi", "bcdefghij", strict=True)
            ),
            "aliases repeat too much",
        ),
        ("a: &a [*a]\n", "aliases repeat too much"),
    ],
)
def test_a_card_that_cannot_be_read_is_one_line(text, message):
    with pytest.raises(DatasetError, match=message) as caught:
        splits(["a.csv"], card(text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "no card", "---\nno end\n", "---\n- a list\n---\n", "---\n---\n"]
)
def test_what_is_no_card_says_nothing(text):
    assert card_of(text, None, "set").licence == "not stated"


def test_the_split_that_was_asked_for_is_that_one_or_none():
    assert choose_split(["train", "Dev"], None, "set") == "Dev"
    assert choose_split(["train"], None, "set") == "train"
    for asked in ("dev", "validation", "Train"):
        with pytest.raises(DatasetNotFoundError, match=f"no split '{asked}'; it has: train, Dev"):
            choose_split(["train", "Dev"], asked, "set")
    with pytest.raises(DatasetNotFoundError, match="choose one with --split: custom, train"):
        choose_split(["custom", "train"], None, "set")

"""Local folders, well made and otherwise."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from build import encoded, voice
from contract.sets import (
    ROWS,
    audio_folder,
    csv_text,
    parquet_bytes,
    ssi_files,
    write_files,
    write_sounds,
)
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetError, DatasetNotFoundError


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def test_the_name_of_a_folder_is_the_label_of_what_lies_in_it(tmp_path):
    for name in ("angry/a.wav", "angry/b.wav", "sad/a.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(voice(seconds=0.1)))
    dataset = load(tmp_path)
    assert [(clip.id, clip.label) for clip in dataset.clips(0, None)] == [
        ("angry/a.wav", "angry"),
        ("angry/b.wav", "angry"),
        ("sad/a.wav", "sad"),
    ]
    assert (dataset.split, dataset.n_clips, dataset.licence) == ("", 3, "not stated")


def test_audio_without_labels_is_refused_with_three_remedies(tmp_path):
    write_sounds(tmp_path)
    with pytest.raises(DatasetError, match=r"metadata\.csv .* one folder for each label, or give"):
        load(tmp_path)


def test_audio_that_no_row_names_is_counted(tmp_path):
    write_sounds(tmp_path)
    (tmp_path / "metadata.csv").write_text(csv_text(ROWS[:5], "file_name"))
    dataset = load(tmp_path)
    assert dataset.n_clips == 5
    (part,) = dataset.left_out
    assert (part.n, part.reason) == (3, "named by no row")
    assert part.examples == ("clip5.flac", "clip6.ogg", "clip7.aiff")


def test_a_folder_says_whose_voices_its_train_split_shares(tmp_path):
    dataset = load(write_files(tmp_path, ssi_files()))
    assert dataset.caveats == (
        (
            "1 of 3 speakers of the whole split also occur in train: "
            "the score says too little about new speakers"
        ),
    )
    assert dataset.licence == "cc-by-4.0"
    assert load(tmp_path, split="train").caveats == ()


def test_speakers_that_are_all_shared_say_nothing_about_new_ones(tmp_path):
    files = {"data/train.parquet": parquet_bytes(), "data/validation.parquet": parquet_bytes()}
    (caveat,) = load(write_files(tmp_path, files)).caveats
    assert caveat.startswith(
        "3 of 3 speakers of the whole split also occur in train: the score says no"
    )


def test_a_train_split_of_another_shape_is_no_hindrance(tmp_path):
    files = {
        "data/train.parquet": parquet_bytes(emotion=None),
        "data/validation.parquet": parquet_bytes(),
    }
    dataset = load(write_files(tmp_path, files))
    assert (dataset.n_clips, dataset.caveats) == (8, ())


def test_a_row_must_not_lead_out_of_the_folder(tmp_path):
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    folder = tmp_path / "set"
    write_sounds(folder)
    (folder / "metadata.csv").write_text("file_name,label\n../secret.wav,sad\n")
    with pytest.raises(DatasetError, match=r"secret\.wav, which is outside of its own folder"):
        load(folder)


def test_class_names_may_stand_in_the_card_alone(tmp_path):
    card = """---
license: [mit, cc0-1.0]
dataset_info:
  features:
  - name: audio
    dtype: audio
  - name: label
    dtype:
      class_label:
        names:
          '1': sad
          '0': angry
---
"""
    table = parquet_bytes(ROWS[:2], audio="audio", emotion=None, label=[1, 0])
    files = {"README.md": card.encode(), "data/test.parquet": table}
    dataset = load(write_files(tmp_path, files))
    assert [clip.label for clip in dataset.clips(0, None)] == ["sad", "angry"]
    assert (dataset.split, dataset.licence) == ("test", "mit, cc0-1.0")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"README.md": b"nothing"},
            "has no files that make a dataset: parquet files, manifests, or aud",
        ),
        ({"data/set.tar": b"x"}, r"is stored as \.tar, which is not read here; it needs parquet"),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, files, message):
    with pytest.raises(DatasetError, match=message):
        load(write_files(tmp_path, files))


def test_a_later_file_that_lacks_a_column_is_named(tmp_path):
    files = {
        "data/test-00000-of-00002.parquet": parquet_bytes(ROWS[:2]),
        "data/test-00001-of-00002.parquet": parquet_bytes(ROWS[2:], gender=None),
    }
    dataset = load(write_files(tmp_path, files))
    with pytest.raises(DatasetNotFoundError, match=r"00001-of-00002\.parquet has no column 'gend"):
        list(dataset.metadata(0, None))


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(audio_folder(tmp_path / "clips"))
    assert load_dataset(".").name == "clips"
    assert load_dataset("validation/..").name == "clips"


@pytest.mark.parametrize("form", ["metadata.csv", "all.parquet"])
def test_a_column_split_in_a_folder_chooses_the_rows(tmp_path, form):
    splits = ["train", "test", "train", "test"]
    if form == "metadata.csv":
        rows = [f"{i}.wav,sad,{split}" for i, split in enumerate(splits)]
        (tmp_path / form).write_text("\n".join(["file_name,label,split", *rows]))
        for i in range(5):
            (tmp_path / f"{i}.wav").write_bytes(encoded(voice(i, 0.1)))
    else:
        audio = [{"bytes": encoded(voice(i, 0.1)), "path": f"{i}.wav"} for i in range(4)]
        table = pa.table({"audio": audio, "label": ["sad"] * 4, "split": splits})
        pq.write_table(table, tmp_path / form)
    with pytest.raises(DatasetNotFoundError, match=r"choose one with --split: train, test"):
        load(tmp_path)
    dataset = load(tmp_path, split="test")
    assert [clip.id for clip in dataset.clips(0, None)] == ["1.wav", "3.wav"]
    assert [clip.id for clip in dataset.clips(1, 2)] == ["3.wav"]
    assert (dataset.split, dataset.n_clips) == ("test", 2)
    named_by_no_row = 1 if form == "metadata.csv" else 0
    assert sum(part.n for part in dataset.left_out) == named_by_no_row


def test_a_single_folder_is_a_label_if_an_emotion_is_called_so(tmp_path):
    write_sounds(tmp_path / "one" / "Anger", ROWS[:2])
    assert [clip.label for clip in load(tmp_path / "one").metadata(0, None)] == ["Anger"] * 2
    write_sounds(tmp_path / "two" / "wavs", ROWS[:2])
    with pytest.raises(DatasetError, match=r"labels them \(one folder, 'wavs', tells no clips ap"):
        load(tmp_path / "two")


def test_a_card_that_names_files_which_are_not_there_says_so(tmp_path):
    (tmp_path / "a.csv").write_text("path,label\na.wav,sad\n", encoding="utf-8")
    text = "---\nconfigs:\n- data_files:\n  - {split: train, path: no/*}\n---\n"
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    with pytest.raises(
        DatasetError, match=r"its README.md names no/\* for split 'train', which is"
    ):
        load_dataset(str(tmp_path))

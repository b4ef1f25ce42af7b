"""Every audio file of a folder is a clip, failed, or counted by reason."""

import contextlib
import os
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build import encoded, voice
from contract.sets import parquet_bytes, write_files
from serval.audio import ffmpeg
from serval.datasets import DatasetOptions, load_dataset
from serval.datasets.layout import is_audio
from serval.errors import ConfigError, DatasetError, LabelError
from serval.evaluation import evaluate_named
from serval.options import EvalOptions


@pytest.fixture
def without_av(monkeypatch):
    """As where the extra is not installed."""
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def write(root, *names):
    return write_files(root, dict.fromkeys(names, b"RIFF"))


def ids(dataset):
    return sorted(clip.id for clip in dataset.metadata(0, None))


def left_out(dataset):
    return {part.reason.partition(" (")[0]: part.n for part in dataset.left_out}


LABELLED = ("sad/a.wav", "happy/b.WAV")


def test_label_folders_behind_links_are_read_and_circles_have_an_end(tmp_path):
    root = write(tmp_path / "set", *LABELLED)
    other = write(tmp_path / "disk", "angry/c.wav", "one.wav")
    (root / "angry").symlink_to(other / "angry")
    (root / "sad" / "up").symlink_to(root)
    (root / "sad" / "linked.wav").symlink_to(other / "one.wav")
    (root / "sad" / "gone.wav").symlink_to(other / "nothing.wav")
    dataset = load(root)
    assert ids(dataset) == ["angry/c.wav", "happy/b.WAV", "sad/a.wav", "sad/gone.wav",
                            "sad/linked.wav"]  # fmt: skip
    assert left_out(dataset) == {}


def test_folders_that_link_to_each_other_have_an_end(tmp_path):
    names = "abcdef"
    write(tmp_path, *(f"{name}/x.wav" for name in names))
    for name in names:
        for other in names:
            if other != name:
                (tmp_path / name / other).symlink_to(tmp_path / other)
    dataset = load(tmp_path)
    assert len(ids(dataset)) == sum(1 for _ in ids(dataset)) >= len(names)
    assert left_out(dataset)["behind more than 4 links"] > 0


def test_hidden_files_and_what_macos_leaves_are_counted_and_named(tmp_path):
    write(tmp_path, *LABELLED, "__angry/c.wav", "sad/._a.wav", "__MACOSX/sad/a.wav", ".calm/d.wav")
    write(tmp_path, "sad/.DS_Store", "notes.txt", "sad/a.TextGrid")
    dataset = load(tmp_path)
    assert ids(dataset) == ["__angry/c.wav", "happy/b.WAV", "sad/a.wav"]
    (part,) = dataset.left_out
    assert part.n == 3
    assert part.examples == (".calm/d.wav", "__MACOSX/sad/a.wav", "sad/._a.wav")


@pytest.mark.parametrize("kind", ["m4a", "MP4", "webm", "wma", "amr", "aac", "mkv", "3gp", "m4b"])
@pytest.mark.usefixtures("without_av")
def test_a_kind_that_is_not_decoded_is_counted(tmp_path, kind):
    dataset = load(write(tmp_path, *LABELLED, f"sad/c.{kind}"))
    assert left_out(dataset) == {"of a kind that is not decoded": 1}


def test_a_kind_is_a_clip_where_something_decodes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: True)
    dataset = load(write(tmp_path, *LABELLED, "sad/c.m4a"))
    assert "sad/c.m4a" in ids(dataset)
    assert dataset.left_out == ()


@pytest.mark.usefixtures("without_av")
def test_nothing_but_such_kinds_is_refused_with_the_remedy(tmp_path):
    write(tmp_path, "sad/a.m4a", "happy/b.m4a")
    with pytest.raises(DatasetError, match=r"none of a kind that is decoded \(\.m4a\); convert"):
        load(tmp_path)


def test_a_path_is_never_a_pattern(tmp_path):
    write(tmp_path / "run 2", "sad/other.wav", "happy/other.wav")
    write(tmp_path / "run [2]", "sad/a*.wav", "happy/[b].wav")
    assert ids(load(tmp_path / "run [2]")) == ["happy/[b].wav", "sad/a*.wav"]
    write_files(tmp_path / "run [3]", {"data/test-00000-of-00001.parquet": parquet_bytes()})
    write_files(tmp_path / "run 3", {"data/test-00000-of-00001.parquet": b"another"})
    assert load(tmp_path / "run [3]").n_clips == 8


def test_metadata_that_names_two_files_of_many_says_how_many_it_does_not(tmp_path):
    write(tmp_path, *(f"{i}.wav" for i in range(20)))
    (tmp_path / "metadata.csv").write_text("file_name,label\n1.wav,sad\n2.wav,happy\nx.wav,sad\n")
    dataset = load(tmp_path)
    assert ids(dataset) == ["1.wav", "2.wav", "x.wav"]
    assert left_out(dataset) == {"named by no row": 18}
    assert left_out(load(tmp_path, limit=1)) == {"named by no row": 18}


def test_one_list_for_all_splits_keeps_rows_of_missing_files_and_counts_rows_of_no_split(tmp_path):
    write(tmp_path, "dev/a.wav", "dev/b.wav", "train/c.wav", "d.wav")
    rows = "dev/a.wav,sad\ndev/gone.wav,sad\ntrain/c.wav,sad\nd.wav,sad\nelse/x.wav,sad\n"
    (tmp_path / "metadata.csv").write_text(f"file_name,label\n{rows}")
    dataset = load(tmp_path)
    assert ids(dataset) == ["dev/a.wav", "dev/gone.wav"]
    assert left_out(dataset) == {
        "named by no row": 1,
        "in the folder of no split": 1,
        "named by a row, but in no split": 2,
    }


def test_files_that_the_table_of_another_split_names_are_not_lost(tmp_path):
    write(tmp_path, *(f"clips/{i}.wav" for i in range(4)))
    (tmp_path / "validation.csv").write_text("path,label\nclips/0.wav,sad\n")
    (tmp_path / "train.csv").write_text("path,label\nclips/1.wav,sad\n")
    (tmp_path / "test.csv").write_text("path\nclips/2.wav\n")
    dataset = load(tmp_path)
    assert (dataset.split, ids(dataset)) == ("validation", ["clips/0.wav"])
    assert left_out(dataset) == {"named by no row": 1}


def test_a_file_beside_the_label_folders_of_a_split_has_no_label(tmp_path):
    write(tmp_path, "train/sad/a.wav", "train/happy/b.wav", "train/c.wav")
    labels = {clip.id: clip.label for clip in load(tmp_path).metadata(0, None)}
    assert labels == {"train/sad/a.wav": "sad", "train/happy/b.wav": "happy", "train/c.wav": ""}


def test_parts_of_a_split_that_are_missing_are_counted_by_the_size_of_the_others(tmp_path):
    files = {f"data/test-0000{i}-of-00004.parquet": parquet_bytes() for i in (0, 1, 3)}
    (part,) = load(write_files(tmp_path, files)).left_out
    assert (part.n, part.examples) == (8, ("data/test-00002-of-00004.parquet",))


def test_parquet_beside_audio_and_audio_beside_parquet_are_counted(tmp_path):
    files = {"clips.parquet": parquet_bytes()}
    write_files(tmp_path / "a", files | {"samples/a.wav": b"RIFF"})
    assert load(tmp_path / "a").n_clips == 8
    assert left_out(load(tmp_path / "a")) == {"beside parquet files, which hold their own audio": 1}
    write(write_files(tmp_path / "b", files), *LABELLED)
    assert load(tmp_path / "b").n_clips == 2
    assert left_out(load(tmp_path / "b")) == {"in parquet beside audio files": 1}


def test_two_forms_of_metadata_are_not_read_as_one(tmp_path):
    write(tmp_path, "a.wav")
    (tmp_path / "metadata.csv").write_text("file_name,label\na.wav,sad\n")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.wav", "label": "happy"}\n')
    with pytest.raises(
        DatasetError, match=r"metadata\.csv and metadata\.jsonl, which say the same"
    ):
        load(tmp_path)


@pytest.mark.parametrize(("on_disk", "in_row"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_may_be_written_in_two_ways(tmp_path, on_disk, in_row):
    write(tmp_path, unicodedata.normalize(on_disk, "glücklich.wav"))
    row = unicodedata.normalize(in_row, "glücklich.wav,happy")
    (tmp_path / "metadata.csv").write_text(f"file_name,label\n{row}\n", encoding="utf-8")
    dataset = load(tmp_path)
    assert [clip.audio.read_bytes() for clip in dataset.clips(0, None)] == [b"RIFF"]
    assert dataset.left_out == ()


def test_a_pipe_is_no_file_and_nothing_waits_for_it(tmp_path):
    write(tmp_path, *LABELLED)
    for name in ("metadata.csv", "sad/pipe.wav", "README.md"):
        os.mkfifo(tmp_path / name)
    assert ids(load(tmp_path)) == ["happy/b.WAV", "sad/a.wav"]


@pytest.mark.usefixtures("without_av")
def test_more_than_a_hundredth_left_out_stops_before_the_first_clip(model_file, tmp_path):
    folder = tmp_path / "set"
    for number, label in enumerate(("angry", "sad") * 4):
        write_files(folder, {f"{label}/{number}.wav": encoded(voice(number))})
    write(folder, "sad/a.m4a")
    asked = {"model": str(model_file), "dataset": str(folder), "output": str(tmp_path / "o")}
    with pytest.raises(DatasetError, match=r"1 of 9 would be left out: 1 of a kind .* sad/a\.m4a;"):
        evaluate_named(EvalOptions(**asked))
    assert not (tmp_path / "o").exists()
    # One of nine is as much of the set whatever the limit.
    done = evaluate_named(EvalOptions(**asked, max_left_out=0.12, limit=2))
    (part,) = done.document["left_out"]
    assert (len(done.run), part["n"], part["examples"]) == (2, 1, ["sad/a.m4a"])
    assert "1 left out: of a kind that is not decoded" in done.files["summary"].read_text("utf-8")


FOLDERS = st.sampled_from(
    ["", "sad", "happy", "train", "dev", "custom", "data", "data/train", "train/sad", "dev/happy",
     "dev/sad", ".sad", "__MACOSX", "__sad", "run [2]", "a b"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["a.wav", "the train leaves.wav", "eval x.FLAC", "._a.wav", "c.m4a", "d.txt", "e*.mp3",
     "[f].ogg", "dev.wav", "g.webm"]
)  # fmt: skip
TREES = st.lists(st.tuples(FOLDERS, NAMES), max_size=14)
LISTS = st.lists(st.tuples(FOLDERS, st.sampled_from(["a.wav", "c.m4a", "gone.wav"])), max_size=4)
LABELLED_IN = st.sampled_from(["", "train/", "dev/", "data/train/", "custom/"])


def sounds_there(root, others):
    """The audio files below a folder that are not in the folder of another split."""
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            file = Path(folder, name).relative_to(root)
            if is_audio(name) and not any(file.is_relative_to(other) for other in others):
                yield file.as_posix()


def test_clips_and_what_is_left_out_are_all_that_is_there():
    read = []

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(tree=TREES, listed=st.one_of(st.none(), LISTS), link=st.booleans(), inside=LABELLED_IN)
    def all_is_accounted_for(tree, listed, link, inside):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "set")
            write(root, *(f"{inside}{name}" for name in LABELLED))
            write(root, *(f"{folder}/{name}".lstrip("/") for folder, name in tree))
            if link:
                write(root.parent, "elsewhere/l.wav")
                (root / "linked").symlink_to(root.parent / "elsewhere")
            if listed is not None:
                names = [*(f"{folder}/{name}".lstrip("/") for folder, name in listed)]
                rows = "".join(f"{name},sad\n" for name in [f"{inside}{LABELLED[0]}", *names])
                (root / "metadata.csv").write_text(f"file_name,label\n{rows}")
            for split in (None, "train", "dev", "custom", "data", "linked"):
                with contextlib.suppress(DatasetError):
                    account(root, load(root, split=split))
                    read.append(split)

    all_is_accounted_for()
    assert len(read) > 100, "a reader that refuses every set accounts for all of them"
    assert {None, "train", "dev"} <= set(read)


def account(root, dataset):
    there = set(sounds_there(root, other_splits(root, dataset.split)))
    clips = set(ids(dataset))
    files = [part for part in dataset.left_out if not part.reason.startswith("named by a row")]
    assert len(clips & there) + sum(part.n for part in files) == len(there), dataset.left_out


def other_splits(root, split):
    """The folders beside that of the split, relative to the root."""
    if not split:
        return []
    own = next(path for path in (root / split, root / "data" / split) if path.is_dir())
    beside = [path for path in own.parent.iterdir() if path.is_dir() and path != own]
    return [path.relative_to(root) for path in beside if any(visible(path, root))]


def visible(folder, root):
    for path in folder.rglob("*"):
        parts = path.relative_to(root).parts
        if is_audio(path.name) and not any(p.startswith((".", "__MACOSX")) for p in parts):
            yield path


def test_results_that_lie_in_the_set_are_no_part_of_it(model_file, tmp_path):
    for number, label in enumerate(("angry", "sad") * 4):
        write_files(tmp_path, {f"{label}/{number}.wav": encoded(voice(number))})
    asked = {"model": str(model_file), "dataset": str(tmp_path), "plots": False}
    first = evaluate_named(EvalOptions(**asked, output=str(tmp_path / "evaluation_results")))
    again = evaluate_named(EvalOptions(**asked, output=str(tmp_path / "evaluation_results")))
    assert len(first.run) == len(again.run) == 8
    assert again.reused
    assert again.document["left_out"] == []


def test_labels_that_are_names_of_folders_are_said_to_be(model_file, tmp_path):
    for number in range(4):
        write_files(tmp_path, {f"Actor_0{number}/{number}.wav": encoded(voice(number))})
    options = EvalOptions(model=str(model_file), dataset=str(tmp_path), output=str(tmp_path / "o"))
    with pytest.raises(LabelError, match=r"names of the folders .* metadata\.csv"):
        evaluate_named(options)


def test_a_dataset_without_a_name_is_not_the_folder_that_one_stands_in():
    with pytest.raises(ConfigError, match="the dataset has no name; known: demo"):
        load("")


@pytest.mark.parametrize("empty", ["validation", "validation/angry", "Dev/sad", "data/test"])
def test_an_empty_split_beside_others_is_not_passed_over(tmp_path, empty):
    above = "data/" if empty.startswith("data/") else ""
    write(tmp_path, f"{above}train/sad/a.wav", f"{above}train/angry/b.wav")
    (tmp_path / empty).mkdir(parents=True)
    name = empty.removeprefix("data/").partition("/")[0]
    if name == "test":
        with pytest.raises(DatasetError, match=r"no validation split; choose one .* train, test"):
            load(tmp_path)
    else:
        with pytest.raises(
            DatasetError, match=f"split '{name}' has no clips in it; fill it, or ch"
        ):
            load(tmp_path)
    assert load(tmp_path, split="train").n_clips == 2


def test_an_empty_split_beside_label_folders_is_nothing(tmp_path):
    write(tmp_path, *LABELLED)
    (tmp_path / "validation").mkdir()
    assert load(tmp_path).n_clips == 2


@pytest.mark.parametrize(
    "name", ["sad/c", "sad/c.wav.bak", "sad/c.wav.1", "other/c.wav_", "c.WAV~"]
)
def test_audio_that_is_not_named_as_such_is_counted(tmp_path, name):
    write(tmp_path, *LABELLED)
    others = {"sad/notes": b"RIFF of text", "sad/c.bin": b"\0" * 64}
    write_files(tmp_path, {name: encoded(voice(seconds=0.1)), **others})
    dataset = load(tmp_path)
    (part,) = dataset.left_out
    assert (part.n, part.examples, part.expected) == (1, (name,), False)
    assert part.reason.startswith("audio that is not named as such")


@pytest.mark.parametrize("form", ["FLAC", "OGG", "AIFF", "MP3", "CAF", "AU"])
def test_audio_of_any_form_is_told_by_its_first_bytes(tmp_path, form):
    write(tmp_path, *LABELLED)
    write_files(tmp_path, {"sad/clip": encoded(voice(seconds=0.2), form=form)})
    assert left_out(load(tmp_path)) == {"audio that is not named as such": 1}


def test_archives_beside_clips_are_mentioned_and_stop_nothing(tmp_path):
    write(tmp_path, *LABELLED)
    write_files(tmp_path, {"clips.zip": b"PK\3\4", "old/more.tar.gz": b"\x1f\x8b"})
    (part,) = load(tmp_path).left_out
    assert (part.n, part.examples, part.expected) == (2, ("clips.zip", "old/more.tar.gz"), True)


@pytest.mark.parametrize(
    "files",
    [
        ("angry/anna/a.wav", "angry/ben/b.wav", "sad/anna/c.wav"),
        ("anna/angry/a.wav", "ben/angry/b.wav", "anna/sad/c.wav"),
        ("angry/anna/monday/a.wav", "Angry/b.wav", "sad/anna/c.wav"),
        ("train/angry/anna/a.wav", "train/anger/b.wav", "train/sad/anna/c.wav"),
    ],
)
def test_the_label_is_the_folder_that_names_an_emotion(tmp_path, files):
    labels = [clip.label.casefold()[:3] for clip in load(write(tmp_path, *files)).metadata(0, None)]
    assert sorted(labels) == ["ang", "ang", "sad"]


def test_folders_of_several_emotions_within_each_other_are_refused(tmp_path):
    write(tmp_path, "angry/calm/anna/a.wav", "sad/anna/b.wav")
    with pytest.raises(DatasetError, match="lies in folders of several emotions, angry and calm"):
        load(tmp_path)


def test_where_no_folder_names_an_emotion_it_is_the_files_own(tmp_path):
    write(tmp_path, "wut/anna/a.wav", "freude/ben/b.wav")
    assert [clip.label for clip in load(tmp_path).metadata(0, None)] == ["ben", "anna"]

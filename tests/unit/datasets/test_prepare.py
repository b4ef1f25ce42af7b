"""A set as one portable file, which gives what the set gave."""

import json

import pyarrow.parquet as pq
import pytest

from build import classifier, labels_metadata
from contract.sets import ROWS, csv_text, write_sounds
from corpus_trees import TREES
from serval.audio import encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.datasets.parquet import noted_in
from serval.datasets.prepare import prepare
from serval.errors import ConfigError
from serval.evaluation import evaluate_named
from serval.options import EvalOptions


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def clips(dataset):
    return [
        (clip.id, clip.index, clip.label, encoded_bytes(clip.audio), clip.speaker, clip.groups)
        for clip in dataset.clips(0, None)
    ]


@pytest.mark.parametrize("name", ["RAVDESS", "CREMA-D", "ESD", "MSP-Podcast", "Emozionalmente"])
def test_the_file_of_a_corpus_gives_the_clips_of_its_folder(tmp_path, name):
    tree = TREES[name].write(tmp_path / "tree")
    done = prepare(str(tree), tmp_path / "one.parquet")
    assert (done.clips, done.unreadable) == (len(TREES[name].clips), 0)
    assert done.read_as == load(done.path, split=a_part(name)).read_as
    assert sum(part.n for part in done.left_out) == len(TREES[name].others)
    for split in (a_part(name), a_part(name, 1)):
        ours, theirs = load(done.path, split=split), load(tree, split=split)
        assert clips(ours) == clips(theirs)
        assert (ours.name, ours.licence, ours.caveats) == (
            theirs.name, theirs.licence, theirs.caveats,
        )  # fmt: skip


def a_part(name, number=0):
    official = {"MSP-Podcast": ("Test1", "Train"), "Emozionalmente": ("test", "train")}
    return official.get(name, (None, "fold1.test"))[number]


def test_an_evaluation_of_the_file_is_that_of_the_folder(tmp_path):
    tree = TREES["EmoDB"].write(tmp_path / "tree")
    file = prepare(str(tree), tmp_path / "one.parquet").path
    labels = ("angry", "bored", "disgust", "fearful", "happy", "neutral", "sad")
    model = classifier(tmp_path / "m.onnx", k=7, metadata=labels_metadata(labels))
    scores = [
        evaluate_named(
            EvalOptions(
                model=str(model),
                dataset=str(where),
                output=str(tmp_path / name),
                plots=False,
                max_failures=1.0,
            )
        ).document
        for name, where in (("a", tree), ("b", file))
    ]
    ours, theirs = ({k: v for k, v in s.items() if k in STABLE} for s in scores)
    assert ours == theirs
    assert ours.keys() == STABLE


STABLE = {
    "overall", "per_class", "scores", "observations", "verdict", "failures", "left_out", "dropped",
    "confusion_matrix", "predictions", "calibration", "groups",
}  # fmt: skip


def test_included_song_is_in_the_file(tmp_path):
    tree = TREES["RAVDESS"].write(tmp_path / "tree")
    song = prepare(str(tree), tmp_path / "s.parquet", DatasetOptions(include="song"))
    assert song.clips == len(TREES["RAVDESS"].clips) + 1
    channels = {clip.groups["channel"] for clip in load(song.path).metadata(0, None)}
    assert channels == {"song", "speech"}


def test_any_other_set_is_written_too(tmp_path):
    write_sounds(tmp_path / "set")
    path = tmp_path / "set" / "list.csv"
    path.write_text(csv_text(ROWS, "path"))
    done = prepare(str(path), tmp_path / "one.parquet")
    assert clips(load(done.path)) == clips(load(path))
    assert noted_in(done.path) == ("", "")


def test_a_file_that_cannot_be_read_is_counted_and_stays_a_clip(tmp_path):
    write_sounds(tmp_path, ROWS[:2])
    path = tmp_path / "list.csv"
    path.write_text(csv_text([*ROWS[:2], {**ROWS[2], "name": "gone.wav"}], "path"))
    done = prepare(str(path), tmp_path / "one.parquet")
    assert (done.clips, done.unreadable) == (3, 1)
    assert [len(clip.audio) for clip in load(done.path).clips(2, 3)] == [0]


def test_the_file_must_be_named_as_what_it_is(tmp_path):
    with pytest.raises(ConfigError, match=r"one\.csv is no name of a parquet file; end it in \.pa"):
        prepare("demo", tmp_path / "one.csv")


def test_the_command_says_what_it_wrote_and_left_out(tmp_path, serval):
    TREES["RAVDESS"].write(tmp_path / "tree")
    done = serval("datasets", "prepare", "tree", "-o", "one.parquet")
    assert done.returncode == 0
    assert "one.parquet: 6 clips, 0.0 MB, read as RAVDESS: 6 of 1,440 clips, 5 spea" in done.stdout
    assert "left out: 1 song, not speech (--include song takes them), such as Acto" in done.stdout
    assert serval("datasets", "prepare", "tree", "-o", "one.parquet", "-q").stdout == ""
    assert pq.read_table(tmp_path / "one.parquet").column_names[:3] == ["audio", "label", "speaker"]


def test_every_known_corpus_is_listed(serval):
    shown = serval("datasets", COLUMNS=60).stdout
    names = {line.split(" ")[0] for line in shown.splitlines()}
    assert names >= {*TREES, "demo", "ssi", "cameo"}
    assert max(map(len, shown.splitlines())) <= 60
    assert "1,440" in shown
    assert "6 published" in shown


def test_of_a_known_corpus_all_is_shown_and_of_another_the_like(serval):
    shown = serval("datasets", "show", "ravdess").stdout
    assert shown.startswith("RAVDESS: ")
    assert "https://zenodo.org/records/1188976" in shown
    assert "Livingstone and Russo" in shown
    assert "angry, calm, disgust" in shown
    done = serval("datasets", "show", "ravdes")
    assert done.returncode == 2
    assert "no corpus 'ravdes' is known by name" in done.stderr
    assert "did you mean 'RAVDESS'?" in done.stderr


def test_a_set_of_ratings_has_no_labels_in_the_file_either(tmp_path):
    write_sounds(tmp_path, ROWS[:3])
    rows = (f"{row['name']},{i}.5" for i, row in enumerate(ROWS[:3]))
    (tmp_path / "set.csv").write_text("\n".join(["path,arousal", *rows]))
    done = load(prepare(str(tmp_path / "set.csv"), tmp_path / "one.parquet").path)
    assert done.is_rated
    assert [clip.groups["arousal"] for clip in done.metadata(0, None)] == ["0.5", "1.5", "2.5"]


def test_clips_of_several_emotions_keep_each_of_them(tmp_path):
    write_sounds(tmp_path, ROWS[:3])
    lines = zip(ROWS, (["happy", "sad"], [], ["calm"]), strict=False)
    text = "".join(json.dumps({"path": row["name"], "label": some}) + "\n" for row, some in lines)
    (tmp_path / "set.jsonl").write_text(text)
    done = prepare(str(tmp_path / "set.jsonl"), tmp_path / "one.parquet")
    found = [(clip.emotions, clip.label) for clip in load(done.path).metadata(0, None)]
    assert found == [(("happy", "sad"), "happy + sad"), ((), ""), (("calm",), "calm")]

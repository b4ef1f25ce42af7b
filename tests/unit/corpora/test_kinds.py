"""Recordings of a corpus that are none of its clips: what stops, what does not, what comes back."""

import pytest

from build import classifier, labels_metadata
from corpus_trees import TREES, put, tone
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import ConfigError, DatasetError
from serval.evaluation import evaluate_named
from serval.labels import EMOTIONS
from serval.options import EvalOptions


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def ids(dataset):
    return {clip.id for clip in dataset.metadata(0, None)}


@pytest.fixture
def ravdess(tmp_path):
    return TREES["RAVDESS"].write(tmp_path / "ravdess", samples=4000)


@pytest.mark.parametrize(
    ("name", "include", "kinds"),
    [
        ("RAVDESS", "song", {"song"}),
        ("RAVDESS", " song , copies", {"song", "copies"}),
        ("TESS", "copies", {"copies"}),
        ("CREMA-D", "formats,silent", {"formats", "silent"}),
        ("IEMOCAP", "no-agreement", {"no-agreement"}),
    ],
)
def test_kinds_come_back_on_request(tmp_path, name, include, kinds):
    tree = TREES[name]
    dataset = load(tree.write(tmp_path), include=include)
    back = {path for path, kind in tree.others.items() if kind in kinds}
    assert ids(dataset) == {*tree.clips, *back}
    assert {part.kind for part in dataset.left_out} == set(tree.others.values()) - kinds


def test_what_came_back_has_its_labels(ravdess):
    song = next(c for c in load(ravdess, include="song").metadata(0, None) if "03-02" in c.id)
    assert (song.label, song.groups["channel"], song.speaker) == ("happy", "song", "RAVDESS_01")


def test_sound_out_of_videos_is_left_out_only_beside_the_audio(tmp_path):
    video, audio = "Actor_01/01-01-03-01-01-01-01.wav", "Actor_01/03-01-05-01-01-01-01.wav"
    put(tmp_path / video, tone("a", 400))
    put(tmp_path / "Actor_01/02-01-03-01-01-01-01.wav", tone("b", 400))
    alone = load(f"ravdess:{tmp_path}")
    assert (ids(alone), [part.kind for part in alone.left_out]) == ({video}, ["silent"])
    put(tmp_path / audio, tone("c", 400))
    both = load(f"ravdess:{tmp_path}")
    assert (ids(both), [p.kind for p in both.left_out]) == ({audio}, ["video", "silent"])


@pytest.mark.parametrize("include", ["sing", "macos", "song,dialogues"])
def test_a_kind_that_is_not_known_is_refused(ravdess, include):
    with pytest.raises(ConfigError, match=r"unknown --include '\w+'; known: song, video, copies, "):
        load(ravdess, include=include)


def test_a_set_of_ones_own_has_no_kinds(tmp_path):
    put(tmp_path / "sad" / "a.wav", tone("a"))
    put(tmp_path / "angry" / "b.wav", tone("b"))
    with pytest.raises(ConfigError, match=r"--include is about known corpora, and .* as none"):
        load(tmp_path, include="song")
    (tmp_path / "set.csv").write_text("path,label\nsad/a.wav,sad\n", encoding="utf-8")
    for name in (tmp_path / "set.csv", "demo"):
        with pytest.raises(ConfigError, match="--include is about folders of known corpora, and"):
            load(name, include="song")


def evaluated(tmp_path, folder, **options):
    labels = labels_metadata(EMOTIONS)
    return evaluate_named(
        EvalOptions(
            model=str(classifier(tmp_path / "m.onnx", k=8, metadata=labels)),
            dataset=str(folder),
            output=str(tmp_path / "out"),
            plots=False,
            **options,
        )
    )


def test_kinds_stop_no_evaluation_and_stand_in_its_results(tmp_path, ravdess):
    document = evaluated(tmp_path, ravdess).document
    assert document["metadata"]["total_samples"] == len(TREES["RAVDESS"].clips)
    assert {part["kind"]: part["n"] for part in document["left_out"]} == {
        "copies": 2, "macos": 2, "silent": 1, "song": 1, "video": 1,
    }  # fmt: skip
    assert document["dataset"]["corpus"] == "RAVDESS"
    assert document["dataset"]["read_as"] == "read as RAVDESS: 6 of 1,440 clips, 5 speakers"


def test_folds_give_a_score_for_each(tmp_path, ravdess):
    run = evaluated(tmp_path, ravdess, split="folds").run
    assert set(run.groups["fold"]) == {"1", "2", "4", "6"}


def test_another_version_of_a_clip_stops_until_it_is_allowed(tmp_path, ravdess):
    other = ravdess / "denoised" / "03-01-08-02-01-02-24.wav"
    put(other, tone("another", 4000))
    with pytest.raises(DatasetError, match="1 of 7 would be left out: 1 of the same name as"):
        evaluated(tmp_path, ravdess)
    run = evaluated(tmp_path, ravdess, max_left_out=0.2).run
    assert len(run) == len(TREES["RAVDESS"].clips)


def test_a_suspect_with_sound_is_a_clip(tmp_path):
    silent = tone("x", 400)[:44] + bytes(800)
    put(tmp_path / "1076_MTI_SAD_XX.wav", silent)
    put(tmp_path / "1076_MTI_NEU_XX.wav", tone("y", 400))
    put(tmp_path / "1001_MTI_NEU_XX.wav", silent)
    dataset = load(tmp_path)
    assert ids(dataset) == {"1076_MTI_NEU_XX.wav", "1001_MTI_NEU_XX.wav"}
    assert [(part.kind, part.n) for part in dataset.left_out] == [("silent", 1)]


def test_a_corpus_without_a_clip_says_why(tmp_path):
    for name in ("sentences/wav/Ses01F_impro04_F000.wav", "sentences/wav/Ses01F_impro04_F001.wav"):
        put(tmp_path / name, tone(name))
    lacks = r"none of IEMOCAP's tables \(dialog/EmoEvaluation/Ses\*\.txt\), which hold the labels"
    with pytest.raises(DatasetError, match=lacks):
        load(f"IEMOCAP:{tmp_path}")
    put(tmp_path / "dialog" / "EmoEvaluation" / "Ses01F_impro04.txt", b"")
    with pytest.raises(DatasetError, match="no clip of IEMOCAP: 2 named by no row of the tables"):
        load(f"IEMOCAP:{tmp_path}")


def test_a_table_that_lists_other_clips_is_not_the_corpuss_own(tmp_path):
    TREES["nEMO"].write(tmp_path)
    rows = "file_id\traw_text\tgender\tage\tspeaker_id\nother\tTak\tF\t20\tX\n"
    put(tmp_path / "data.tsv", rows.encode())
    with pytest.raises(DatasetError):
        load(tmp_path)
    with pytest.raises(DatasetError, match="no clip of nEMO: 4 named by no row of the tables"):
        load(f"nemo:{tmp_path}")
    (tmp_path / "data.tsv").unlink()
    assert load(f"nemo:{tmp_path}").n_clips == 4


def test_rows_that_name_no_clip_are_passed_over(tmp_path):
    TREES["MSP-Podcast"].write(tmp_path)
    table = tmp_path / "Labels" / "labels_consensus.csv"
    table.write_text(f"{table.read_text()},N\n\nMSP-PODCAST_9999_0001.wav\n")
    assert load(tmp_path, split="Test1").n_clips == 2


def test_labels_that_the_corpus_does_not_know_are_counted(tmp_path):
    TREES["MSP-Podcast"].write(tmp_path)
    table = tmp_path / "Labels" / "labels_consensus.csv"
    table.write_text(table.read_text().replace("0008.wav,N,", "0008.wav,Q,"))
    part = load(tmp_path, split="Test1").left_out[-1]
    assert (part.n, part.expected) == (1, False)
    assert part.reason == "with a label that MSP-Podcast does not know"

"""Fold lists of other people: who and what is in train and test of one fold."""

import json

import pytest

from build import encoded
from corpus_trees import put
from serval.audit import AuditOptions, FindingKind, audit
from serval.audit.folds import FoldList, fold_list_in, places_of
from serval.commands.audit import _exit_code
from serval.errors import ConfigError, DatasetError, DatasetNotFoundError
from speech import after_silence, utterance

CLIPS = {
    "03a01Wa": 0, "03a02Ta": 1, "08a01Wa": 2, "08a02Ta": 3, "09a01Wa": 4, "09a02Ta": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def emodb(tmp_path_factory):
    """Three speakers; the last clip of 09 is the first of 03 again, after silence."""
    folder = tmp_path_factory.mktemp("emodb")
    for name, seed in CLIPS.items():
        put(folder / "wav" / f"{name}.wav", encoded(utterance(seed)))
    put(folder / "wav" / "09a02Ta.wav", encoded(after_silence(utterance(0))))
    return folder


def found_in(emodb, folds):
    return audit(AuditOptions(dataset=str(emodb), folds=str(folds), workers=1))


def messages(found, kind):
    return [finding.message for finding in found.findings if finding.kind is kind]


def emobox(folder, fold, **parts):
    """Files as EmoBox writes them."""
    for part, names in parts.items():
        rows = [
            {"key": f"emodb-{n}", "wav": f"downloads/emodb/wav/{n}.wav", "emo": "W"} for n in names
        ]
        text = "\n".join(map(json.dumps, rows)).encode()
        put(folder / f"fold_{fold}" / f"emodb_{part}_fold_{fold}.jsonl", text)
    return folder / f"fold_{fold}"


def test_speakers_and_recordings_that_cross_are_named(emodb, tmp_path):
    names = list(CLIPS)
    emobox(tmp_path, 1, train=names[1:5], test=[names[0], names[5]])
    emobox(tmp_path, 2, train=names[2:], test=names[:2])
    found = found_in(emodb, tmp_path)
    assert messages(found, FindingKind.FOLDS_SHARE_SPEAKERS) == [
        (
            "fold1.test: 2 of its 2 speakers, with 2 of 2 clips, are in fold1.train too: "
            "EmoDB_03, EmoDB_09"
        ),
    ]
    assert messages(found, FindingKind.FOLDS_SHARE_RECORDINGS) == [
        "fold2.test: one recording: wav/03a01Wa.wav in fold2.test, wav/09a02Ta.wav in fold2.train"
    ]
    name = tmp_path.name
    assert found.leak == (
        f"1 of 2 folds of {name} share speakers between train and test, 1 share recordings"
    )
    assert messages(found, FindingKind.FOLDS_MISFIT) == []


def test_one_file_of_emobox_takes_its_other_part(emodb, tmp_path):
    folder = emobox(tmp_path, 1, train=["03a01Wa"], test=["03a02Ta"])
    emobox(tmp_path, 2, train=["08a01Wa"], test=["09a01Wa"])
    folds = fold_list_in(str(folder / "emodb_test_fold_1.jsonl"))
    assert {fold: {part: len(clips) for part, clips in parts.items()}
            for fold, parts in folds.parts.items()} == {"1": {"train": 1, "test": 1}}  # fmt: skip
    found = found_in(emodb, folder / "emodb_test_fold_1.jsonl")
    assert len(messages(found, FindingKind.FOLDS_SHARE_SPEAKERS)) == 1
    (misfit,) = messages(found, FindingKind.FOLDS_MISFIT)
    assert misfit.startswith("4 names of the set and in no fold: wav/08a01Wa.wav, ")


def test_a_table_with_folds_alone_trains_on_the_others(emodb, tmp_path):
    rows = [f"{name},{i // 2 + 1}" for i, name in enumerate(CLIPS)]
    put(tmp_path / "folds.csv", "\n".join(["id,fold", *rows]).encode())
    found = found_in(emodb, tmp_path / "folds.csv")
    assert messages(found, FindingKind.FOLDS_SHARE_SPEAKERS) == []
    assert [f.splits for f in found.findings if f.kind is FindingKind.FOLDS_SHARE_RECORDINGS] == [
        ("fold1.test", "fold1.train"), ("fold3.test", "fold3.train"),
    ]  # fmt: skip


def test_a_table_with_folds_and_splits(emodb, tmp_path):
    rows = ["wav/03a01Wa.wav,1,train", "wav/03a02Ta.wav,1,Test", "wav/08a01Wa.wav,1,train",
            "nowhere.wav,1,test", "wav/03a01Wa.wav,1,test"]  # fmt: skip
    put(tmp_path / "folds.csv", "\n".join(["path,fold,split", *rows]).encode())
    found = found_in(emodb, tmp_path / "folds.csv")
    assert messages(found, FindingKind.FOLDS_SHARE_SPEAKERS) == [
        "fold1.test: 1 of its 1 speakers, with 2 of 2 clips, are in fold1.train too: EmoDB_03"
    ]
    assert messages(found, FindingKind.FOLDS_SHARE_RECORDINGS) == [
        "fold1.test: 1 clip in both parts"
    ]
    assert messages(found, FindingKind.FOLDS_MISFIT)[0] == (
        "1 name in the list and of no clip of the set: nowhere.wav"
    )


def test_parts_that_are_neither_trained_nor_tested_on_are_left_out_and_counted(tmp_path):
    rows = ["a.wav,1,train", "b.wav,1,test", "c.wav,1,dev", "d.wav,1,valid"]
    put(tmp_path / "f.csv", "\n".join(["path,fold,split", *rows]).encode())
    folds = fold_list_in(str(tmp_path / "f.csv"))
    assert folds.parts == {"1": {"train": {"a.wav"}, "test": {"b.wav"}}}
    assert folds.left_out == 2
    put(tmp_path / "g.csv", b"path,split\na.wav,train\nc.wav,dev\n")
    alone = fold_list_in(str(tmp_path / "g.csv"))
    assert (alone.parts, alone.left_out) == ({"1": {"train": {"a.wav"}, "test": {"c.wav"}}}, 0)


def test_folds_of_clips_without_a_speaker_cannot_be_told_and_fail(tmp_path):
    wav = encoded(utterance(0))
    for name in "abcd":
        put(tmp_path / f"{name}.wav", wav)
    put(tmp_path / "folds.csv", b"path,fold\na.wav,1\nb.wav,1\nc.wav,2\nd.wav,2\n")
    for speakers, line in (
        ("    ", "speakers cannot be compared: no clip of folds.csv names one; 2 of 2 folds"),
        ("xx y", "0 of 2 folds of folds.csv share speakers between train and test, 2 share"),
    ):  # fmt: skip
        rows = [f"{n}.wav,angry,{s.strip()}" for n, s in zip("abcd", speakers, strict=True)]
        put(tmp_path / "set.csv", "\n".join(["path,label,speaker", *rows]).encode())
        found = found_in(tmp_path / "set.csv", tmp_path / "folds.csv")
        assert found.leak.startswith(line)
        assert found.leak.endswith("; 1 of 4 clips name no speaker") is (speakers == "xx y")
        assert found.unnamed == speakers.count(" ")
        assert _exit_code(found, ("folds-share-speakers",)) == 1
        assert _exit_code(found, ("silent",)) == 0


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("a.csv", "path,x\na.wav,1\n", DatasetNotFoundError, "needs a column path or wav and a"),
        ("a.csv", "x,fold\na.wav,1\n", DatasetNotFoundError, "it has: x, fold"),
        ("a.txt", "a.wav 1\n", DatasetError, r"a\.txt is no fold list; give a \.csv"),
        ("a.csv", "path,fold\n,1\n", DatasetError, "holds no fold list"),
        ("b/c.csv", "path,fold\na.wav,1\n", DatasetNotFoundError, r"a\.csv is no file or folder"),
    ],
)
def test_what_is_no_fold_list_is_refused(tmp_path, name, text, error, message):
    put(tmp_path / name, text.encode())
    with pytest.raises(error, match=message):
        fold_list_in(str(tmp_path / name.replace("b/c", "a")))


def test_folds_are_about_one_set(emodb):
    with pytest.raises(ConfigError, match="--folds is about one set and --against about two"):
        audit(AuditOptions(dataset=str(emodb), folds="x.csv", against="demo"))


def test_the_command_says_which_folds_share(emodb, tmp_path, serval):
    put(tmp_path / "f.csv", b"id,fold\n03a01Wa,1\n03a02Ta,2\n")
    done = serval("audit", emodb, "--folds", "f.csv", "--fail-on", "folds-share-speakers")
    assert done.returncode == 1
    assert "2 of 2 folds of f.csv share speakers between train and test" in done.stdout
    assert "Read as EmoDB: 6 of 535 clips, 3 speakers" in done.stdout


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a/1.wav", "b/1.wav"], {"a/1.wav": 0}),  # b/1 is another clip, which is not here
        (["b/1.wav", "c/1.wav"], {}),
        (["x/a/1.flac", "a/1.wav", "1"], {"x/a/1.flac": 0, "a/1.wav": 0, "1": 0}),
        (["old/2.wav", "2.wav"], {"old/2.wav": 1, "2.wav": 1}),
        (["a/3.wav", "b/3.wav", "3.wav"], {"a/3.wav": 2, "b/3.wav": 3}),
    ],
)
def test_names_that_contradict_each_other_are_not_those_of_one_clip(names, found):
    folds = FoldList(name="list", parts={"1": {"test": frozenset(names)}})
    assert places_of(folds, ["a/1.wav", "2.wav", "a/3.wav", "b/3.wav"]) == found

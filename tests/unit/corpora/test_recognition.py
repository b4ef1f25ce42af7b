"""What is taken for a corpus, and what must not be."""

import re
from itertools import permutations

import pytest

from conftest import ROOT
from corpus_trees import TREES, put, tone
from serval.corpora import known_corpora
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetError


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def written(folder, *names):
    for name in names:
        put(folder / name, tone(name))
    return folder


def corpus_of(path):
    """The corpus that a folder is taken for; empty also where it cannot be read at all."""
    try:
        return load(path).corpus
    except DatasetError:
        return ""


def numbered(pattern, n=12):
    return [pattern.format(i) for i in range(1, n + 1)]


NO_CORPUS = {
    "label folders": ["angry/a.wav", "sad/b.wav", "happy/c.wav"],
    "numbers in label folders": [*numbered("angry/{:03}.wav"), *numbered("sad/{:03}.wav")],
    "numbers": numbered("{:02}.wav"),
    "long numbers": numbered("{:06}.wav"),
    "speakers and numbers": numbered("0001/0001_{:06}.wav"),
    "emotions and speakers and numbers": numbered("Angry/0001/0001_{:06}.wav"),
    "dates": numbered("2024-01-{:02}-10-30-00.wav"),
    "dates in two digits": numbered("24-01-{:02}-10-30-00.wav"),
    "dates and times of two digits": numbered("24-12-{:02}-10-30-00-01.wav"),
    "seven numbers": numbered("01-02-03-04-05-06-{:02}.wav"),
    "other modalities": numbered("04-01-05-01-01-01-{:02}.wav"),
    "actors past the last": [f"03-01-08-01-01-01-{i}.wav" for i in range(35, 60)],
    "copies of Windows": numbered("clip ({}).wav"),
    "letters and copies of Windows": numbered("a01 ({}).wav", 6),
    "letters and numbers": numbered("a{:02}.wav", 15),
    "emotions of one letter": [f"{e}{i:02}.wav" for e in "adfhn" for i in range(1, 6)],
    "speakers, letters, numbers": [f"M01{e}{i:02}.wav" for e in "AS" for i in range(1, 9)],
    "sexes in folders of emotions": [f"angry/F01{e}0{i}.wav" for e in "AN" for i in range(1, 9)],
    "sessions of men": [f"male/M0{s}S{i:02}.wav" for s in (1, 2) for i in range(1, 9)],
    "an own dialogue": numbered("dia0_utt{}.wav"),
    "an own dialogue in splits": numbered("train/dia0_utt{}.wav") + numbered("test/dia1_utt{}.wav"),
    "audio without labels": numbered("audio/{}.wav"),
    "names and emotions": [f"samples/ANN_{e}_{i}.wav" for e in ("anger", "fear") for i in range(5)],
    "words and emotions": [f"ann_hello_{e}.wav" for e in ("angry", "sad", "happy")],
    "sexes and emotions": [f"male_{e}_{i}.wav" for e in ("angry", "sad") for i in range(4)],
    "four letters": [f"{i}_ABC_ANG_XX.wav" for i in range(1001, 1009)],
    "speakers that are no actors": [f"{i}_DFA_ANG_XX.wav" for i in range(2001, 2009)],
    "three fields": [f"neu-s{i}-b1.wav" for i in range(1, 6)],
    "German letters": [f"{i}a01Wa.wav" for i in range(20, 30)],
    "Bengali fields": [f"X_01_ANN_S_1_ANGRY_{i}.wav" for i in range(1, 6)],
    "podcasts": numbered("PODCAST_{:04}_0001.wav"),
    "LJSpeech": numbered("wavs/LJ001-{:04}.wav"),
    "LibriSpeech": numbered("84/121123/84-121123-{:04}.flac"),
    "VoxCeleb": numbered("id10001/1zcIwhmdeo4/{:05}.wav"),
    "eNTERFACE": numbered("subject 1/anger/sentence 1/s1_an_{}.wav"),
    "EmoV-DB": numbered("bea/amused_1-15_{:04}.wav"),
    "half of two corpora": [
        *TREES["CREMA-D"].clips, *(f"Actor_01/03-01-0{i}-01-01-01-01.wav" for i in range(1, 7)),
    ],
    "a corpus among as much else": [*TREES["EmoDB"].clips, *numbered("mine/{}.wav", 7)],
}  # fmt: skip


@pytest.mark.parametrize("name", NO_CORPUS)
def test_a_folder_of_ones_own_is_no_corpus(tmp_path, name):
    assert corpus_of(written(tmp_path / "data", *NO_CORPUS[name])) == ""


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    root = tmp_path_factory.mktemp("trees")
    return {
        name: tree.write(root / f"{i}" / "data") for i, (name, tree) in enumerate(TREES.items())
    }


def test_no_corpus_is_taken_for_another(trees):
    assert {name: corpus_of(path) or name for name, path in trees.items()} == {
        name: name for name in trees
    }


def test_no_corpus_is_read_as_another_even_if_asked(trees):
    for asked, name in permutations(TREES, 2):
        with pytest.raises(DatasetError, match=rf"is not {asked}: |no clips"):
            load(f"{asked}:{trees[name]}")


def test_two_corpora_in_one_folder_are_none(trees, tmp_path):
    for one, other in permutations(("RAVDESS", "CREMA-D", "TESS", "EmoDB", "EMOVO"), 2):
        folder = tmp_path / f"{one} {other}"
        written(folder, *TREES[one].clips, *TREES[other].clips)
        assert corpus_of(folder) == ""


def test_nearly_all_names_must_fit_and_the_rest_is_counted(tmp_path):
    names = [f"wav/{s}a0{t}{e}a.wav" for s in ("03", "08", "09") for t in (1, 2) for e in "WLEAFTN"]
    dataset = load(written(tmp_path / "one", *names, "mine/x.wav", "mine/y.wav"))
    assert (dataset.corpus, dataset.n_clips) == ("EmoDB", 42)
    (part,) = dataset.left_out
    assert (part.n, part.kind, part.examples) == (2, "", ("mine/x.wav", "mine/y.wav"))
    assert part.reason == "not named as the clips of EmoDB are"
    assert corpus_of(written(tmp_path / "two", *names, *numbered("mine/{}.wav", 3))) == ""


def test_a_corpus_that_does_not_fit_is_refused_with_counts(tmp_path):
    written(tmp_path, *TREES["EmoDB"].clips, *numbered("mine/{}.wav", 3))
    with pytest.raises(
        DatasetError, match="is not EmoDB: 7 of its 10 audio files have names of th"
    ):
        load(f"emo-db:{tmp_path}")


def test_label_folders_that_say_what_the_names_say_are_a_corpus(tmp_path):
    dataset = load(written(tmp_path, "angry/03a01Wa.wav", "sad/03a01Ta.wav", "happy/08a02Fa.wav"))
    assert (dataset.corpus, dataset.caveats) == ("EmoDB", ())


def test_label_folders_that_say_otherwise_win_and_it_is_said(tmp_path):
    written(tmp_path, "angry/03a01Wa.wav", "neutral/03a01La.wav", "neutral/08a02Ta.wav")
    dataset = load(tmp_path)
    assert dataset.corpus == ""
    assert [clip.label for clip in dataset.metadata(0, None)] == ["angry", "neutral", "neutral"]
    assert dataset.caveats == (
        (
            "its file names are those of EmoDB, but 2 of 3 clips lie in folders that name another "
            "emotion, which was taken; EmoDB:PATH takes that of the names"
        ),
    )
    named = load(f"EmoDB:{tmp_path}")
    assert [clip.label for clip in named.metadata(0, None)] == ["angry", "bored", "sad"]


@pytest.mark.parametrize("name", ["metadata.csv", "train.csv", "data/test.csv"])
def test_lists_of_ones_own_win(tmp_path, name):
    written(tmp_path, "03a01Wa.wav", "03a01Ta.wav")
    up = "../" * name.count("/")
    put(tmp_path / name, f"file_name,label\n{up}03a01Wa.wav,happy\n{up}03a01Ta.wav,sad\n".encode())
    assert load(tmp_path).corpus == ""


def test_tables_that_do_not_name_the_clips_make_no_corpus(tmp_path):
    written(tmp_path, *(f"audio/{e}/{i}.wav" for e in ("angry", "sad") for i in range(3)))
    table = "file_name,actor,emotion_expressed\nother.wav,a,joy\n"
    put(tmp_path / "metadata" / "samples.csv", table.encode())
    assert load(tmp_path).corpus == ""
    put(tmp_path / "metadata" / "samples.csv", b"name,mood\nx,joy\n")
    assert load(tmp_path).corpus == ""


def test_a_corpus_in_folders_named_after_splits_keeps_them(tmp_path):
    names = ("test/03a01Wa.wav", "train/08a01Ta.wav", "train/08a02Fa.wav", "validation/03a02Fa.wav")
    written(tmp_path, *names)
    assert [load(tmp_path, split=split).n_clips for split in ("test", "train", None)] == [1, 2, 1]
    assert load(tmp_path).caveats == ()
    assert "all" not in load(tmp_path, split="test").read_as
    (tmp_path / "test").rename(tmp_path / "mine")
    assert load(tmp_path).left_out[0].n == 1


def test_a_linked_or_upper_case_name_is_the_same(tmp_path):
    written(tmp_path / "disk", "03a01Wa.WAV", "08a01Ta.WAV")
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert corpus_of(tmp_path / "link") == "EmoDB"


def test_a_speakers_folder_alone_is_recognised_by_its_own_name(tmp_path):
    written(tmp_path / "JE", "n23.wav", "sa01.wav")
    assert corpus_of(tmp_path / "JE") == "SAVEE"


@pytest.mark.parametrize("corpus", known_corpora(), ids=lambda corpus: corpus.name)
def test_a_corpus_is_data_that_agrees_with_itself(corpus):
    assert sum(corpus.counts.values()) in (0, corpus.clips)
    assert set(corpus.counts) <= set(corpus.emotions)
    speakers = [speaker for fold in corpus.folds for speaker in fold]
    assert len(speakers) == len(set(speakers)) in (0, corpus.speakers)
    assert not corpus.genders or not speakers or set(speakers) <= corpus.genders.keys()
    assert all((corpus.what, corpus.language, corpus.licence, corpus.source, corpus.cite))
    re.compile(corpus.grammar)


def test_a_corpus_is_one_short_entry():
    text = (ROOT / "src" / "serval" / "corpora" / "known.py").read_text(encoding="utf-8")
    entries = re.findall(r"^    Corpus\($.*?^    \),$", text, re.MULTILINE | re.DOTALL)
    assert len(entries) == len(known_corpora())
    for entry in entries:
        assert entry.count("\n") < 60, entry
        assert "lambda" not in entry


def test_corpora_that_need_no_path_come_first_then_by_name():
    order = [(not corpus.location, corpus.name.casefold()) for corpus in known_corpora()]
    assert order == sorted(order)


ALIKE = ("03-01-01-01-01-01-01.wav", "03-01-05-02-01-02-02.wav", "03-01-04-02-02-01-24.wav")
"""Names that RAVDESS and BanglaSER could both have."""


def test_names_that_two_corpora_have_are_asked_about(tmp_path):
    written(tmp_path / "clips", *ALIKE)
    with pytest.raises(
        DatasetError, match=r"those of BanglaSER and of RAVDESS, .* as in BanglaSER:"
    ):
        load(tmp_path / "clips")
    assert load(f"RAVDESS:{tmp_path / 'clips'}").corpus == "RAVDESS"
    assert load(f"banglaser:{tmp_path / 'clips'}").corpus == "BanglaSER"


@pytest.mark.parametrize(
    ("folder", "corpus"), [("Actor_{}/", "RAVDESS"), ("my RAVDESS/", "RAVDESS"),
                           ("BanglaSER/", "BanglaSER"), ("sad/", "")]
)  # fmt: skip
def test_folders_may_tell_two_corpora_apart(tmp_path, folder, corpus):
    names = [folder.format(name[-6:-4]) + name for name in ALIKE]
    names = names if corpus else [*names[:2], f"angry/{ALIKE[2]}"]
    assert corpus_of(written(tmp_path / "clips", *names)) == corpus


@pytest.mark.parametrize("name", ["IEMOCAP", "MELD"])
def test_a_corpus_without_the_tables_that_label_it_says_so(tmp_path, name):
    TREES[name].write(tmp_path)
    for table in [*tmp_path.rglob("*.txt"), *tmp_path.rglob("*.csv")]:
        table.unlink()
    with pytest.raises(DatasetError, match=f"has none of {name}'s tables"):
        load_dataset(str(tmp_path))


def test_clips_of_iemocap_that_somebody_sorted_need_no_tables(tmp_path):
    written(tmp_path, "fru/Ses01F_impro01_F000.wav", "exc/Ses01F_impro01_F001.wav")
    assert {clip.label for clip in load_dataset(str(tmp_path)).metadata(0, None)} == {"fru", "exc"}


def test_clips_of_meld_that_somebody_sorted_need_no_tables(tmp_path):
    written(tmp_path, *(f"{split}/{emotion}/dia{i}_utt0.wav" for split in ("train", "test")
                        for i, emotion in enumerate(("angry", "happy", "sad"))))  # fmt: skip
    found = load_dataset(str(tmp_path), options=DatasetOptions(split="train")).metadata(0, None)
    assert {clip.label for clip in found} == {"angry", "happy", "sad"}

"""A manifest that somebody wrote by hand."""

import json
import re

import pytest

from serval.audio import encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import AudioError, ConfigError, DatasetError, DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "sub/b.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    return tmp_path


def manifest(folder, text, name="set.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def test_a_column_without_a_name_is_no_group(folder):
    dataset = load(manifest(folder, ",path,label,gender\n0,a.wav,angry,F\n1,sub/b.wav,sad,M\n"))
    assert [clip.groups for clip in dataset.clips(0, None)] == [{"gender": "F"}, {"gender": "M"}]


def test_a_row_becomes_a_clip_with_speaker_and_groups(folder):
    dataset = load(
        manifest(folder, "path,label,speaker,gender,text\na.wav,angry,s1,F,hi\nsub/b.wav,sad,,M,\n")
    )
    first, second = dataset.clips(0, None)
    assert (first.id, first.label, first.audio) == ("a.wav", "angry", folder / "a.wav")
    assert (first.speaker, first.groups) == ("s1", {"gender": "F", "text": "hi"})
    assert (second.id, second.speaker, second.groups) == ("sub/b.wav", None, {"gender": "M"})
    assert (dataset.split, dataset.n_clips) == ("", 2)


def test_rows_that_are_parts_of_one_file_are_refused(folder):
    rows = "path,label,Start_Time\na.wav,sad,0.0\nsub/b.wav,sad,0.0\na.wav,angry,{}\n"
    assert load(manifest(folder, rows.format("0.0"))).n_clips == 3
    with pytest.raises(DatasetError, match=r"a.wav from 0.0 and from 2.5, .*'Start_Time'.*ffmpeg"):
        load(manifest(folder, rows.format("2.5")))


@pytest.mark.parametrize("names", [("1", "2"), ("fold1", "fold2")])
def test_a_fold_is_called_by_its_number_however_the_column_writes_it(folder, names):
    path = manifest(folder, "path,label,fold\na.wav,sad,{}\nsub/b.wav,sad,{}\n".format(*names))
    assert [clip.id for clip in load(path, split="fold2.test").clips(0, None)] == ["sub/b.wav"]
    assert [clip.id for clip in load(path, split="fold2.train").clips(0, None)] == ["a.wav"]
    assert len(list(load(path, split="folds").clips(0, None))) == 2


def test_a_file_that_occurs_twice_gets_a_numbered_id(folder):
    dataset = load(manifest(folder, "path,label\na.wav,sad\na.wav,sad\n./a.wav,sad\na.wav#2,sad\n"))
    ids = ["a.wav", "a.wav#2", "a.wav#3", "a.wav#2#2"]
    assert [clip.id for clip in dataset.clips(0, None)] == ids
    assert [clip.id for clip in dataset.metadata(2, 4)] == ids[2:]


def test_an_absolute_path_keeps_its_file_and_loses_the_machines_folders(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "c.wav"
    other.write_bytes(b"RIFF")
    dataset = load(manifest(folder, f"path,label\n{other},sad\n{folder / 'sub' / 'b.wav'},sad\n"))
    assert [clip.id for clip in dataset.clips(0, None)] == ["c.wav", "sub/b.wav"]
    assert [clip.audio for clip in dataset.clips(0, None)] == [other, folder / "sub" / "b.wav"]


def test_a_missing_file_or_label_is_the_clips_own_trouble(folder):
    dataset = load(manifest(folder, "path,label\na.wav,\nlost.wav,sad\n,sad\n"))
    first, second, third = dataset.clips(0, None)
    assert (first.label, second.audio) == ("", folder / "lost.wav")
    assert (third.id, third.audio) == ("clip-000002", b"")


def test_a_manifest_without_one_file_that_exists_is_refused(folder):
    with pytest.raises(DatasetNotFoundError, match=r"not one .* exists, beginning with .*x\.wav"):
        load(manifest(folder, "path,label\nx.wav,sad\ny.wav,sad\n"))


def test_cells_may_hold_commas_quotes_and_line_ends(folder):
    dataset = load(manifest(folder, 'path, label, text\r\na.wav, sad, "no, ""not"" \nnow"\r\n\r\n'))
    (clip,) = dataset.clips(0, None)
    assert (clip.label, clip.groups["text"]) == ("sad", 'no, "not" \\nnow')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; give it a header"),
        ("path,label\n", "has no rows"),
        ("path,label,label\na.wav,sad,sad\n", "two columns 'label'; rename one"),
        ("path,label\na.wav,sad,really\n", "line 2 has 3 cells, the header 2; put quotes"),
        ('path,label\na.wav,"sad\n', "cannot be read after line 0"),
        ("file,feeling\na.wav,sad\n", "no label column .* file, feeling; name one with --label-c"),
        ("wo,label\na.wav,sad\n", "no audio column .* wo, label; name one with --audio-column"),
    ],
)
def test_a_faulty_csv_is_one_line_that_says_where(folder, text, message):
    with pytest.raises(DatasetError, match=message) as caught:
        load(manifest(folder, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_named_with_the_remedy(folder):
    path = manifest(folder, "path,label,text\na.wav,sad,hé\n", encoding="latin-1")
    with pytest.raises(DatasetError, match=r"set\.csv is not UTF-8; save it with the encoding"):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ('{"path": "a.wav", "label": "sad"}\n{"path"\n', "cannot be read after line 1"),
        ('{"path": "a.wav", "label": "sad"}\n["a.wav"]\n', "line 2 is not a JSON object"),
    ],
)
def test_a_faulty_jsonl_is_one_line_that_says_where(folder, text, message):
    with pytest.raises(DatasetError, match=message):
        load(manifest(folder, text, "set.jsonl"))


def test_jsonl_keeps_numbers_and_drops_what_is_no_text(folder):
    line = '{"path": "a.wav", "label": 3, "age": 4.5, "old": true, "tags": ["x"], "note": null}'
    (clip,) = load(manifest(folder, line, "set.jsonl")).clips(0, None)
    assert (clip.label, clip.groups) == ("3", {"age": "4.5", "old": "True"})


def test_columns_are_found_by_option_and_their_names_regardless_of_case(folder):
    path = manifest(folder, "ID,Path,Emotion,mood,Actor\n1,a.wav,ANG,fine,Ann\n")
    (clip,) = load(path).clips(0, None)
    assert (clip.label, clip.speaker) == ("ANG", "Ann")
    (clip,) = load(path, label_column="mood", speaker_column="ID").clips(0, None)
    assert (clip.label, clip.speaker) == ("fine", "1")
    assert clip.groups == {"Emotion": "ANG", "Actor": "Ann"}
    with pytest.raises(DatasetNotFoundError, match=r"no column 'voice'.*--speaker-column"):
        load(path, speaker_column="voice")


def test_a_split_column_chooses_the_rows(folder):
    text = "path,label,speaker,split\na.wav,sad,s1,train\nsub/b.wav,sad,s1,dev\na.wav,sad,s2,dev\n"
    dataset = load(manifest(folder, text))
    assert [clip.id for clip in dataset.clips(0, None)] == ["sub/b.wav", "a.wav"]
    assert (dataset.split, dataset.n_clips) == ("dev", 2)
    assert dataset.caveats == (
        (
            "1 of 2 speakers of the whole split also occur in train: "
            "the score says too little about new speakers"
        ),
    )
    train = load(manifest(folder, text), split="train")
    assert (train.n_clips, train.caveats) == (1, ())
    for absent in ("test", "validation", "Dev"):
        with pytest.raises(DatasetNotFoundError, match=f"no split '{absent}'; it has: train, dev"):
            load(manifest(folder, text), split=absent)


def test_a_split_written_in_several_ways_is_one(folder):
    rows = ["a.wav,sad,Test ", "sub/b.wav,sad,TEST", "a.wav,sad,train", "a.wav,sad, test"]
    dataset = load(manifest(folder, "\n".join(["path,label,split", *rows])), split="Test")
    assert [clip.id for clip in dataset.clips(0, None)] == ["a.wav", "sub/b.wav", "a.wav#2"]
    assert (dataset.n_clips, dataset.left_out) == (3, ())


def test_a_split_that_cannot_be_known_is_asked_for(folder):
    text = "path,label,split\na.wav,sad,one\na.wav,sad,two\n"
    with pytest.raises(DatasetNotFoundError, match=r"choose one with --split: one, two"):
        load(manifest(folder, text))
    with pytest.raises(DatasetNotFoundError, match="has no splits; leave out --split one"):
        load(manifest(folder, "path,label\na.wav,sad\n"), split="one")


def test_the_fingerprint_sees_the_audio_but_not_the_limit(folder):
    path = manifest(folder, "path,label\na.wav,sad\nsub/b.wav,sad\n")
    before = load(path).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert load(path, limit=1).fingerprint == before
    (folder / "a.wav").write_bytes(b"RIFF and more")
    assert load(path).fingerprint != before


def test_a_limit_below_one_is_refused(folder):
    with pytest.raises(ConfigError, match="--limit 0 leaves no clip"):
        load(manifest(folder, "path,label\na.wav,sad\n"), limit=0)


def test_what_is_no_dataset_is_refused_by_name(folder):
    with pytest.raises(DatasetError, match=r"a\.wav is not a dataset: give a folder, or a file"):
        load(folder / "a.wav")
    with pytest.raises(
        DatasetNotFoundError, match="known: demo, ssi, hf:ORG/NAME, CORPUS:PATH, or a path"
    ):
        load(folder / "nowhere")


def test_a_manifest_that_is_gone_by_now_is_named(folder):
    path = manifest(folder, "path,label\na.wav,sad\n")
    dataset = load(path)
    path.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"set\.csv cannot be read: No such file"):
        next(dataset.clips(0, None))


def test_a_tilde_is_the_home_folder_as_it_is_for_a_model(folder, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(folder))
    manifest(folder, "path,label\na.wav,sad\n")
    assert load("~/set.csv").location == str((folder / "set.csv").resolve())


COMMON_VOICE = (
    "path\tsentence\tlabel\n"
    'a.wav\t"Well, he said.\tsad\n'
    "sub/b.wav\tno quote\thappy\n"
    'a.wav\tsaid "no" and left"\tsad\n'
)


def test_quotes_in_a_tsv_that_nobody_meant_as_such_swallow_no_row(folder):
    clips = list(load(manifest(folder, COMMON_VOICE, "set.tsv")).clips(0, None))
    assert [(clip.id, clip.label) for clip in clips] == [
        ("a.wav", "sad"), ("sub/b.wav", "happy"), ("a.wav#2", "sad"),
    ]  # fmt: skip
    assert clips[0].groups["sentence"] == '"Well, he said.'
    # Two of them would make one cell of three rows.
    twice = COMMON_VOICE.replace('"no" and left"', "no").replace("no quote", 'it"')
    assert load(manifest(folder, twice, "set.tsv")).n_clips == 3


def test_quotes_in_a_tsv_that_hold_a_cell_together_do_so(folder):
    text = 'path\tsentence\tlabel\na.wav\t"one\ttwo\nthree"\tsad\nsub/b.wav\t"x"\thappy\n'
    clips = list(load(manifest(folder, text, "set.tsv")).clips(0, None))
    assert [clip.groups["sentence"] for clip in clips] == ["one\ttwo\nthree".replace(
        "\t", "\\t").replace("\n", "\\n"), "x"]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        "path|label\na.wav|größe, klein\n",
        "path;label\na.wav;größe, klein\n",
        "sep=;\npath;label\na.wav;größe, klein\n",
        'SEP=,\r\npath,label\r\na.wav,"größe, klein"\r\n',
    ],
)
def test_tables_of_spreadsheets_are_read_in_any_of_their_forms(folder, text, encoding):
    dataset = load(manifest(folder, text, encoding=encoding))
    assert [(clip.id, clip.label) for clip in dataset.clips(0, None)] == [("a.wav", "größe, klein")]


@pytest.mark.parametrize("cell", ["x" * 300 + ".wav", "UklGR" * 60_000, "nul\0.wav", "a.wav/b.wav",
                                  "\ud800.wav"])  # fmt: skip
@pytest.mark.parametrize("name", ["set.csv", "set.jsonl"])
def test_a_cell_that_can_be_no_path_is_its_clips_own_trouble(folder, cell, name):
    rows = [{"path": "a.wav", "label": "sad"}, {"path": cell, "label": "sad"}]
    text = "path,label\n" + "".join(f"{row['path']},sad\n" for row in rows)
    if name == "set.jsonl":
        text = "\n".join(json.dumps(row) for row in rows)
    elif "\ud800" in cell:
        pytest.skip("no text of a CSV file")
    dataset = load(manifest(folder, text, name))
    assert dataset.n_clips == 2
    good, bad = dataset.clips(0, None)
    assert good.audio.read_bytes() == b"RIFF"
    assert len(bad.id) < 400
    with pytest.raises(AudioError, match="cannot"):
        encoded_bytes(bad.audio)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[" * 100_000, "is nested too deep after line 1"),
        ('{"path": "a.wav", "label": ' + "9" * 5000 + "}", "cannot be read after line 1: Exceeds"),
        ('{"path": "a.wav", "label": ' + '{"a":' * 50_000, "is nested too deep after line 1"),
    ],
)
def test_hostile_json_is_one_line(folder, line, message):
    good = '{"path": "a.wav", "label": "sad"}\n'
    with pytest.raises(DatasetError, match=message) as caught:
        load(manifest(folder, good + line, "set.jsonl"))
    assert len(str(caught.value)) < 400


def test_a_label_may_stand_in_a_list_of_one(folder):
    lines = [{"path": "a.wav", "label": label} for label in (["sad"], ["sad", "happy"], [], "sad")]
    dataset = load(manifest(folder, "\n".join(map(json.dumps, lines)), "set.jsonl"))
    assert [clip.label for clip in dataset.clips(0, None)] == ["sad", "sad + happy", "", "sad"]


def test_rows_that_name_no_split_are_counted(folder):
    text = "path,label,split\na.wav,sad,dev\nsub/b.wav,sad,\na.wav,sad,train\n"
    dataset = load(manifest(folder, text))
    assert dataset.n_clips == 1
    (part,) = dataset.left_out
    assert (part.n, part.reason, part.examples) == (
        1,
        "with nothing in the column split",
        ("row 2",),
    )


def test_what_lies_beside_a_manifest_is_no_part_of_the_set(folder):
    assert load(manifest(folder, "path,label\na.wav,sad\n")).left_out == ()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("m.txt", "rename it to .csv or .tsv"),
        ("m.json", "to .jsonl"),
        ("m.xlsx", "as .csv"),
        ("m.tar.gz", "unpack it, and give the folder"),
        ("m.wav", r"serval predict \S*m\.wav"),
    ],
)
def test_a_list_under_another_name_is_refused_with_the_name_to_give(tmp_path, name, remedy):
    (tmp_path / name).write_text("path,label\na.wav,angry\n")
    with pytest.raises(DatasetError, match=f"is not a dataset: .*{remedy}"):
        load(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\npath;label\r\na.wav;sad\r\n;\r\n;\r\n",
        "\npath,label\na.wav,sad\n,,\n",
        " ; \n\npath;label\na.wav;sad\n",
        "path;label;;\na.wav;sad;;\n;;;\n",
        "path,label,\na.wav,sad,\n",
        "path,label\na.wav,sad,,,\n",
        ",path,label,\n0,a.wav,sad,\n",
    ],
)
def test_what_a_spreadsheet_leaves_empty_is_neither_a_clip_nor_a_column(folder, text):
    dataset = load(manifest(folder, text))
    assert [(clip.id, clip.label) for clip in dataset.clips(0, None)] == [("a.wav", "sad")]
    assert dataset.n_clips == 1


def test_a_cell_under_no_name_is_lost_in_no_silence(folder):
    with pytest.raises(DatasetError, match="line 2 has 4 cells, the header 3"):
        load(manifest(folder, "path,label,,\na.wav,sad,,x\n"))


def test_an_accented_letter_is_one_in_either_of_its_forms(folder):
    rows = [f"a.wav,cole\u0300re,Jose\u0301,{i}\na.wav,col\u00e8re,Jos\u00e9,{i}" for i in "12"]
    dataset = load(manifest(folder, "path,label,speaker,take\n" + "\n".join(rows)))
    found = {(clip.label, clip.speaker) for clip in dataset.metadata(0, None)}
    assert found == {("col\u00e8re", "Jos\u00e9")}


def test_the_column_whose_files_are_missing_is_named(folder):
    text = "file_name,path,label\nx.wav,a.wav,sad\n"
    with pytest.raises(DatasetNotFoundError, match=r"in its column 'file_name'.* --audio-column"):
        load(manifest(folder, text))
    assert load(manifest(folder, text), audio_column="path").n_clips == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"revision": "v9"}, "--revision 'v9' is about sets of the hub"),
        ({"sample_seed": 7}, "--sample-seed 7 draws nothing without --sample"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(folder, options, message):
    with pytest.raises(ConfigError, match=message):
        load(manifest(folder, "path,label\na.wav,sad\n"), **options)

"""Parquet files as `datasets`, pandas and others write them."""

import base64
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from contract.sets import ROWS, parquet_bytes
from serval.audio import encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import AudioError, DatasetError, DatasetNotFoundError


def load(path, **options):
    return load_dataset(str(path), options=DatasetOptions(**options))


def written(path, content):
    pq.write_table(pa.table(content), path)
    return path


def audio(n=2):
    return [{"bytes": b"sound%d" % i, "path": f"c{i}.wav"} for i in range(n)]


def test_integers_become_the_names_of_their_classes(tmp_path):
    path = tmp_path / "set.parquet"
    names = {
        "emotion": {"_type": "ClassLabel", "names": ["angry", "sad"]},
        "gender": {"_type": "ClassLabel", "names": ["F", "M"]},
    }
    path.write_bytes(parquet_bytes(ROWS[:3], features=names, emotion=[1, 0, -1], gender=[0, 1, 7]))
    clips = list(load(path).clips(0, None))
    assert [clip.label for clip in clips] == ["sad", "angry", ""]
    assert [clip.groups.get("gender") for clip in clips] == ["F", "M", None]


def test_cells_that_are_no_text_are_left_out(tmp_path):
    content = {
        "audio": audio(),
        "label": [2.0, None],
        "age": [float("nan"), 31.0],
        "tags": [["a"], ["b"]],
        "where": [{"x": 1}, {"x": 2}],
        "note": ["", " said twice "],
    }
    clips = list(load(written(tmp_path / "set.parquet", content)).clips(0, None))
    assert [clip.label for clip in clips] == ["2", ""]
    assert [clip.groups for clip in clips] == [{}, {"age": "31", "note": "said twice"}]


def test_an_image_is_no_audio_and_a_plain_binary_column_is(tmp_path):
    path = tmp_path / "set.parquet"
    face = [{"bytes": b"face", "path": "f.png"}] * 2
    table = pa.table({"face": face, "sound": [b"one", b"two"], "label": ["sad", "sad"]})
    info = b'{"info": {"features": {"face": {"_type": "Image"}, "sound": {"dtype": "binary"}}}}'
    pq.write_table(table.replace_schema_metadata({b"huggingface": info}), path)
    clips = list(load(path).clips(0, None))
    assert [(clip.id, clip.audio) for clip in clips] == [
        ("clip-000000", b"one"),
        ("clip-000001", b"two"),
    ]
    assert [clip.id for clip in load(path).metadata(1, 2)] == ["clip-000001"]
    assert clips[0].groups == {}


@pytest.mark.parametrize("info", [b"no json", b'{"info": 3}', b'{"info": {"features": []}}'])
def test_what_others_wrote_into_the_metadata_does_not_matter(tmp_path, info):
    table = pa.table({"audio": audio(), "label": ["sad", "sad"]})
    path = tmp_path / "set.parquet"
    pq.write_table(table.replace_schema_metadata({b"huggingface": info}), path)
    assert [clip.audio for clip in load(path).clips(0, None)] == [b"sound0", b"sound1"]


def test_audio_beside_the_file_is_read_where_the_row_has_only_its_path(tmp_path):
    (tmp_path / "c0.wav").write_bytes(b"RIFF")
    content = {
        "audio": [{"bytes": None, "path": "c0.wav"}, {"bytes": None, "path": None}, None],
        "label": ["sad"] * 3,
    }
    clips = list(load(written(tmp_path / "set.parquet", content)).clips(0, None))
    assert [clip.audio for clip in clips] == [tmp_path / "c0.wav", b"", b""]
    assert [clip.id for clip in clips] == ["c0.wav", "clip-000001", "clip-000002"]


def test_a_column_that_cannot_play_its_part_is_refused(tmp_path):
    path = written(tmp_path / "set.parquet", {"audio": audio(), "label": [{"a": 1}, {"a": 2}]})
    with pytest.raises(
        DatasetError, match=r"'label' holds records of \(a\), which are no label; .* may: none"
    ):
        load(path, label_column="label")
    with pytest.raises(
        DatasetNotFoundError, match=r"'label' holds records of \(a\), which are no label"
    ):
        load(path)
    path = written(tmp_path / "set.parquet", {"audio": audio(), "label": ["sad", "sad"]})
    with pytest.raises(DatasetError, match="'audio' holds encoded audio, which are no speaker"):
        load(path, speaker_column="audio")


def test_a_set_without_rows_is_refused(tmp_path):
    path = written(tmp_path / "set.parquet", {"audio": pa.array([], pa.binary()), "label": []})
    with pytest.raises(DatasetError, match="has no clips"):
        load(path)


def test_a_file_that_breaks_off_is_named(tmp_path):
    path = tmp_path / "set.parquet"
    path.write_bytes(parquet_bytes()[:2000])
    with pytest.raises(DatasetError, match=r"set\.parquet cannot be read as parquet"):
        load(path)


def test_damaged_pages_are_an_error_of_the_set_not_a_crash(tmp_path):
    path = tmp_path / "set.parquet"
    content = bytearray(parquet_bytes(group_rows=100))
    dataset = None
    path.write_bytes(content)
    dataset = load(path)
    content[4:3000] = bytes(2996)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"set\.parquet breaks off"):
        list(dataset.clips(0, None))


SAMPLES = [0.0, 0.5, -0.5, 1.0]


def heard(path, **options):
    """The samples and rate of each clip."""
    decoded = (soundfile.read(io.BytesIO(c.audio)) for c in load(path, **options).clips(0, None))
    return [(samples.tolist(), rate) for samples, rate in decoded]


@pytest.mark.parametrize(
    "content",
    [
        {"audio": [{"array": SAMPLES, "path": "a.wav", "sampling_rate": 8000}]},
        {"audio": [{"array": SAMPLES, "sampling_rate": 8000}]},
        {"audio": [{"array": [SAMPLES], "sampling_rate": 8000.0}]},
        {"samples": [SAMPLES], "sampling_rate": [8000], "path": ["/gone/a.wav"]},
        {"audio": [SAMPLES], "sr": [8000]},
    ],
)
def test_decoded_audio_in_a_column_is_the_clip(tmp_path, content):
    path = written(tmp_path / "set.parquet", content | {"label": ["sad"]})
    assert heard(path) == [(SAMPLES, 8000)]
    (clip,) = load(path).metadata(0, None)
    assert (clip.label, clip.audio, clip.groups.get("sr")) == ("sad", b"", None)


def test_integer_samples_keep_their_scale(tmp_path):
    audio = [{"array": [0, 16384, -32768], "sampling_rate": 8000}]
    path = written(tmp_path / "set.parquet", {"audio": audio, "label": ["sad"]})
    assert heard(path) == [([0.0, 0.5, -1.0], 8000)]


def test_samples_that_are_none_fail_their_clip_alone(tmp_path):
    broken = [([], 8000), (None, 8000), (SAMPLES, None), (SAMPLES, 0), (SAMPLES, -1)]
    audio = [{"array": array, "sampling_rate": rate} for array, rate in [(SAMPLES, 8000), *broken]]
    path = written(tmp_path / "set.parquet", {"audio": audio, "label": ["sad"] * 6})
    assert [len(clip.audio) > 0 for clip in load(path).clips(0, None)] == [True] + [False] * 5


def test_samples_without_a_rate_are_refused(tmp_path):
    path = written(tmp_path / "set.parquet", {"audio": [SAMPLES], "label": ["sad"]})
    with pytest.raises(DatasetError, match="'audio' holds samples, but no column says their rate"):
        load(path)


def test_a_record_of_bytes_alone_is_audio(tmp_path):
    path = written(tmp_path / "set.parquet", {"audio": [{"bytes": b"one"}], "label": ["sad"]})
    assert [clip.audio for clip in load(path).clips(0, None)] == [b"one"]
    assert [clip.id for clip in load(path).metadata(0, None)] == ["clip-000000"]
    assert [clip.audio for clip in load(path, audio_column="audio").clips(0, None)] == [b"one"]


def test_a_list_of_one_label_is_that_label(tmp_path):
    labels = [["sad"], ["sad", "happy"], [], None]
    path = written(tmp_path / "set.parquet", {"audio": audio(4), "labels": labels})
    assert [c.label for c in load(path).metadata(0, None)] == ["sad", "sad + happy", "", ""]
    feature = {"_type": "Sequence", "feature": {"_type": "ClassLabel", "names": ["angry", "sad"]}}
    path.write_bytes(parquet_bytes(ROWS[:2], features={"emotion": feature}, emotion=[[1], [0]]))
    assert [clip.label for clip in load(path).metadata(0, None)] == ["sad", "angry"]


def test_text_that_is_not_utf8_is_the_clips_own_trouble(tmp_path):
    text = pa.array([b"sad", b"\xff\xfe"]).view(pa.string())
    path = written(tmp_path / "set.parquet", {"audio": audio(), "label": text, "note": text})
    clips = list(load(path).clips(0, None))
    assert [(clip.label, clip.groups) for clip in clips] == [("sad", {"note": "sad"}), ("", {})]
    assert [clip.audio for clip in clips] == [b"sound0", b"sound1"]


def test_times_in_nanoseconds_are_text(tmp_path):
    when = pa.array([1, 2_000_000_001], pa.timestamp("ns"))
    path = written(tmp_path / "set.parquet", {"audio": audio(), "label": ["sad"] * 2, "at": when})
    assert [clip.groups["at"] for clip in load(path).metadata(0, None)] == [
        "1970-01-01 00:00:00.000000001", "1970-01-01 00:00:02.000000001",
    ]  # fmt: skip


def test_audio_as_text_is_refused_in_one_short_line(tmp_path):
    text = base64.b64encode(bytes(100_000)).decode()
    path = written(tmp_path / "set.parquet", {"audio": [text] * 2, "label": ["sad"] * 2})
    with pytest.raises(DatasetError, match=r"holds audio as text \('A{30}\.\.\.'\), which") as e:
        load(path)
    assert len(str(e.value).replace(str(tmp_path), "")) < 330


def test_addresses_are_not_taken_for_files(tmp_path):
    content = {"audio": ["https://x.org/a.wav"], "label": ["sad"]}
    path = written(tmp_path / "set.parquet", content)
    with pytest.raises(DatasetError, match=r"\('https://x\.org/a\.wav'\), which serval does not f"):
        load(path)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_records_of_addresses_without_bytes_are_refused(tmp_path, kind):
    at = [{"bytes": None, "path": f"https://example.org/{i}.wav"} for i in range(3)]
    path = tmp_path / f"set.{kind}"
    if kind == "parquet":
        whole = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        written(path, {"audio": pa.array(at, whole), "label": ["sad"] * 3})
    else:
        path.write_text("".join(json.dumps({"audio": one, "label": "sad"}) + "\n" for one in at))
    with pytest.raises(DatasetError, match=r"holds web addresses \('https://example.org/0.wav'\)"):
        load(path)


def test_a_lone_address_among_audio_is_its_clips_trouble(tmp_path):
    at = [*audio(1), {"bytes": None, "path": "https://example.org/a.wav"}]
    _, clip = load(written(tmp_path / "set.parquet", {"audio": at, "label": ["sad"] * 2})).clips(
        0, 2
    )
    with pytest.raises(
        AudioError, match=r"^https://example.org/a.wav is a web address, .*download"
    ):
        encoded_bytes(clip.audio)


def test_paths_that_are_declared_as_audio_name_their_clips(tmp_path):
    names = ["a.wav", "b.wav"]
    for name in names:
        (tmp_path / name).write_bytes(b"sound")
    info = b'{"info": {"features": {"audio": {"_type": "Audio"}}}}'
    table = pa.table({"audio": names, "label": ["sad", "happy"]})
    pq.write_table(table.replace_schema_metadata({b"huggingface": info}), tmp_path / "set.parquet")
    dataset = load(tmp_path / "set.parquet")
    assert (
        [c.id for c in dataset.metadata(0, None)] == [c.id for c in dataset.clips(0, None)] == names
    )


@pytest.mark.parametrize("named", [None, "audio"])
@pytest.mark.parametrize(
    ("audio", "said"),
    [
        ({"array": SAMPLES}, "hold samples, but not their rate; add a field sampling_rate"),
        ([{"bytes": b"one"}], "lists of records, or images, which are no audio; .* may: none"),
    ],
)  # fmt: skip
def test_records_that_are_no_audio_get_one_answer(tmp_path, audio, said, named):
    path = written(tmp_path / "set.parquet", {"audio": [audio], "label": ["sad"]})
    with pytest.raises(DatasetError, match=said):
        load(path, audio_column=named)


def test_marks_in_a_list_are_no_labels(tmp_path):
    path = written(tmp_path / "set.parquet", {"audio": audio(1), "label": [[0, 1, 0, 0]]})
    with pytest.raises(DatasetError, match=r"\[0, 1, 0, 0\], which repeats a label; .*emotion-col"):
        list(load(path).metadata(0, None))


@pytest.mark.parametrize(
    "info",
    [b"[" * 100_000, b'{"info": {"features": {"label": {"names": 3, "_type": "ClassLabel"}}}}'],
)
def test_hostile_metadata_says_nothing(tmp_path, info):
    table = pa.table({"audio": audio(), "label": ["sad", "sad"]})
    path = tmp_path / "set.parquet"
    pq.write_table(table.replace_schema_metadata({b"huggingface": info}), path)
    assert [clip.label for clip in load(path).clips(0, None)] == ["sad", "sad"]


def test_a_file_that_a_row_names_without_holding_it_is_part_of_the_fingerprint(tmp_path):
    rows = [{"bytes": None, "path": "x.wav"}, {"bytes": b"sound", "path": "y.wav"}]
    path = written(tmp_path / "set.parquet", {"audio": rows, "label": ["sad", "sad"]})
    found = [load(path).fingerprint]  # neither file is there
    for name, content in (("x.wav", b"one"), ("x.wav", b"two"), ("y.wav", b"held by the row")):
        (tmp_path / name).write_bytes(content)
        found.append(load(path).fingerprint)
    assert len(set(found)) == 3
    assert found[3] == found[2]


@pytest.mark.parametrize("names", ["{'1': sad, '2': angry}", "{sad: first}", "{'0': null}"])
def test_class_names_of_a_card_without_an_order_are_refused(tmp_path, names):
    card = f"""---
dataset_info:
  features:
  - name: label
    dtype:
      class_label:
        names: {names}
---
"""
    (tmp_path / "README.md").write_text(card)
    written(tmp_path / "set.parquet", {"audio": audio(), "label": [0, 1]})
    with pytest.raises(DatasetError, match=r"README\.md numbers the class names of column 'label'"):
        load(tmp_path)

"""The same eight clips in every form in which a dataset can come."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq

from build import encoded, voice

CODES = ("ANG", "CAL", "DIS", "FEA", "HAP", "NEU", "SAD", "SUR")
FORMATS = (("WAV", "wav"), ("FLAC", "flac"), ("OGG", "ogg"), ("AIFF", "aiff"))

CARD = """---
license: cc-by-4.0
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
  - split: validation
    path: data/validation-*.parquet
---
Tones in the layout of the published set.
"""


def clip(number, first_speaker=0):
    """One row: the audio, its file name, and what the other columns say."""
    form, suffix = FORMATS[number % len(FORMATS)]
    sound = encoded(voice(number, 0.2), 16_000, form, "OPUS" if form == "OGG" else None)
    return {
        "name": f"clip{number}.{suffix}",
        "sound": sound,
        "emotion": CODES[number % len(CODES)],
        "speaker_id": f"S{first_speaker + number % 3}",
        "gender": "FM"[number % 2],
        "text": f"sentence, number {number}",
    }


ROWS = [clip(number) for number in range(8)]


def others(row):
    return {key: row[key] for key in ("emotion", "speaker_id", "gender", "text")}


def write_sounds(folder, rows=ROWS):
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        (folder / row["name"]).write_bytes(row["sound"])


def parquet_bytes(rows=ROWS, *, audio="file_path", features=None, group_rows=3, **columns):
    """A parquet file with the audio in it, as `datasets` writes them."""
    content = {audio: [{"bytes": row["sound"], "path": row["name"]} for row in rows]}
    content |= {key: [row[key] for row in rows] for key in others(rows[0])}
    content |= columns
    table = pa.table({key: values for key, values in content.items() if values is not None})
    declared = {audio: {"_type": "Audio"}} | (features or {})
    info = json.dumps({"info": {"features": declared}})
    table = table.replace_schema_metadata({"huggingface": info})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=group_rows)
    return buffer.getvalue()


def csv_text(rows, path_column, prefix="", delimiter=","):
    buffer = io.StringIO()
    names = [path_column, "emotion", "speaker_id", "gender", "text"]
    writer = csv.DictWriter(buffer, names, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows({path_column: prefix + row["name"], **others(row)} for row in rows)
    return buffer.getvalue()


def ssi_files(shards=3, train_shards=1):
    """A repository in the published set's layout, with the eight clips in its validation split."""
    files = {"README.md": CARD.encode()}
    step = -(-len(ROWS) // shards)
    for number in range(shards):
        name = f"data/validation-{number:05d}-of-{shards:05d}.parquet"
        files[name] = parquet_bytes(ROWS[number * step : (number + 1) * step])
    for number in range(train_shards):
        name = f"data/train-{number:05d}-of-{train_shards:05d}.parquet"
        files[name] = parquet_bytes([clip(100 + i, first_speaker=2) for i in range(4)])
    return files


def write_files(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def csv_manifest(folder):
    write_sounds(folder / "wavs")
    path = folder / "set.csv"
    path.write_text(csv_text(ROWS, "path", "wavs/"), encoding="utf-8")
    return path


def semicolon_manifest(folder):
    write_sounds(folder / "wavs")
    path = folder / "set.csv"
    path.write_text(csv_text(ROWS, "path", "wavs\\", ";"), encoding="utf-16")
    return path


def tsv_manifest(folder):
    write_sounds(folder)
    path = folder / "set.tsv"
    path.write_text(csv_text(ROWS, "file", delimiter="\t"), encoding="utf-8-sig")
    return path


def jsonl_manifest(folder):
    write_sounds(folder)
    lines = (json.dumps({"audio": row["name"], **others(row)}) for row in ROWS)
    path = folder / "set.jsonl"
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def manifest_with_splits(folder):
    rows = [*ROWS, *(clip(20 + i) for i in range(3))]
    write_sounds(folder, rows)
    split = ["valid"] * len(ROWS) + ["train"] * 3
    lines = (
        json.dumps({"path": row["name"], **others(row), "split": name})
        for row, name in zip(rows, split, strict=True)
    )
    path = folder / "set.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def parquet_of_paths(folder):
    write_sounds(folder / "wavs")
    path = folder / "set.parquet"
    table = [{"path": f"wavs/{row['name']}", **others(row)} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(table), path)
    return path


def parquet_with_audio(folder):
    folder.mkdir()
    path = folder / "set.parquet"
    path.write_bytes(parquet_bytes())
    return path


def parquet_folder(folder):
    return write_files(folder, ssi_files())


def audio_folder(folder):
    write_sounds(folder / "train", [clip(30), clip(31)])
    (folder / "train" / "metadata.csv").write_text(csv_text([clip(30), clip(31)], "file_name"))
    write_sounds(folder / "validation")
    (folder / "validation" / "metadata.csv").write_text(csv_text(ROWS, "file_name"))
    return folder


def audio_folder_with_one_list(folder):
    more = [clip(30), clip(31)]
    write_sounds(folder / "test", more)
    write_sounds(folder / "dev")
    listed = csv_text(ROWS, "file_name", "dev/")
    listed += csv_text(more, "file_name", "test/").split("\n", 1)[1]
    (folder / "metadata.csv").write_text(listed)
    return folder


def audio_folder_with_parquet_list(folder):
    write_sounds(folder)
    table = [{"file_name": row["name"], **others(row)} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(table), folder / "metadata.parquet")
    return folder


def manifests_in_folder(folder):
    write_files(folder, {"clips/a.bin": b""})
    for row in ROWS:
        (folder / "clips" / f"{row['name']}.bin").write_bytes(row["sound"])
    renamed = [row | {"name": f"{row['name']}.bin"} for row in ROWS]
    (folder / "validation.csv").write_text(csv_text(renamed, "path", "clips/"))
    return folder


SOURCES = {
    make.__name__: make
    for make in (
        csv_manifest,
        semicolon_manifest,
        tsv_manifest,
        jsonl_manifest,
        manifest_with_splits,
        parquet_of_paths,
        parquet_with_audio,
        parquet_folder,
        audio_folder,
        audio_folder_with_one_list,
        audio_folder_with_parquet_list,
        manifests_in_folder,
    )
}

"""One suite over every kind of dataset source: what evaluation may rely on."""

import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import process_environment
from contract.observe import SLICES, observe
from contract.sets import ROWS, SOURCES


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    return SOURCES[request.param](tmp_path / "set")


@pytest.fixture
def seen(source):
    return observe(str(source))


def test_every_clip_comes_in_order_with_its_own_audio(seen):
    assert [clip["index"] for clip in seen["clips"]] == list(range(len(ROWS)))
    assert [clip["audio"] for clip in seen["clips"]] == [
        hashlib.sha256(row["sound"]).hexdigest() for row in ROWS
    ]


def test_label_speaker_and_groups_are_those_of_the_row(seen):
    for clip, row in zip(seen["clips"], ROWS, strict=True):
        assert (clip["label"], clip["speaker"]) == (row["emotion"], row["speaker_id"])
        assert clip["groups"]["gender"] == row["gender"]
        assert clip["groups"]["text"] == row["text"]
        assert clip["id"].removesuffix(".bin").endswith(row["name"])


def test_ids_are_unique_and_name_no_folder_of_this_machine(seen, tmp_path):
    ids = [clip["id"] for clip in seen["clips"]]
    assert len(set(ids)) == len(ids)
    assert not any(str(tmp_path) in clip_id or "\\" in clip_id for clip_id in ids)


def test_people_read_a_short_name_and_the_whole_path_is_kept(source, seen):
    assert (seen["name"], seen["location"]) == (source.name, str(source.resolve()))


def test_metadata_is_the_clips_without_audio(seen):
    assert seen["metadata"] == [clip | {"audio": ""} for clip in seen["clips"]]


@pytest.mark.parametrize(("start", "stop"), SLICES)
def test_a_slice_is_the_same_clips_with_the_same_ids(seen, start, stop):
    assert seen["slices"][f"{start}:{stop}"] == seen["clips"][start:stop]


def test_the_count_and_the_split_are_known(seen):
    assert seen["n_clips"] == len(ROWS)
    assert seen["split"] in ("", "validation", "valid", "dev")


def test_a_limit_stops_there(source):
    seen = observe(str(source), limit=3)
    assert (len(seen["clips"]), len(seen["metadata"]), seen["n_clips"]) == (3, 3, 3)


def test_a_copy_elsewhere_is_the_same_set(source, seen, tmp_path):
    folder = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "set", folder)
    copy = folder if source.is_dir() else folder / source.name
    again = observe(str(copy))
    assert again["fingerprint"] == seen["fingerprint"]
    assert again["clips"] == seen["clips"]


def test_another_label_is_another_set(source, seen, tmp_path):
    for path in sorted((tmp_path / "set").rglob("*")):
        if path.suffix in (".csv", ".jsonl", ".tsv", ".parquet") and "train" not in str(path):
            content = path.read_bytes()
            for text in (b"HAP", "HAP".encode("utf-16-le")):
                content = content.replace(text, text.replace(b"H", b"L"))
            path.write_bytes(content)
    assert observe(str(source))["fingerprint"] != seen["fingerprint"]


def write_one_group(path, n_clips):
    """Random bytes, so that compression does not hide their size."""
    random = np.random.default_rng(0)
    audio = [{"bytes": random.bytes(64_000), "path": f"{i}.wav"} for i in range(n_clips)]
    table = pa.table({"audio": audio, "label": ["sad"] * n_clips})
    pq.write_table(table, path, row_group_size=n_clips, use_dictionary=False, write_batch_size=16)


READ_ALL = """
import sys
import psutil
import pyarrow
from serval.datasets import load_dataset
n_bytes, most = 0, 0
for clip in load_dataset(sys.argv[1]).clips(0, None):
    n_bytes += len(clip.audio)
    if clip.index % 50 == 0:
        most = max(most, psutil.Process().memory_info().rss)
print(n_bytes, most / 1e6, pyarrow.default_memory_pool().max_memory() / 1e6)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_a_set(tmp_path):
    """A file whose rows are all in one group is ten times as large, the memory about the same."""
    held = []
    for n_clips in (400, 4000):
        path = tmp_path / f"{n_clips}.parquet"
        write_one_group(path, n_clips)
        done = subprocess.run(
            [sys.executable, "-c", READ_ALL, str(path)],
            capture_output=True,
            text=True,
            env=process_environment(),
            check=True,
        )
        n_bytes, *megabytes = done.stdout.split()
        assert int(n_bytes) == n_clips * 64_000
        held.append([float(value) for value in megabytes])
    assert held[1][0] < held[0][0] + 40
    assert held[1][1] < held[0][1] + 20

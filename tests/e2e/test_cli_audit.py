"""`serval audit` as people call it."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from build import encoded, write_manifest
from speech import after_silence, opus, utterance


@pytest.fixture
def leaky(tmp_path):
    """A manifest of two splits; `train` holds a copy of a clip of `test`."""
    files = {f"test{i}.wav": encoded(utterance(i)) for i in range(4)}
    files |= {
        "train0.wav": encoded(utterance(50)),
        "train1.opus": opus(after_silence(utterance(2))),
    }
    rows = []
    for i, (name, content) in enumerate(files.items()):
        (tmp_path / name).write_bytes(content)
        rows.append(
            {
                "path": name,
                "label": ("angry", "sad")[i % 2],
                "speaker_id": f"s{i % 4}",
                "split": "test" if name.startswith("test") else "train",
            }
        )
    return write_manifest(tmp_path / "set.csv", rows)


def test_a_table_names_what_was_found_and_the_files_hold_it(serval, leaky, tmp_path):
    done = serval("audit", leaky, "--split", "test", "--against", "train", COLUMNS=200)
    assert done.returncode == 0, done.stderr
    assert "near-identical-audio" in done.stdout
    assert "test:test2.wav (angry), train:train1.opus (sad)" in done.stdout
    assert "2 of 4 speakers of test" in done.stdout
    assert "6/6 clips" in done.stderr
    document = json.loads((tmp_path / "audit_results" / "audit.json").read_text("utf-8"))
    assert document["counts"]["conflicting-labels"] == 1
    assert (tmp_path / "audit_results" / "audit.csv").read_text("utf-8").startswith("kind,splits,")


@pytest.mark.parametrize(
    ("kinds", "code"),
    [(["silent"], 0), (["silent", "near-identical-audio"], 1), (["any"], 1), ([], 0)],
)
def test_fail_on_decides_the_exit_code(serval, leaky, kinds, code):
    flags = [part for kind in kinds for part in ("--fail-on", kind)]
    done = serval("audit", leaky, "--split", "test", "--against", "train", "--quiet", *flags)
    assert done.returncode == code
    assert done.stdout == ""
    assert ("near-identical-audio (1)" in done.stderr) == bool(code)


def test_json_is_the_whole_of_stdout(serval, leaky, tmp_path):
    done = serval("audit", leaky, "--split", "test", "--json", "-o", "out", "--labels", "angry,sad")
    document = json.loads(done.stdout)
    assert document["splits"][0]["clips"] == 4
    assert document["counts"]["absent-label"] == 0
    assert json.loads((tmp_path / "out" / "audit.json").read_text("utf-8")) == document


def test_a_good_set_has_no_finding(serval, tmp_path):
    rows = []
    for i in range(100):
        name = f"c{i}.wav"
        (tmp_path / name).write_bytes(encoded(utterance(i, seconds=0.5)))
        rows.append({"path": name, "label": ("angry", "sad")[i % 2], "speaker": f"s{i % 3}"})
    manifest = write_manifest(tmp_path / "set.csv", rows)
    done = serval("audit", manifest, "--labels", "angry,sad", "--fail-on", "any")
    assert done.returncode == 0, done.stderr
    assert "Nothing was found in 100 clips of all (0.01 h)." in done.stdout


def test_a_place_that_cannot_be_written_is_told_before_a_clip_is_read(serval, leaky):
    leaky.with_name("file").write_text("in the way", encoding="utf-8")
    done = serval("audit", leaky, "--split", "test", "-o", leaky.with_name("file"))
    assert done.returncode == 2
    assert "clips" not in done.stderr
    assert done.stderr.startswith("serval: cannot write")


def test_square_brackets_in_a_name_are_printed(serval, tmp_path):
    (tmp_path / "[red]a.wav").write_bytes(encoded(np.zeros(8000, np.float32)))
    rows = [{"path": "[red]a.wav", "label": "sad"}]
    done = serval("audit", write_manifest(tmp_path / "set.csv", rows), COLUMNS=200)
    assert "all:[red]a.wav: peak digital zero" in done.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["gone.csv"], "gone.csv"),
        (["set.csv", "--split", "test", "--against", "nowhere"], "nowhere"),
        (["set.csv", "--split", "test", "--against", "test"], "is the same set"),
        (["set.csv", "--fail-on", "smell"], "smell"),
        (["set.csv", "--split", "test", "--labels", "angry"], "at least 2 labels"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(serval, leaky, flags, message):
    done = serval("audit", *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_evaluation_warns_of_speakers_that_are_in_train_too(serval, leaky, model_file):
    done = serval(
        *("evaluate", "-m", model_file, "-d", leaky, "--split", "test", "--no-plots"), COLUMNS=200
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 4 speakers of the whole split also occur in train" in done.stdout


DOUBLED = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")
RELABELLED = {"1006_TIE": ("NEU", "HAP"), "1013_WSI": ("SAD", "DIS"), "1017_IWW": ("ANG", "FEA")}
SILENT = "1076_MTI_SAD_XX"


def stem(path):
    return path.split(".")[0]


def excerpt(corpus, folder):
    """The set with the clips that its card tells of, and the first two of each speaker a split."""
    told = {*DOUBLED, SILENT}
    told |= {f"{take}_{label}_XX" for take, labels in RELABELLED.items() for label in labels}
    (folder / "data").mkdir(parents=True)
    for split in ("validation", "train"):
        files = sorted((corpus / "data").glob(f"{split}-*.parquet"))
        table = pa.concat_tables([pq.read_table(file) for file in files])
        seen, kept = Counter(), []
        for i, row in enumerate(table.drop_columns("file_path").to_pylist()):
            seen[row["speaker_id"]] += 1
            name = stem(table["file_path"][i]["path"].as_py())
            if seen[row["speaker_id"]] <= 2 or name in told:
                kept.append(i)
        pq.write_table(table.take(kept), folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.weekly)])
def test_the_real_set_has_what_its_card_tells_of(shared, serval, tmp_path, whole):
    corpus = shared / "corpora" / "ssi-like"
    if not whole:
        corpus = excerpt(corpus, tmp_path / "excerpt")
    done = serval(
        *("audit", corpus, "--split", "validation", "--against", "train", "--json"),
        *("--fail-on", "shared-speakers"),
    )
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    counts = document["counts"]
    assert counts["shared-speakers"] == document["splits"][0]["speakers"] == 117
    assert counts["silent"] == 1
    groups = {
        kind: [{stem(m["clip_id"]) for m in f["clips"]} for f in document["findings"]
               if f["kind"] == kind]
        for kind in ("identical-audio", "near-identical-audio", "conflicting-labels")
    }  # fmt: skip
    assert set(DOUBLED) in groups["identical-audio"]
    for take, labels in RELABELLED.items():
        pair = {f"{take}_{label}_XX" for label in labels}
        assert pair in groups["conflicting-labels"]
        assert pair in groups["identical-audio"] + groups["near-identical-audio"]

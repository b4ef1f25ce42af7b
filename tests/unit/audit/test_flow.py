"""A whole audit of a small set that has one of every fault."""

import csv
import json
import shutil

import numpy as np
import pytest

from build import encoded, speech_set, write_manifest
from serval.audit import AuditOptions, FindingKind, audit, audit_verdict, write_audit
from serval.errors import ConfigError, DatasetNotFoundError, LabelError
from speech import after_silence, opus, utterance

pytestmark = pytest.mark.xdist_group("audit of faults")

LABELS = ("angry", "happy", "sad")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Twelve clips in `test`, eight in `train`, and what went wrong with some of them."""
    folder = tmp_path_factory.mktemp("faulty")
    copy = utterance(0)
    files = {f"t{i}.wav": encoded(utterance(i)) for i in range(12)}
    files |= {f"r{i}.wav": encoded(utterance(100 + i)) for i in range(6)}
    files |= {"r6.wav": files["t3.wav"], "r7.opus": opus(after_silence(copy))}
    files["t5.wav"] = encoded(np.zeros(16_000, np.float32))
    rows = []
    for i, (name, content) in enumerate(files.items()):
        (folder / name).write_bytes(content)
        split = "test" if name[0] == "t" else "train"
        speaker = "both" if name in ("t1.wav", "r1.wav") else f"{split}{i % 4}"
        label = LABELS[i % 3]
        rows.append(
            {"path": name, "label": label, "speaker": speaker, "split": split, "text": "hello"}
        )
    rows[-1]["label"] = "happy"
    write_manifest(folder / "set.csv", rows)
    return folder / "set.csv"


def options(path, **other):
    return AuditOptions(**{"dataset": str(path), "split": "test", "labels": LABELS} | other)


@pytest.fixture(scope="module")
def found(faulty):
    return audit(options(faulty, against="train"))


def clips(found, kind):
    return [
        [f"{m.split}:{m.clip_id}" for m in finding.clips]
        for finding in found.findings
        if finding.kind is kind
    ]


def test_each_fault_is_found_where_it_is(found):
    assert clips(found, FindingKind.IDENTICAL_AUDIO) == [["test:t3.wav", "train:r6.wav"]]
    assert clips(found, FindingKind.NEAR_IDENTICAL_AUDIO) == [["test:t0.wav", "train:r7.opus"]]
    assert clips(found, FindingKind.CONFLICTING_LABELS) == [["test:t0.wav", "train:r7.opus"]]
    assert clips(found, FindingKind.SILENT) == [["test:t5.wav"]]
    assert [f.message for f in found.findings if f.kind is FindingKind.SHARED_SPEAKERS] == [
        "speaker both: 1 clip in test, 1 in train"
    ]
    assert found.leak.startswith("2 of 12 clips of test are recordings that train has too")
    assert "1 of 5 speakers of test" in found.leak


def test_nothing_else_is_found_but_that_the_set_is_small(found):
    counts = {kind: n for kind, n in found.counts().items() if n}
    assert counts.pop(FindingKind.RARE_LABEL) == 6
    assert set(counts.values()) == {1}
    assert set(counts) == {
        FindingKind.SHARED_SPEAKERS,
        FindingKind.IDENTICAL_AUDIO,
        FindingKind.NEAR_IDENTICAL_AUDIO,
        FindingKind.CONFLICTING_LABELS,
        FindingKind.SILENT,
    }


def test_what_was_looked_at_is_said(found):
    test, train = found.looked
    assert (test.name, test.clips, test.decoded, test.speakers) == ("test", 12, 12, 5)
    assert train.encodings == {"WAV/PCM_16": 7, "OGG/OPUS": 1}
    assert sum(test.labels.values()) == 12


def test_the_number_of_workers_does_not_change_the_findings(faulty, found):
    assert audit(options(faulty, against="train", workers=3)).findings == found.findings


def test_one_split_alone_is_audited_too(faulty):
    alone = audit(options(faulty))
    assert alone.leak is None
    assert not clips(alone, FindingKind.IDENTICAL_AUDIO)
    assert clips(alone, FindingKind.SILENT) == [["test:t5.wav"]]


def test_progress_counts_every_clip(faulty):
    steps = []
    audit(options(faulty, against="train"), lambda *step: steps.append(step))
    assert steps == [(i, 20, 0) for i in range(1, 21)]


def test_another_dataset_may_be_held_against(faulty, found, tmp_path):
    rest = tmp_path / "rest"
    shutil.copytree(faulty.parent, rest)
    with (rest / "set.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.pop("split") == "train"]
    other = audit(options(faulty, against=str(write_manifest(rest / "other.csv", rows))))
    (pair,) = clips(other, FindingKind.IDENTICAL_AUDIO)
    assert pair == ["set.csv/test:t3.wav", "other.csv:r6.wav"]
    assert [looked.location for looked in other.looked] == [str(faulty), f"{rest / 'other.csv'}"]


def test_two_sets_of_one_name_are_told_apart_by_where_they_are(tmp_path):
    places = [speech_set(tmp_path / name, n, labels=LABELS) for n, name in ((3, "a"), (4, "b"))]
    found = audit(options(places[0], split=None, against=str(places[1])))
    assert [looked.name for looked in found.looked] == [str(place) for place in places]
    assert [looked.clips for looked in found.looked] == [3, 4]


def test_a_label_map_and_a_text_column_are_used(faulty):
    renamed = audit(
        options(faulty, labels=("up", "down"), label_map="happy=up,sad=down", text_column="text")
    )
    assert [f.message for f in renamed.findings if f.kind is FindingKind.UNKNOWN_LABEL] == [
        "label 'angry' is unknown: 4 clips of test; first: t0.wav"
    ]


def test_a_split_cannot_be_held_against_itself(faulty):
    with pytest.raises(ConfigError, match="is the same set"):
        audit(options(faulty, against="test"))


def test_against_must_be_a_split_or_a_dataset(faulty):
    said = "nowhere is neither a split nor a dataset: .* no split 'nowhere'; it has: "
    with pytest.raises(DatasetNotFoundError, match=said):
        audit(options(faulty, against="nowhere"))


def test_a_text_column_must_be_there(faulty):
    with pytest.raises(DatasetNotFoundError, match="no column 'words' for --text-column"):
        audit(options(faulty, text_column="words"))
    assert audit(options(faulty, text_column="text", limit=1)).findings


def test_workers_must_be_there(faulty):
    with pytest.raises(ConfigError, match="--workers is 0"):
        audit(options(faulty, workers=0))


def test_a_map_onto_a_label_that_is_not_expected_is_refused(faulty):
    with pytest.raises(LabelError, match="known: angry"):
        audit(options(faulty, label_map="sad=blue"))


def test_the_files_hold_every_finding(found, tmp_path):
    as_json, as_csv = write_audit(found, tmp_path / "out")
    document = json.loads(as_json.read_text(encoding="utf-8"))
    with as_csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["findings"]) == len(found.findings)
    assert document["counts"]["silent"] == 1
    first, leak = document["verdict"]
    assert first.startswith(f"{len(rows)} findings in ")
    assert ", 1 silent" in first
    assert leak.rstrip(".") == found.leak[:1].upper() + found.leak[1:].rstrip(".")
    assert document["findings"][0]["kind"] == "shared-speakers"
    near = next(row for row in rows if row["kind"] == "near-identical-audio")
    assert near["clip_ids"] == "test:t0.wav | train:r7.opus"
    assert near["labels"] == "angry | happy"


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(tmp_path):
    (tmp_path / "=1.wav").write_bytes(encoded(utterance(1)))
    rows = [{"path": "=1.wav", "label": "=CMD()", "speaker": "s"}]
    found = audit(options(write_manifest(tmp_path / "set.csv", rows), split=None))
    _, as_csv = write_audit(found, tmp_path)
    with as_csv.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=CMD()" in cells
    assert not [cell for cell in cells if cell.startswith("=")]


def test_what_lies_beside_the_clips_is_counted(tmp_path):
    for name in ("a.wav", "forgotten.wav"):
        (tmp_path / name).write_bytes(encoded(utterance(1)))
    write_manifest(tmp_path / "metadata.csv", [{"file_name": "a.wav", "label": "sad"}])
    found = audit(options(tmp_path, split=None))
    (part,) = found.looked[0].left_out
    assert (part.n, part.examples) == (1, ("forgotten.wav",))
    document = json.loads(write_audit(found, tmp_path / "out")[0].read_text(encoding="utf-8"))
    assert document["splits"][0]["left_out"][0]["n"] == 1
    assert document["verdict"][0].endswith("absent-label, 1 rare-label.")


def test_ratings_are_not_taken_for_labels(tmp_path):
    path = speech_set(tmp_path, 6, speakers=2)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for i, row in enumerate(rows):
        del row["label"]
        row |= {"arousal": f"{i}.5", "valence": "3"}
    found = audit(AuditOptions(dataset=str(write_manifest(path, rows))))
    assert [finding.kind.value for finding in found.findings] == ["constant-rating"]
    assert audit_verdict(found)[-1].startswith("The clips of all have ratings of dimensions and no")


def test_a_scale_of_no_ratings_is_refused():
    with pytest.raises(ConfigError, match="--scale would change nothing: no column of demo holds"):
        audit(AuditOptions(dataset="demo", scale="1..7"))


def test_ratings_are_judged_on_the_scale_that_is_stated(tmp_path):
    path = speech_set(tmp_path, 4, speakers=2)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    rows.append(rows[0] | {"speaker": "s9"})
    for row, arousal in zip(rows, ("1", "7.5", "", "n/a", "3"), strict=True):
        row |= {"EmoAct": arousal, "valence": "positive"}
    found = audit(AuditOptions(dataset=str(write_manifest(path, rows)), scale="1..7"))
    messages = [f"{f.kind.value}: {f.message}" for f in found.findings if "rat" in f.kind.value]
    first = next(
        clip for f in found.findings if f.kind.value == "outside-scale" for clip in f.clips
    )
    assert [m.partition(":")[0] for m in messages] == ["conflicting-ratings", "missing-rating"]
    assert "one recording, 'EmoAct' 1 and 3" in messages[0]
    assert "no number in 'EmoAct': 2 clips of all; first: " in messages[1]
    assert first.clip_id == rows[1]["path"]
    assert "of EmoAct, missing, constant and contradictory ones" in audit_verdict(found)[-1]


def test_ratings_that_are_all_missing_are_a_finding(tmp_path):
    path = speech_set(tmp_path, 3, speakers=2)
    rows = [{"path": f.name, "arousal": ""} for f in sorted(tmp_path.glob("*.wav"))]
    found = audit(AuditOptions(dataset=str(write_manifest(path, rows))))
    assert [finding.kind.value for finding in found.findings] == ["missing-rating"]
    assert found.findings[0].message.startswith("no number in any rating: 3 clips of all; first: ")

import csv
import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    precision_recall_fscore_support,
)

from runs import run_of
from serval.labels import LabelSet
from serval.records import Failure, Prediction
from serval.results import results_document, write_results
from serval.results import table as table_room
from serval.results.document import warnings_of
from serval.results.observations import observations_of, sentences
from serval.results.table import write_parquet
from serval.run import Journal, Provenance, load_run
from serval.scores import scores_of
from serval.wording import csv_cell, printable

LABELS = LabelSet(["angry", "happy", "=cmd|'/C calc'!A0", "sad"])
OVERALL = {
    "accuracy",
    *(f"{score}_{average}" for score in ("precision", "recall", "f1")
      for average in ("weighted", "macro")),
}  # fmt: skip
META = {
    *("total_samples", "failed_samples", "failed_indices", "evaluation_time_seconds"),
    *("samples_per_second", "dev_mode", "model_path", "timestamp"),
}


def stored(folder, truth, predicted, *, failures=1, contract=None, complete=True, labels=LABELS):
    provenance = Provenance(
        labels=labels,
        model={"name": "m", "path": "m.onnx", "sha256": "00", "contract": contract or {}},
        dataset={"name": "d", "split": "validation", "caveats": ["Synthetic."]},
        options={"limit": 5, "dev_mode": False},
        platform={},
        identity={},
    )
    rng = np.random.default_rng(0)
    with Journal(folder=folder, provenance=provenance) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, (t, p) in enumerate(zip(truth, predicted, strict=True)):
            logits = rng.normal(size=4).astype(np.float32)
            logits[p] += np.float32(8)
            probs = np.exp(logits) / np.exp(logits).sum()
            record = Prediction(
                clip_id=f"@clip {i}",
                index=i,
                truth=labels[t],
                predicted=labels[p],
                logits=tuple(float(str(v)) for v in logits),
                probs=tuple(float(str(v)) for v in probs),
                duration_s=1.0 + i,
                inference_s=0.01,
                speaker=None if i == 0 else "-s",
                groups={"+gender": "F", "duration_s": "long", "speaker": "x"} if i % 2 else {},
            )
            journal.append(record, 0.1 * i)
        for i in range(failures):
            reason = "=broken"
            journal.append(
                Failure(clip_id="bad", index=900 + i, truth="sad", stage="decode", reason=reason), 9
            )
        if complete:
            journal.finish(10.0, dropped={"OTH": 2}, dropped_indices=[7, 8], peak_memory_mb=1.0)
    return load_run(folder)


@pytest.fixture
def run(tmp_path):
    return stored(tmp_path, [0, 0, 1, 1, 3, 3, 3], [0, 1, 1, 1, 3, 0, 2])


def test_the_published_keys_are_there_and_equal_scikit_learn(run):
    document = results_document(run, scores_of(run))
    assert set(document["overall"]) == OVERALL
    assert set(document["metadata"]) == META
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average in ("weighted", "macro"):
            p, r, f, _ = precision_recall_fscore_support(
                run.truth, run.predicted, average=average, zero_division=0
            )
            overall = document["overall"]
            assert overall[f"precision_{average}"] == pytest.approx(p)
            assert overall[f"recall_{average}"] == pytest.approx(r)
            assert overall[f"f1_{average}"] == pytest.approx(f)
        uar = balanced_accuracy_score(run.truth, run.predicted)
        report = classification_report(
            run.truth,
            run.predicted,
            labels=range(4),
            target_names=LABELS,
            output_dict=True,
            zero_division=0,
        )
    assert document["overall"]["accuracy"] == accuracy_score(run.truth, run.predicted)
    assert document["scores"]["overall"]["uar"]["value"] == pytest.approx(uar)
    assert document["scores"]["classes_averaged"] == 3
    assert document["classification_report"]["sad"] == pytest.approx(report["sad"])
    assert document["classification_report"]["macro avg"] == pytest.approx(report["macro avg"])
    assert document["predictions"] == run.predicted.tolist()
    assert document["ground_truth"] == run.truth.tolist()
    meta = document["metadata"]
    assert (meta["total_samples"], meta["failed_samples"]) == (7, 3)
    assert meta["failed_indices"] == [7, 8, 900]
    assert meta["samples_per_second"] == 0.7
    assert meta["dev_mode"] is False


def test_what_is_undefined_is_zero_for_old_scripts_and_null_in_scores(run):
    document = results_document(run, scores_of(run))
    empty = document["per_class"]["=cmd|'/C calc'!A0"]
    assert (empty["recall"], empty["support"]) == (0.0, 0)
    assert document["scores"]["per_class"]["=cmd|'/C calc'!A0"]["recall"]["value"] is None


def test_observations_are_computed(run):
    observed = results_document(run, scores_of(run))["observations"]
    assert observed["best"] == observed["hardest"] == []
    assert observed["confusions"][0]["count"] == 1
    assert dict(map(tuple, observed["too_few"])) == {
        "angry": 2, "happy": 2, "=cmd|'/C calc'!A0": 0, "sad": 3
    }  # fmt: skip
    assert len(observed["sentences"]) == 2


def test_warnings_tell_what_a_reader_must_know(tmp_path):
    contract = {"static_samples": 32_000, "sample_rate": 16_000}
    run = stored(tmp_path, [0, 1, 2], [0, 1, 2], contract=contract, complete=False)
    text = " ".join(results_document(run, scores_of(run))["warnings"])
    for part in ("Synthetic.", "in no score: 1.", "is not finished: 4", "exactly 2 s: of 1 longer"):
        assert part in text


def test_no_spreadsheet_runs_a_cell(run, tmp_path):
    write_results(run, tmp_path / "out", plots=False)
    text = (tmp_path / "out" / "detailed_results.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    head = rows[0]
    first = "sample_index predicted_emotion true_emotion predicted_id true_id correct clip_id"
    assert head[:8] == [*first.split(), "confidence"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert len(rows) == 1 + len(run)
    assert all(len(row) == len(head) for row in rows)
    text = (tmp_path / "out" / "failures.csv").read_text(encoding="utf-8")
    head_of_failed, failed = csv.reader(text.splitlines())
    assert head_of_failed == ["index", "clip_id", "true_emotion", "stage", "reason", "speaker"]
    assert failed == ["900", "bad", "sad", "decode", "'=broken", ""]
    good = dict(zip(head, rows[2], strict=True))
    assert (good["duration_s"], good["group_duration_s"]) == ("2.0", "long")
    assert (good["speaker"], good["group_speaker"]) == ("'-s", "x")
    assert (good["correct"], good["speaker"], good["'+gender"]) == ("False", "'-s", "F")


def test_no_two_columns_have_one_name(tmp_path):
    groups = {"index": "abc", "group_index": "def", "notes": "ghi"}
    run = run_of(tmp_path / "run", [0, 1, 2], [0, 1, 2], groups=groups)
    text = write_results(run, plots=False).files["clips"].read_text(encoding="utf-8")
    head = next(csv.reader(text.splitlines()))
    names = pq.read_table(tmp_path / "run" / "predictions.parquet").column_names
    for columns in (head, names):
        assert len(set(columns)) == len(columns)
        assert {"index", "group_index", "group_group_index", "group_notes"} <= set(columns)


def test_pandas_reads_the_published_columns_as_what_they_are(tmp_path):
    run = stored(tmp_path, [0, 0, 1], [0, 1, 1], failures=2)
    table = pd.read_csv(write_results(run, tmp_path / "out", plots=False).files["clips"])
    published = ["sample_index", "predicted_emotion", "true_emotion", "predicted_id", "true_id"]
    assert list(table.columns[:6]) == [*published, "correct"]
    assert table["sample_index"].tolist() == [0, 1, 2]
    kinds = {name: table[name].dtype.kind for name in ("predicted_id", "true_id", "correct")}
    assert kinds == {"predicted_id": "i", "true_id": "i", "correct": "b"}
    assert table["correct"].tolist() == [True, False, True]


def test_rows_are_numbered_as_published_and_keep_their_place_in_the_dataset(run, tmp_path):
    later = replace(run, index=run.index + 40, notes=(("one", "two"), *run.notes[1:]))
    files = write_results(later, tmp_path / "out", plots=False).files
    rows = list(csv.DictReader(files["clips"].read_text(encoding="utf-8").splitlines()))
    assert [row["sample_index"] for row in rows] == [str(i) for i in range(7)]
    assert [row["index"] for row in rows] == [str(40 + i) for i in range(7)]
    assert [row["notes"] for row in rows][:2] == ["one; two", ""]
    assert pq.read_table(files["predictions"])["notes"].to_pylist()[:2] == [["one", "two"], []]


def test_a_run_of_an_earlier_version_counts_what_it_dropped_without_naming_it(run):
    older = replace(run, dropped_indices=())
    facts = replace(run.provenance, options={"limit": 5})
    meta = results_document(replace(older, provenance=facts), scores_of(older))["metadata"]
    assert (meta["failed_samples"], meta["failed_indices"], meta["dev_mode"]) == (3, [900], True)


def test_an_unfinished_run_is_said_to_be_so_at_the_top(tmp_path):
    run = stored(tmp_path, [0, 1], [0, 1], complete=False)
    written = write_results(run, tmp_path / "out", plots=False)
    assert written.document["complete"] is False
    first = written.files["summary"].read_text(encoding="utf-8").splitlines()[2]
    assert "is not finished: 3 " in first


def test_every_file_is_written_and_the_same_input_gives_the_same_bytes(run, tmp_path):
    first, second = (write_results(run, tmp_path / name).files for name in ("a", "b"))
    assert {p.name for p in first.values()} == {
        *("results.json", "detailed_results.csv", "predictions.parquet", "summary.md"),
        *("failures.csv",),
        *("confusion_matrix.png", "per_class_metrics.png", "reliability.png", "journal.jsonl"),
    }
    for kind in first:
        assert first[kind].read_bytes() == second[kind].read_bytes(), kind


def test_predictions_parquet_holds_every_number(run, tmp_path):
    table = pq.read_table(write_results(run, tmp_path / "out", plots=False).files["predictions"])
    np.testing.assert_array_equal(np.stack(table["logits"].to_numpy()), run.logits)
    assert table["truth"].to_pylist() == [LABELS[i] for i in run.truth]
    assert table.schema.metadata[b"serval.failed_clips"] == b"1"


def test_parquet_in_several_groups_has_the_same_rows(run, tmp_path, monkeypatch):
    whole = pq.read_table(write_parquet(run, tmp_path / "whole.parquet"))
    monkeypatch.setattr(table_room, "GROUP_ROWS", 3)
    parts = pq.ParquetFile(write_parquet(run, tmp_path / "parts.parquet"))
    assert parts.num_row_groups == 3
    assert parts.read().equals(whole, check_metadata=True)


def test_parquet_with_many_labels_holds_fewer_rows_at_once(run, tmp_path, monkeypatch):
    monkeypatch.setattr(table_room, "GROUP_SCORES", 2 * len(run.labels))
    parts = pq.ParquetFile(write_parquet(run, tmp_path / "parts.parquet"))
    assert parts.metadata.row_group(0).num_rows == 2
    assert parts.metadata.num_rows == len(run)


def test_parquet_of_no_clip_has_all_columns(tmp_path):
    table = pq.read_table(write_parquet(stored(tmp_path, [], []), tmp_path / "none.parquet"))
    assert table.num_rows == 0
    assert {"clip_id", "truth", "logits", "speaker"} <= set(table.column_names)


def test_the_summary_is_markdown_that_cannot_break(run, tmp_path):
    text = (
        write_results(run, tmp_path / "out", plots=False)
        .files["summary"]
        .read_text(encoding="utf-8")
    )
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5, 6}
    assert "| Accuracy (WA) | 57.14 % [" in text
    assert "7 clips scored, 1 failed" in text


def test_pictures_are_300_dpi(run, tmp_path, fine_pictures):
    from PIL import Image

    files = write_results(run, tmp_path / "out").files
    for kind in ("confusion matrix", "per emotion"):
        with Image.open(files[kind]) as picture:
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=1)
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 50


def test_a_run_of_failures_only_still_writes_everything(tmp_path):
    run = stored(tmp_path, [], [], failures=3)
    document = json.loads(write_results(run).files["results"].read_text(encoding="utf-8"))
    assert document["overall"]["accuracy"] is None
    assert document["metadata"]["failed_samples"] == 5


def test_an_emotion_is_never_best_and_hardest_or_best_at_nothing():
    labels = LabelSet(["angry", "happy", "sad"])
    nothing = observations_of(30 * np.array([[0, 2, 0], [2, 0, 0], [0, 2, 0]]), labels)
    assert nothing.best == ()
    assert len(nothing.hardest) == 3
    assert not any(line.startswith("Best") for line in sentences(nothing))
    some = observations_of(30 * np.array([[5, 0, 0], [3, 2, 0], [0, 2, 0]]), labels)
    best, hardest = ({note.emotion for note in notes} for notes in (some.best, some.hardest))
    assert best == {"angry", "happy"}
    assert hardest == {"sad"}


def test_an_emotion_with_few_clips_is_neither_best_nor_hardest():
    labels = LabelSet(["angry", "happy", "sad"])
    observed = observations_of(np.array([[29, 0, 0], [3, 40, 0], [20, 0, 20]]), labels)
    judged = {note.emotion for note in (*observed.best, *observed.hardest)}
    assert judged == {"happy", "sad"}
    assert observed.too_few == (("angry", 29),)


@pytest.mark.parametrize(
    "cell", ["=1", "  +1", "\xa0-1", "\n=1", "\nx", "\tx", "\rx", "\0x", "\uff1d1", "\uff20x"]
)
def test_each_way_to_begin_a_formula_is_made_harmless(cell):
    assert csv_cell(cell) == f"'{printable(cell)}"
    assert csv_cell(f"x{cell}") == printable(f"x{cell}")


def test_clips_that_are_the_same_file_or_name_twice_are_counted_among_the_warnings(tmp_path):
    ids = ["a.wav", "b.wav", "copy/a.wav", "b.mp3", "take.1", "take.2"]
    shas = ("1" * 64, "2" * 64, "1" * 64, "3" * 64, "", "")
    run = replace(run_of(tmp_path / "r", [0, 1, 1, 1, 2, 2], [0] * 6, ids=ids), audio_sha256=shas)
    said = " ".join(warnings_of(run))
    assert (
        "1 of 6 scored clips is the same file as another clip, such as copy/a.wav and a.wav: it "
        "counts again, and intervals are too narrow. 1 of them bears another label than the first."
        in said
    )
    assert (
        "1 of 6 scored clips has the name of another clip with another ending, such as b.mp3"
        in said
    )


def test_names_that_recur_under_other_sound_are_no_copies(tmp_path):
    ids = ["a.wav", "b/a.wav", "a.wav#2"]
    run = replace(run_of(tmp_path / "r", [0, 1, 1], [0] * 3, ids=ids), audio_sha256=tuple("123"))
    assert not any("another clip" in line for line in warnings_of(run))


def test_a_label_may_be_called_as_a_row_of_the_report(tmp_path):
    labels = LabelSet(["accuracy", "macro avg", "sad", "c"])
    found = stored(tmp_path, [0, 0, 1, 2], [0, 1, 1, 2], labels=labels)
    rows = results_document(found, scores_of(found))["per_class"]
    assert [rows[label]["recall"] for label in labels] == [0.5, 1, 1, 0]

"""Frozen predictions -> frozen scores: whoever changes a number sees it here.

The file was scored by scikit-learn 1.9 (`accuracy_score`, `balanced_accuracy_score`, `f1_score`);
the intervals are serval's own at the time of writing.
"""

import csv
import json
from pathlib import Path

import pytest

from runs import softmax
from serval.labels import EMOTIONS, LabelSet
from serval.records import Prediction
from serval.run import Journal, Provenance, load_run
from serval.scores import scores_of

HERE = Path(__file__).parent


@pytest.fixture
def run(tmp_path):
    provenance = Provenance(
        labels=LabelSet(EMOTIONS), model={}, dataset={}, options={}, platform={}, identity={}
    )
    rows = csv.DictReader((HERE / "predictions.csv").read_text(encoding="utf-8").splitlines())
    with Journal(folder=tmp_path, provenance=provenance) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, row in enumerate(rows):
            certain = tuple(float(label == row["predicted"]) for label in EMOTIONS)
            probs = tuple(map(float, softmax(certain)))
            record = Prediction(
                index=i, logits=certain, probs=probs, duration_s=1.0, inference_s=0.1, **row
            )
            journal.append(record, float(i))
    return load_run(tmp_path)


def test_a_run_stored_by_version_0_1_is_read_as_it_was():
    run = load_run(HERE / "run")
    assert (len(run), run.complete, run.dropped_indices) == (6, True, ())
    assert run.clip_ids[0] == "angry_f1.flac"
    assert [run.labels[i] for i in run.predicted] == [
        *("happy", "angry", "happy", "neutral", "angry", "happy"),
    ]
    assert run.seconds == 0.5925


def test_scores_are_what_they_were(run):
    expected = json.loads((HERE / "scores.json").read_text(encoding="utf-8"))
    scores = scores_of(run)
    for name, values in expected["overall"].items():
        found = scores.overall[name]
        assert [found.value, found.low, found.high] == pytest.approx(values, abs=1e-9), name
    for label, value in expected["f1"].items():
        assert scores.per_class[label].f1.value == pytest.approx(value, abs=1e-12), label
    assert scores.resampling.clusters == expected["clusters"]

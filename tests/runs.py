"""Real run folders for tests, written through the journal as an evaluation writes them."""

import hashlib
import json

import numpy as np

from serval.labels import LabelSet
from serval.multilabel import TRUTH
from serval.probabilities import outputs_of, probabilities_of
from serval.records import Failure, Prediction
from serval.run import Journal, Provenance, load_run

LABELS = ("angry", "happy", "sad")


def softmax(logits):
    shifted = np.exp(np.float64(logits) - np.max(logits, axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def sha256_of(content):
    """What stands for the audio of a clip; equal names are equal audio."""
    return content and hashlib.sha256(content.encode()).hexdigest()


def run_of(
    folder,
    truth,
    predicted=None,
    *,
    labels=LABELS,
    logits=None,
    speakers=None,
    groups=None,
    durations=None,
    ids=None,
    failures=0,
    end=True,
    **provenance,
):
    """The run of given label ids or logits, stored in `folder` and loaded again."""
    truth = np.asarray(truth, dtype=int)
    if logits is None:
        logits = 2.0 * np.eye(len(labels))[np.asarray(predicted, dtype=int)]
    logits = np.float32(logits).reshape(len(truth), len(labels))
    facts = Provenance(
        labels=LabelSet(labels),
        model={"name": folder.name, "sha256": "00", "size_bytes": 9_500_000}
        | provenance.get("model", {}),
        dataset={"name": "d", "split": "", "caveats": ()} | provenance.get("dataset", {}),
        options={"limit": None},
        platform={},
        identity={"folder": str(folder)},
    )
    with Journal(folder=folder, provenance=facts, fresh=True) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        probs = probabilities_of(logits, outputs_of(facts.model))
        for i, row in enumerate(logits):
            journal.append(
                Prediction(
                    clip_id=ids[i] if ids else f"clip{i}",
                    index=i,
                    truth=labels[truth[i]],
                    predicted=labels[int(np.argmax(row))],
                    logits=tuple(map(float, row)),
                    probs=tuple(map(float, probs[i])),
                    duration_s=float(durations[i]) if durations is not None else 1.0,
                    inference_s=0.01,
                    audio_sha256=sha256_of(provenance.get("shas", {}).get(i, f"{i:04x}")),
                    speaker=speakers[i] if speakers is not None else None,
                    groups={name: values[i] for name, values in (groups or {}).items()},
                ),
                at_s=0.1 * i,
            )
        for i in range(failures):
            journal.append(
                Failure(
                    clip_id=f"bad{i}",
                    index=len(truth) + i,
                    truth=labels[0],
                    stage="decode",
                    reason="empty file",
                ),
                at_s=100.0,
            )
        if end:
            journal.finish(200.0, dropped={}, peak_memory_mb=100.0)
    return load_run(folder)


def noisy(truth, share_right, rng, k=3):
    """Predictions that are right so often, else any other label."""
    truth = np.asarray(truth)
    other = (truth + rng.integers(1, k, len(truth))) % k
    return np.where(rng.random(len(truth)) < share_right, truth, other)


def run_of_dimensions(
    folder, truth, values, *, names, scale="1..7", speakers=None, groups=None, failing=()
):
    """The run of `(N, D)` ratings and values, NaN where a clip has no rating, stored and loaded."""
    cells = np.where(np.isnan(truth), "", truth.astype(str))
    columns = dict(zip(names, cells.T.tolist(), strict=True))
    groups = columns | (groups or {})
    dimensions = {"columns": {n: n for n in names}, "scale": scale, "model_scale": scale}
    facts = Provenance(
        labels=LabelSet(names),
        model={"name": folder.name, "sha256": "00", "contract": {"outputs": "values"}},
        dataset={"name": "d", "split": "", "caveats": (), "dimensions": dimensions},
        options={"limit": None},
        platform={},
        identity={"folder": str(folder)},
    )
    with Journal(folder=folder, provenance=facts, fresh=True) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, row in enumerate(np.float32(values)):
            said = tuple(map(float, row))
            if i in failing:
                broken = {"truth": "", "stage": "model", "reason": "it broke"}
                journal.append(Failure(clip_id=f"clip{i}", index=i, **broken), at_s=0.1 * i)
                continue
            journal.append(
                Prediction(
                    clip_id=f"clip{i}",
                    index=i,
                    truth=None,
                    predicted="",
                    logits=said,
                    probs=said,
                    duration_s=1.0,
                    inference_s=0.01,
                    audio_sha256=sha256_of(f"{i:04x}"),
                    speaker=speakers[i] if speakers is not None else None,
                    groups={name: of[i] for name, of in groups.items() if of[i]},
                ),
                at_s=0.1 * i,
            )
        journal.finish(200.0, dropped={}, peak_memory_mb=100.0)
    return load_run(folder)


def run_of_sets(
    folder, truth, scores, *, labels=LABELS, speakers=None, groups=None, shas="", **model
):
    """The run of `(N, K)` true marks and scores of several emotions a clip, stored and loaded."""
    facts = Provenance(
        labels=LabelSet(labels),
        model={"name": folder.name, "sha256": "00", "contract": {"outputs": "sigmoid"}} | model,
        dataset={
            "name": "d",
            "split": "",
            "fingerprint": "11" * 32,
            "caveats": (),
            "multilabel": {"read_from": "lists"},
        },
        options={"limit": None},
        platform={},
        identity={"folder": str(folder)},
    )
    scores = np.clip(np.float64(scores), 1e-6, 1 - 1e-6)
    with Journal(folder=folder, provenance=facts, fresh=True) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, (marks, row) in enumerate(zip(truth, scores, strict=True)):
            logits = np.float32(np.log(row / (1 - row)))
            true = [label for label, marked in zip(labels, marks, strict=True) if marked]
            own = {name: of[i] for name, of in (groups or {}).items()}
            journal.append(
                Prediction(
                    clip_id=f"clip{i}",
                    index=i,
                    truth=None,
                    predicted=labels[int(np.argmax(logits))],
                    logits=tuple(map(float, logits)),
                    probs=tuple(map(float, np.float32(1 / (1 + np.exp(-np.float64(logits)))))),
                    duration_s=1.0,
                    inference_s=0.01,
                    audio_sha256=sha256_of(f"{shas}{i:04x}"),
                    speaker=speakers[i] if speakers is not None else None,
                    groups=own | {TRUTH: json.dumps(true)},
                ),
                at_s=0.1 * i,
            )
        journal.finish(200.0, dropped={}, peak_memory_mb=100.0)
    return load_run(folder)

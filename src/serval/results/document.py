"""`results.json`: the published keys first, so that scripts which read them go on working."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from serval.models.contract import cut_sentences
from serval.results.observations import repeat_sentences
from serval.run import unfinished
from serval.tasks import MULTILABEL
from serval.trained_on import HEARD, overlap_sentences
from serval.wording import as_sentence, counted, left_out_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.run import Run
    from serval.scores import Scores

SCHEMA_VERSION = 1

MOST_CORPORA = 100
"""A column with more values than this does not name corpora."""


def shared_document(run: Run, warnings: Sequence[str]) -> dict[str, Any]:
    """Return what is known of a run whatever its task, NaN where something is not defined."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": run.name,
        "complete": run.complete,
        "warnings": list(warnings),
        "metadata": _metadata(run),
        "model": dict(run.provenance.model),
        "dataset": dict(run.provenance.dataset),
        "options": dict(run.provenance.options),
        "platform": dict(run.provenance.platform),
        "speed": _speed(run),
        "failures": [
            {"clip_id": f.clip_id, "index": f.index, "stage": f.stage, "reason": f.reason}
            for f in run.failures
        ],
        "left_out": _left_out(run),
        "dropped": dict(run.dropped),
    }


def caveats_of(
    runs: Sequence[Run], scores: Sequence[Scores], more: Sequence[str] = ()
) -> list[str]:
    """Return what the numbers do not mean, one sentence each, each once."""
    said = [line for run in runs for line in warnings_of(run)]
    said += [line for own in scores for line in own.warnings]
    return list(dict.fromkeys(as_sentence(line) for line in (*said, *more)))


def warnings_of(run: Run) -> list[str]:
    """Return what a reader must know before trusting the numbers, one sentence each."""
    provenance = run.provenance
    warnings = [] if run.complete else [as_sentence(unfinished(run))]
    warnings += [str(sentence) for sentence in provenance.model.get("warnings", ())]
    warnings += [str(caveat) for caveat in provenance.dataset.get("caveats", ())]
    if run.failures:
        warnings.append(f"Clips that failed and are in no score: {len(run.failures)}.")
    if run.dropped:
        warnings.append(
            f"{counted(sum(run.dropped.values()), 'clip was', 'clips were')} left out because "
            f"{_unknown_to(run)} their label: {', '.join(run.dropped)}."
        )
    warnings += left_out_sentences(_left_out(run))
    warnings += repeat_sentences(run)
    notes = _notes(run)
    warnings += overlap_sentences(
        provenance.model.get("trained_on"), notes.pop(HEARD, 0), len(run), corpus_names(run)
    )
    warnings += [f"{counted(n, 'clip')}: {note}." for note, n in sorted(notes.items())]
    warnings += [*_one_emotion(run), *_one_of_several(run)]
    return warnings + cut_sentences(provenance.model, run.duration_s)


def _unknown_to(run: Run) -> str:
    by_preset = "label preset" in run.provenance.identity
    return "the preset or the model does not have" if by_preset else "the model does not know"


def _left_out(run: Run) -> list[dict[str, Any]]:
    return [dict(part) for part in run.provenance.dataset.get("left_out", ())]


def corpus_names(run: Run) -> set[str]:
    """Return what may be the name of a corpus: that of the set, and every value of a group."""
    values = (set(column) for column in run.groups.values())
    found = {value for some in values if len(some) <= MOST_CORPORA for value in some if value}
    return {str(run.provenance.dataset.get("name", "")), *found}


def _notes(run: Run) -> Counter[str]:
    return Counter(note for notes in run.notes for note in notes)


def _one_emotion(run: Run) -> Iterator[str]:
    """Yield that a set of a single emotion is no test of telling emotions apart."""
    label, *others = sorted(run.true_labels) or [""]
    if label and not others and run.provenance.task.excludes:
        yield (
            f"All clips are {label}: UAR is the recall of that one emotion, and a model that says "
            f"{label} of everything would have 100 %."
        )


def _one_of_several(run: Run) -> Iterator[str]:
    """Yield that a model of several emotions at once is judged on a set of one a clip."""
    contract = run.provenance.model.get("contract", {})
    if contract.get("task") == MULTILABEL.model and run.provenance.task is not MULTILABEL:
        yield (
            "The model may hear several emotions at once, and the set names one a clip: the one "
            "with the highest score counts as its answer."
        )


def _metadata(run: Run) -> dict[str, Any]:
    """Return the published keys with the published meaning.

    A sample is a clip with a prediction; the others, whose label the model does not know among
    them, are failed ones. Runs of earlier versions counted the latter and did not name them.
    """
    options = run.provenance.options
    failed = [*(failure.index for failure in run.failures), *run.dropped_indices]
    return {
        "total_samples": len(run),
        "failed_samples": len(run.failures) + sum(run.dropped.values()),
        "failed_indices": sorted(failed),
        "evaluation_time_seconds": round(run.seconds, 3),
        "samples_per_second": round(len(run) / run.seconds, 3) if run.seconds else 0.0,
        "dev_mode": options.get("dev_mode", options.get("limit") is not None),
        "model_path": run.provenance.model.get("path", run.provenance.model.get("name")),
        "timestamp": run.started,
    }


def _speed(run: Run) -> dict[str, float]:
    audio_s = float(run.duration_s.sum())
    if not (audio_s and run.seconds):
        return {"audio_seconds": audio_s}
    return {
        "audio_seconds": round(audio_s, 3),
        "rtf": round(run.seconds / audio_s, 6),
        "rtfx": round(audio_s / run.seconds, 3),
        "rtf_model_only": round(float(run.inference_s.sum()) / audio_s, 6),
        "peak_memory_mb": run.peak_memory_mb,
    }

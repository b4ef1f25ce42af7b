"""What a model card says of a run of one emotion a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from serval.groups import group_sentences, groups_of
from serval.report.section import LIMITS, CardParts, hub_dataset, hub_result, safe
from serval.results.document import caveats_of
from serval.results.summary import gap_table
from serval.results.verdict import in_percent, sentences_of, verdict_of
from serval.scores import METRICS, canonical, scores_of
from serval.wording import counted, markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from huggingface_hub import EvalResult

    from serval.run import Run
    from serval.scores import Scores
    from serval.scores.stats import Interval

__all__ = ["emotion_card"]


HUB: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "accuracy": ("accuracy", "Accuracy (WA)", {}),
    "recall_macro": ("recall", "Macro recall of all emotions that occur", {"average": "macro"}),
    "f1_macro": ("f1", "Macro F1 of all emotions that occur", {"average": "macro"}),
    "f1_weighted": ("f1", "Weighted F1", {"average": "weighted"}),
}
"""By published key, which is scikit-learn's number as the hub's is: the hub's name, the one on its
page, and how it averages."""


def emotion_card(run: Run) -> CardParts:
    """Return the scores with a random baseline, the groups and the limits."""
    scores = scores_of(run)
    overall = {metric.full: scores.overall[key] for key, metric in METRICS.items()}
    classes = {label: own.recall for label, own in scores.per_class.items()}
    groups = groups_of(run)
    said = group_sentences(groups)
    return CardParts(
        verdict=[verdict_of(run.name, scores), *sentences_of(scores, run.labels)],
        tables=[
            _table("Score", overall, {}),
            "Recall of each emotion:\n",
            _table("Emotion", classes, {label: c.support for label, c in scores.per_class.items()}),
        ],
        groups=said,
        group_table=gap_table(groups.as_dict()["tables"]) if said else "",
        limits=[*caveats_of([run], [scores]), *LIMITS],
        results=list(_results(run, scores)),
        entries=_entries(run, scores),
    )


def _results(run: Run, scores: Scores) -> Iterator[EvalResult]:
    by = scores.resampling
    for key, (hub, full, average) in HUB.items():
        own = {**scores.overall, **scores.published}[canonical(key)]
        if not math.isnan(own.value):
            said = {**average, "confidence_level": by.level, "clustered_by": by.by}
            yield hub_result(run, "Speech emotion recognition", (hub, full), own, said)


def _entries(run: Run, scores: Scores) -> str:
    """Return the hub's results file, or `""` of a set that is not on the hub."""
    hub_id = hub_dataset(run)
    if hub_id is None:
        return ""
    accuracy = scores.overall["wa"]
    entry = EvalResultEntry(
        dataset_id=hub_id,
        task_id="default",
        value=round(accuracy.value, 4),
        dataset_revision=run.provenance.dataset.get("revision") or None,
        date=run.started or None,
        notes=f"accuracy, split {run.provenance.dataset['split'] or 'default'}, "
        f"{counted(scores.n, 'clip')}, 95 % interval {accuracy.low:.4f} to {accuracy.high:.4f}",
    )
    return str(yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False))


def _table(first: str, rows: Mapping[str, Interval], clips: Mapping[str, int]) -> str:
    head = [first, "Value", "95 % interval", *(["Clips"] if clips else [])]
    cells = (
        (safe(name), in_percent(own.value), _range(own), *([str(clips[name])] if clips else []))
        for name, own in rows.items()
    )
    return markdown_table(head, list(cells))


def _range(own: Interval) -> str:
    return "n/a" if math.isnan(own.low) else f"{in_percent(own.low)} to {in_percent(own.high)}"

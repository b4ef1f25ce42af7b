"""A stored run -> the evaluation section of a model card, and the hub's metadata for it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, cast

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, eval_result_entries_to_yaml

from serval.dimensions import dimension_run
from serval.errors import ConfigError
from serval.files import write_text
from serval.groups import group_sentences, groups_of
from serval.multilabel import multilabel_run
from serval.report.section import TaskPart, safe, section_of
from serval.report.set_card import set_results, set_section
from serval.report.value_card import value_results, value_section
from serval.results.document import caveats_of
from serval.results.summary import gap_table
from serval.results.verdict import (
    data_name,
    in_percent,
    sentences_of,
    verdict_of,
)
from serval.scores import METRICS, scores_of
from serval.wording import counted, markdown_table, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from huggingface_hub import ModelCardData

    from serval.run import Run
    from serval.scores import Scores
    from serval.scores.stats import Interval

__all__ = ["card_section", "card_text", "eval_results", "hub_dataset", "write_card"]

BEGIN, END = "<!-- serval: evaluation begins -->", "<!-- serval: evaluation ends -->"

LIMITS = (
    "A label says what an actor was asked for or what listeners agreed on, not what a person felt.",
    "Other languages, microphones, rooms and unprompted speech can score far lower.",
)

RATING = "A rating says what listeners heard, not what a person felt."


def card_text(run: Run) -> str:
    """Return a new card for the model of a run: the hub's metadata and the evaluation section."""
    title = f"# {safe(run.name)}\n"
    return _filled(ModelCard(f"---\n{{}}\n---\n{title}"), run)


def write_card(run: Run, path: Path) -> tuple[Path, ...]:
    """Return the files that were written: the card, and the hub's results file for a hub set.

    Of a file that exists already only what stands between serval's own two markers is replaced, or
    added at the end where they are missing. Metadata of this very evaluation is replaced too where
    the file begins with the hub's metadata; one that does not is no card, and gets none.

    Raises:
        ConfigError: The card that is there has metadata that cannot be read.
    """
    written = [write_text(path, _updated(path, run))]
    one_emotion = not (run.provenance.of_dimensions or run.provenance.is_multilabel)
    if one_emotion and (hub_id := hub_dataset(run)):
        scores = scores_of(run)
        target = path.parent / ".eval_results" / f"{hub_id.replace('/', '--')}.yaml"
        written.append(write_text(target, _entries(run, scores, hub_id)))
    return tuple(written)


def card_section(run: Run, scores: Scores) -> str:
    """Return the section in GitHub markdown: verdict, scores, data, groups, limits."""
    overall = {metric.full: scores.overall[key] for key, metric in METRICS.items()}
    classes = {label: own.recall for label, own in scores.per_class.items()}
    groups = groups_of(run)
    said = group_sentences(groups)
    part = TaskPart(
        verdict=[verdict_of(run.name, scores), *sentences_of(scores, run.labels)],
        tables=[
            _table("Score", overall, {}),
            "Recall of each emotion:\n",
            _table("Emotion", classes, {label: c.support for label, c in scores.per_class.items()}),
        ],
        groups=said,
        group_table=gap_table(groups.as_dict()["tables"]) if said else "",
        limits=[*caveats_of([run], [scores]), *LIMITS],
    )
    return section_of(run, part)


def eval_results(run: Run, scores: Scores) -> list[EvalResult]:
    """Return the scores as the hub's `model-index` knows them."""
    return [
        EvalResult(
            task_type="audio-classification",
            task_name="Speech emotion recognition",
            dataset_type=hub_dataset(run) or _slug(data_name(run)),
            dataset_name=data_name(run),
            dataset_split=run.provenance.dataset["split"] or None,
            dataset_revision=run.provenance.dataset.get("revision") or None,
            metric_type=metric.hub[0],
            metric_name=metric.full,
            metric_value=round(scores.overall[key].value, 4),
            metric_args={**metric.hub[1], **_interval_arguments(scores, key)},
        )
        for key, metric in METRICS.items()
        if metric.hub is not None and not math.isnan(scores.overall[key].value)
    ]


def hub_dataset(run: Run) -> str | None:
    """Return `ORG/NAME` of the hub's set that was evaluated, or `None` if it was another."""
    data = run.provenance.dataset
    places = (str(data.get("location", "")), str(data["name"]))
    found = (re.match(r"hf:(?://datasets/)?([\w.-]+/[\w.-]+)", place) for place in places)
    return next((match[1] for match in found if match), None)


def _evaluation(run: Run) -> tuple[str, list[EvalResult]]:
    """Return the section of a run, and its scores as the hub knows them."""
    place = hub_dataset(run) or _slug(data_name(run))
    if run.provenance.is_multilabel:
        sets = multilabel_run(run)
        return set_section(sets, LIMITS), set_results(sets, place)
    if not run.provenance.of_dimensions:
        scores = scores_of(run)
        return card_section(run, scores), eval_results(run, scores)
    section = value_section(run, (RATING, *LIMITS[1:]))
    return section, value_results(run, dimension_run(run), place)


def _updated(path: Path, run: Run) -> str:
    """Return the file's text with the evaluation in it."""
    text = _read(path)
    if not text.strip():
        return card_text(run)
    if not text.lstrip().startswith("---"):
        return _with_section(text, _evaluation(run)[0])
    return _filled(_parsed(text, path), run)


def _filled(card: ModelCard, run: Run) -> str:
    """Return the text of a card with the section and the metadata of a run."""
    section, results = _evaluation(run)
    card.text = _with_section(card.text, section)
    _add_metadata(card, results, run)
    return str(card)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{path} cannot be read as a card: {one_line(error)}; give another --output"
        ) from error


def _parsed(text: str, path: Path) -> ModelCard:
    try:
        return ModelCard(text)
    except ValueError as error:
        raise ConfigError(
            f"the metadata of {path} cannot be read: {one_line(error)}; "
            "mend it, or give another --output"
        ) from error


def _with_section(text: str, section: str) -> str:
    """Return the card's text with the section in the place of an earlier one, or at its end."""
    block = f"{BEGIN}\n{section}\n{END}"
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if begun and ended:
        return f"{before}{block}{after}"
    return f"{text.rstrip()}\n\n{block}\n"


def _add_metadata(card: ModelCard, results: Sequence[EvalResult], run: Run) -> None:
    """Set what the card leaves open, and replace earlier results of the same evaluation."""
    data = cast("ModelCardData", card.data)
    new = {result.unique_identifier for result in results}
    kept = [old for old in data.eval_results or [] if old.unique_identifier not in new]
    data.eval_results = [*kept, *results]
    data.model_name = data.model_name or run.name
    data.pipeline_tag = data.pipeline_tag or "audio-classification"
    data.library_name = data.library_name or "onnx"
    data.tags = list(dict.fromkeys([*(data.tags or []), "speech-emotion-recognition"]))
    if (hub_id := hub_dataset(run)) and not data.datasets:
        data.datasets = [hub_id]


def _entries(run: Run, scores: Scores, hub_id: str) -> str:
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


def _interval_arguments(scores: Scores, key: str) -> dict[str, Any]:
    own = scores.overall[key]
    return {
        "confidence_level": scores.resampling.level,
        "interval": [round(own.low, 4), round(own.high, 4)],
        "clustered_by": scores.resampling.by,
    }


def _table(first: str, rows: Mapping[str, Interval], clips: Mapping[str, int]) -> str:
    head = [first, "Value", "95 % interval", *(["Clips"] if clips else [])]
    cells = (
        (safe(name), in_percent(own.value), _range(own), *([str(clips[name])] if clips else []))
        for name, own in rows.items()
    )
    return markdown_table(head, list(cells))


def _range(own: Interval) -> str:
    return "n/a" if math.isnan(own.low) else f"{in_percent(own.low)} to {in_percent(own.high)}"


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-") or "dataset"

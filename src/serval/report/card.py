"""A stored run -> the evaluation section of a model card, and the hub's metadata for it.

First what is the same for every task, then the cards of each.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, eval_result_entries_to_yaml

from serval.errors import ConfigError
from serval.files import write_text
from serval.groups import group_sentences, groups_of
from serval.results.dimensions import DimensionResults, dimension_cells
from serval.results.document import caveats_of
from serval.results.multilabel import MultilabelResults, emotion_table, overall_table
from serval.results.summary import gap_table
from serval.results.verdict import data_name, in_percent, sentences_of, verdict_of
from serval.run import unfinished
from serval.scores import METRICS, canonical, scores_of
from serval.scores.dimensions import DIMENSION_METRICS
from serval.scores.multilabel import MULTILABEL_METRICS
from serval.scores.stats import Interval
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import (
    as_sentence,
    counted,
    markdown_table,
    markdown_text,
    one_line,
    percent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from huggingface_hub import ModelCardData

    from serval.run import Run
    from serval.scores import Scores
    from serval.tasks import Task


LIMITS = (
    "A label says what an actor was asked for or what listeners agreed on, not what a person felt.",
    "Other languages, microphones, rooms and unprompted speech can score far lower.",
)

UNSAFE = re.compile(r"([\\`*_\[\]<>|#&~$])")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardParts:
    """What the task of a run decides of its card.

    Attributes:
        verdict: What a reader takes away, one sentence each.
        tables: In GitHub markdown, ready to stand one below the other.
        groups: One sentence each.
        group_table: In GitHub markdown, or `""`.
        limits: What the numbers do not mean, one sentence each.
        results: The scores as the hub's `model-index` knows them.
        entries: The hub's results file, where it has one of this task.
    """

    verdict: Sequence[str]
    tables: Sequence[str]
    groups: Sequence[str] = ()
    group_table: str = ""
    limits: Sequence[str] = ()
    results: Sequence[EvalResult] = ()
    entries: str = ""


def section_of(run: Run, part: CardParts) -> str:
    """Return the section in GitHub markdown: verdict, scores, making, data, groups, limits."""
    said = [*([] if run.complete else [as_sentence(unfinished(run))]), *part.verdict]
    table = ["", part.group_table] if part.group_table else []
    groups = ["\n### Groups\n", *_items(part.groups), *table] if part.groups else []
    parts = [
        "## Evaluation\n",
        *map(safe, said),
        "",
        *part.tables,
        *origin_lines(run),
        "### Data\n",
        *_data_lines(run),
        *groups,
        "\n### Limits\n",
        *_items(part.limits),
        "\nMeasured with serval, which keeps every prediction.",
    ]
    return "\n".join(parts)


def _items(lines: Sequence[str]) -> list[str]:
    return [f"- {safe(line)}" for line in lines]


def _data_lines(run: Run) -> list[str]:
    data = run.provenance.dataset
    speakers = len({speaker for speaker in run.speakers if speaker is not None})
    facts = {
        "Set": data_name(run),
        "Revision": data.get("revision") or "",
        "Fingerprint": f"`{data['fingerprint'][:16]}`",
        "Licence of the audio": data.get("licence") or "",
        "Clips": f"{len(run):,} scored, {len(run.failures):,} failed, "
        f"{sum(run.dropped.values()):,} left out",
        "Speakers": str(speakers) if speakers else "not known",
    }
    return [
        f"- {name}: {value if value.startswith('`') else safe(value)}"
        for name, value in facts.items()
        if value
    ]


def safe(text: str) -> str:
    """Return the text so that markdown shows it as it is."""
    return UNSAFE.sub(r"\\\1", " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split()))


def hub_dataset(run: Run) -> str | None:
    """Return `ORG/NAME` of the hub's set that was evaluated, or `None` if it was another."""
    data = run.provenance.dataset
    places = (str(data.get("location", "")), str(data["name"]))
    found = (re.match(r"hf:(?://datasets/)?([\w.-]+/[\w.-]+)", place) for place in places)
    return next((match[1] for match in found if match), None)


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-") or "dataset"


def hub_result(
    run: Run, task: str, metric: tuple[str, str], score: Interval, arguments: Mapping[str, Any]
) -> EvalResult:
    """Return one score as the hub's `model-index` knows it.

    Args:
        run: As stored.
        task: What the hub's page calls the task.
        metric: The hub's own name of the score, and what its page calls it.
        score: With its interval.
        arguments: What else decides the score.
    """
    data = run.provenance.dataset
    ends = (
        {} if math.isnan(score.low) else {"interval": [round(score.low, 4), round(score.high, 4)]}
    )
    return EvalResult(
        task_type="audio-classification",
        task_name=task,
        dataset_type=hub_dataset(run) or _slug(data_name(run)),
        dataset_name=data_name(run),
        dataset_split=data["split"] or None,
        dataset_revision=data.get("revision") or None,
        metric_type=metric[0],
        metric_name=metric[1],
        metric_value=round(score.value, 4),
        metric_args={**arguments, **ends},
    )


SCORES = {"uar": "UAR", "ccc": "mean CCC"}


def origin_lines(run: Run) -> list[str]:
    """Return encoder, layer, head, data and cross-validated scores in markdown; none of others."""
    said = run.provenance.model.get("made_of")
    if not said:
        return []
    facts = {
        "Encoder": _named(said, "encoder", "encoder_sha256"),
        "Licence of the encoder": said.get("license", ""),
        "Layer": said.get("layer", ""),
        "Weights of the layers": said.get("layer_weights", ""),
        "Pooling over time": said.get("pooling", ""),
        "Head": said.get("head", ""),
        "Trained on": _named(said, "data", "data_fingerprint"),
        "Folds": said.get("folds", ""),
        "Cross-validated": "; ".join(_scores(said.get("cross_validated", ""))),
    }
    lines = (f"- {name}: {markdown_text(value)}" for name, value in facts.items() if value)
    return ["### How it was made\n", *lines, ""]


def _named(said: Mapping[str, str], name: str, digest: str) -> str:
    return ", ".join(filter(None, (said.get(name, ""), said.get(digest, "")[:16])))


def _scores(text: str) -> Iterator[str]:
    """Yield the cross-validated scores in words; none of what is not as serval writes it."""
    try:
        found = json.loads(text)
        for key, title in SCORES.items():
            if key in found:
                yield _in_words(title, found[key], of_share=key == "uar")
        mean, deviation = found["mean_of_folds"], found["deviation_of_folds"]
        yield f"mean of the folds {mean:.4f}, standard deviation {deviation:.4f}"
    except (KeyError, TypeError, ValueError):
        return


def _in_words(title: str, score: Sequence[Any], *, of_share: bool) -> str:
    value, low, high = (float(number) for number in score)
    if of_share:
        shown = [percent(number, 1) for number in (value, low, high)]
    else:
        shown = [f"{number:.3f}" for number in (value, low, high)]
    return f"{title} {shown[0]} on speakers that the head never heard ({shown[1]} to {shown[2]})"


SET_HUB = {"macro_f1": ("f1", "macro"), "micro_f1": ("f1", "micro")}
"""The hub's name of each score that it has one for, and how that averages."""


TASK = "Speech emotion recognition, several emotions a clip"
"""What the hub's page calls it."""


def set_card(run: Run) -> CardParts:
    """Return the scores of the run and of each emotion, the groups and the limits."""
    found = MultilabelResults(run=run, thresholds_from=run)
    document = found.document
    scores = document["scores"]
    return CardParts(
        verdict=document["verdict"],
        tables=[overall_table(scores), emotion_table(scores), "In brackets: 95 % interval.\n"],
        groups=document["groups"]["sentences"],
        limits=[*document["warnings"], *LIMITS],
        results=list(_set_results(found)),
    )


def _set_results(found: MultilabelResults) -> Iterator[EvalResult]:
    averaged, k = found.scores.emotions_averaged, len(found.run.labels)
    for key, (hub, average) in SET_HUB.items():
        own, title = found.scores.overall[key], MULTILABEL_METRICS[key].title
        if average == "macro" and averaged < k:
            own, title = _of_all(own, averaged / k), f"{title} of all {k} emotions"
        if not math.isnan(own.value):
            metric = (hub, title)
            yield hub_result(found.run, TASK, metric, own, {"average": average})


def _of_all(own: Interval, share: float) -> Interval:
    """Return macro F1 over all emotions, as the hub's is: F1 of those that no clip has is 0."""
    return Interval(value=share * own.value, low=share * own.low, high=share * own.high)


VALUE_HUB = {"ccc": "ccc", "pearson": "pearsonr", "spearman": "spearmanr", "mae": "mae"}
"""The hub's name of each score that it has one for; CCC, which it has not, by its own."""

RATING = "A rating says what listeners heard, not what a person felt."


def value_card(run: Run) -> CardParts:
    """Return the scores of each dimension, the groups and the limits."""
    found = DimensionResults(run=run)
    document = found.document
    scores = document["scores"]
    head = ["Dimension", *(metric.title for metric in DIMENSION_METRICS.values())]
    rows = [
        [markdown_text(name), *dimension_cells(own)]
        for name, own in (*scores["per_dimension"].items(), ("mean", scores["mean"]))
    ]
    return CardParts(
        verdict=document["verdict"],
        tables=[markdown_table(head, rows), "In brackets: 95 % interval.\n"],
        groups=[*document["averaged"]["sentences"], *document["groups"]["sentences"]],
        limits=[*document["warnings"], RATING, *LIMITS[1:]],
        results=list(_value_results(found)),
    )


def _value_results(found: DimensionResults) -> Iterator[EvalResult]:
    for name, own in found.scores.per_dimension.items():
        for key, hub in VALUE_HUB.items():
            if not math.isnan(own[key].value):
                metric = (hub, f"{DIMENSION_METRICS[key].title} of {name}")
                said = {"scale": str(found.values.scale)}
                title = "Emotional dimensions in speech"
                yield hub_result(found.run, title, metric, own[key], said)


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
        results=list(_emotion_results(run, scores)),
        entries=_entries(run, scores),
    )


def _emotion_results(run: Run, scores: Scores) -> Iterator[EvalResult]:
    by = scores.resampling
    for key, (hub, full, average) in HUB.items():
        own = {**scores.overall, **scores.published}[canonical(key)]
        if not math.isnan(own.value):
            said = {**average, "confidence_level": by.level, "clustered_by": by.by}
            yield hub_result(run, "Speech emotion recognition", (hub, full), own, said)


def _entries(run: Run, scores: Scores) -> str:
    """Return the hub's results file, or `""` without a clip or of a set that is not on the hub."""
    hub_id, accuracy = hub_dataset(run), scores.overall["wa"]
    if hub_id is None or not scores.n:
        return ""
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


BEGIN, END = "<!-- serval: evaluation begins -->", "<!-- serval: evaluation ends -->"

LIBRARIES = {"onnxruntime": "onnx", "openvino": "openvino", "torch": "pytorch"}
"""What the hub calls the kind of a model's file, by the runtime; a Python object is of none."""

CARDS: Mapping[Task, Callable[[Run], CardParts]] = {
    CATEGORICAL: emotion_card,
    MULTILABEL: set_card,
    DIMENSIONAL: value_card,
}
"""What the task of a run decides of its card."""


def card_text(run: Run) -> str:
    """Return a new card for the model of a run: the hub's metadata and the evaluation section."""
    title = f"# {safe(run.name)}\n"
    return _filled(ModelCard(f"---\n{{}}\n---\n{title}"), run)


def write_card(run: Run, path: Path) -> tuple[Path, ...]:
    """Return the files that were written: the card, and the hub's results file for a hub set.

    Of a file that exists already only what stands between serval's own two markers is replaced, or
    added at the end where they are missing. Where the file begins with the hub's metadata, the same
    scores of this evaluation are replaced there too, and it is written anew, without comments; a
    file that does not is no card, and gets none. Line ends stay as they are.

    Raises:
        ConfigError: The card that is there has metadata that cannot be read.
    """
    text, line_end = _read(path)
    written = [write_text(path, _updated(text, path, run).replace("\n", line_end))]
    if (hub_id := hub_dataset(run)) and (entries := CARDS[run.provenance.task](run).entries):
        target = path.parent / ".eval_results" / f"{hub_id.replace('/', '--')}.yaml"
        written.append(write_text(target, entries))
    return tuple(written)


def _updated(text: str, path: Path, run: Run) -> str:
    """Return the text of the file at `path` with the evaluation in it."""
    if not text.strip():
        return card_text(run)
    if not text.lstrip().startswith("---"):
        return _with_section(text, section_of(run, CARDS[run.provenance.task](run)))
    return _filled(_parsed(text, path), run)


def _filled(card: ModelCard, run: Run) -> str:
    """Return the text of a card with the section and the metadata of a run."""
    parts = CARDS[run.provenance.task](run)
    card.text = _with_section(card.text, section_of(run, parts))
    _add_metadata(card, parts.results, run)
    return str(card)


def _read(path: Path) -> tuple[str, str]:
    """Return the text of a file, its lines ending in a line feed, and how they end in the file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read()
            return text, file.newlines if isinstance(file.newlines, str) else "\n"
    except FileNotFoundError:
        return "", "\n"
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


def _score_of(result: EvalResult) -> tuple[object, ...]:
    """Return which score on which data a result is; its own identifier leaves out the score."""
    return result.unique_identifier, result.metric_type, result.metric_name


def _add_metadata(card: ModelCard, results: Sequence[EvalResult], run: Run) -> None:
    """Set what the card leaves open, and replace earlier values of the same scores."""
    data = cast("ModelCardData", card.data)
    new = set(map(_score_of, results))
    kept = [old for old in data.eval_results or [] if _score_of(old) not in new]
    data.eval_results = [*kept, *results]
    data.model_name = data.model_name or run.name
    data.pipeline_tag = data.pipeline_tag or "audio-classification"
    runtime = run.provenance.model.get("runtime", {}).get("name", "onnxruntime")
    data.library_name = data.library_name or LIBRARIES.get(runtime)
    data.tags = list(dict.fromkeys([*(data.tags or []), "speech-emotion-recognition"]))
    if (hub_id := hub_dataset(run)) and not data.datasets:
        data.datasets = [hub_id]

"""The evaluation section of a model card, whatever the task: what stands around its tables."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult

from serval.results.verdict import data_name
from serval.run import unfinished
from serval.wording import as_sentence, markdown_text, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.run import Run
    from serval.scores.stats import Interval


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
        metric_args={**arguments, "interval": [round(score.low, 4), round(score.high, 4)]},
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

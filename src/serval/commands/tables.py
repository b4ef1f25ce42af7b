"""What a run says on the terminal: the verdict, tables, what stands out, what it does not mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from serval.commands.terminal import Terminal, narrow_table
from serval.groups import gap_sentence
from serval.models.load import BUILTIN_MODELS
from serval.results import RESULTS, results_document
from serval.results.domain_shift import label_space_part
from serval.run import load_run
from serval.scores import METRICS, SHOWN, scores_of
from serval.scores.multilabel import MULTILABEL_METRICS
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL, task_in
from serval.wording import counted, numbered, percent, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.table import Table

    from serval.evaluation import Evaluation
    from serval.tasks import Task

    Document = Mapping[str, Any]

EXAMPLE = "example:int8"
"""A result on real speech, beside the self-test that the built-in set is."""

SHOWN_GROUPS = 8
"""Groups of a column that a table shows, the largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the terminal shows of runs of a task.

    Attributes:
        lines: What stands above the table, of a document.
        keys: The columns of the table: what there is room for in 60 columns.
        note: What stands below it.
        items: The sentences that follow.
        groups: Heads and cells of the tables of groups: the score of each, of a row.
        gap: What stands below those.
    """

    lines: Callable[[Document], Iterable[str]]
    keys: Sequence[str]
    note: Callable[[Document], str]
    items: Callable[[Document], Sequence[str]]
    groups: Callable[[Document], Mapping[str, str]]
    gap: Callable[[Document], str] = lambda _table: ""


def print_run(console: Terminal, document: Document) -> None:
    """Print what a reader takes away from a run, and the scores of each emotion below it."""
    shown = SHOWN_OF[task_in(document)]
    if not document["complete"]:
        console.print(document["warnings"][0], style="bold")
    console.print_verdict(document["verdict"][:1])
    for line in shown.lines(document):
        console.print(line)
    console.print_table(_each_table(document, shown))
    console.print(shown.note(document), style="dim")
    console.print_items(shown.items(document))


def _each_table(document: Document, shown: Shown) -> Table:
    """Return the scores of each emotion or dimension."""
    of, scores = RESULTS[task_in(document)], document["scores"]
    rows = scores[of.each]
    named = any("named" in own for own in rows.values())
    heads = [f"{of.keys[key]} %" if of.shares else of.keys[key] for key in shown.keys]
    table = narrow_table([of.one], [*heads, "clips", *(["named"] if named else [])])
    for name, own in rows.items():
        cells = (of.told(own[key], short=True) for key in shown.keys)
        counts = (str(of.clips_of(scores, name)), *([str(own["named"])] if named else []))
        table.add_row(name, *cells, *counts)
    return table


def print_findings(
    console: Terminal, document: Document, parts: Iterable[str] = ("observations", "votes")
) -> None:
    """Print what stands out, then what a reader must know before trusting the numbers.

    Args:
        console: Where to.
        document: The content of `results.json`.
        parts: Those of the document whose sentences are printed.
    """
    for part in parts:
        console.print_items(document.get(part, {}).get("sentences", ()))
    console.print_caveats(document["warnings"])


def print_groups(console: Terminal, document: Document) -> None:
    """Print the scores of the largest groups of each column, and how far the farthest are apart."""
    shown = SHOWN_OF[task_in(document)]
    for found in document["groups"]["tables"]:
        heads = shown.groups(found["groups"][0])
        table = narrow_table(["group"], ["clips", *heads])
        table.title = _group_title(found)
        for row in found["groups"][:SHOWN_GROUPS]:
            table.add_row(Text(row["name"]), str(row["n"]), *shown.groups(row).values())
        console.print_table(table)
        if gap := shown.gap(found):
            console.print(gap, style="dim")


def _group_title(found: Document) -> str:
    rest = len(found["groups"]) > SHOWN_GROUPS
    more = f", {SHOWN_GROUPS} of {len(found['groups'])}" if rest else ""
    return f"by {found['column']}{more}"


def _drawn_by(scores: Document) -> str:
    return f"In brackets: 95 % interval over {scores['clusters']} {scores['by']}s."


def _emotion_lines(document: Document) -> list[str]:
    return [*_overall_lines(document), *document["label_space"]["sentences"]]


def _overall_lines(document: Document) -> list[str]:
    meta, data = document["metadata"], document["dataset"]
    scores, guesses = document["scores"]["overall"], document["scores"]["baselines"]
    failed, left_out = len(document["failures"]), sum(p["n"] for p in document["left_out"])
    random, majority = (percent(guesses[name]["uar"]) for name in ("random", "majority"))
    return [
        f"{document['model']['name']} on {data['name']}: {counted(meta['total_samples'], 'clip')}, "
        f"{failed} failed" + (f", {left_out} left out" if left_out else ""),
        ", ".join(f"{METRICS[key].title} {scored(scores[key])}" for key in SHOWN),
        f"UAR of random labels: {random}; of the most frequent label alone: {majority}",
    ]


def _emotion_note(document: Document) -> str:
    by, k = document["scores"]["resampling"], document["scores"]["classes_averaged"]
    return (
        f"{_drawn_by(by)} UAR and macro scores average the {counted(k, 'emotion')} with truth "
        "clips."
    )


def _emotion_groups(row: Document) -> dict[str, str]:
    return {f"{METRICS[key].title} %": scored_short(row[of]) for key, of in GROUP_SCORES.items()}


GROUP_SCORES = {"wa": "accuracy", "uar": "uar"}
"""By key of `METRICS`, what a group's row calls it."""


def _set_lines(document: Document) -> list[str]:
    overall = document["scores"]["overall"]
    return [
        ", ".join(f"{metric.title} {scored(overall[key])}"
                  for key, metric in MULTILABEL_METRICS.items())
    ]  # fmt: skip


def _set_note(document: Document) -> str:
    scores = document["scores"]
    return (
        f"{_drawn_by(scores)} Macro F1 and mean AP average the "
        f"{counted(scores['emotions_averaged'], 'emotion')} with clips."
    )


def _set_groups(row: Document) -> dict[str, str]:
    keys = ("macro_f1", "micro_f1", "mean_ap")
    return {f"{MULTILABEL_METRICS[key].title} %": scored_short(row["scores"][key]) for key in keys}


def _value_note(document: Document) -> str:
    low, high = document["scale"]
    return f"{_drawn_by(document['scores'])} Errors are on the scale {low:g}..{high:g}."


def _value_groups(row: Document) -> dict[str, str]:
    each = {name: own["ccc"] for name, own in row["scores"]["per_dimension"].items()}
    return {"mean CCC": numbered(row["scores"]["mean"]["ccc"])} | {
        name: numbered({**ccc, "low": None}) for name, ccc in each.items()
    }


SHOWN_OF: Mapping[Task, Shown] = {
    CATEGORICAL: Shown(
        lines=_emotion_lines,
        keys=("precision", "recall", "f1"),
        note=_emotion_note,
        items=lambda _document: [],
        groups=_emotion_groups,
        gap=lambda table: gap_sentence(table["accuracy_gap"]),
    ),
    MULTILABEL: Shown(
        lines=_set_lines,
        keys=("f1", "ap"),
        note=_set_note,
        items=lambda document: document["verdict"][2:],
        groups=_set_groups,
    ),
    DIMENSIONAL: Shown(
        lines=lambda _document: [],
        keys=("ccc", "pearson", "mae"),
        note=_value_note,
        items=lambda document: document["verdict"][2:],
        groups=_value_groups,
    ),
}


def print_self_test(console: Terminal, evaluation: Evaluation) -> None:
    """Print whether everything works; of the built-in model also how good it is on real speech."""
    run, document = evaluation.run, evaluation.document
    n = len(run) + len(run.failures)
    rate = f"{n / run.seconds:.0f} clips/s, " if run.seconds else ""
    console.print(
        f"Self-test: {len(run)} of {n} clips decoded and answered, {rate}"
        f"{len(evaluation.files)} files written.",
        style="bold",
    )
    for failure in run.failures[:3]:
        console.print(f"  {failure.clip_id}: {failure.stage}: {failure.reason}")
    accuracy = percent(document["scores"]["overall"]["wa"]["value"])
    console.print(
        f"The demo set is synthetic speech, and no benchmark: accuracy {accuracy} there says "
        "nothing about people.",
        style="dim",
    )
    if document["model"]["path"] in {str(model.path) for model in BUILTIN_MODELS}:
        _print_example(console, document["model"])


def _print_example(console: Terminal, model: Mapping[str, Any]) -> None:
    """Print the stored run, unless it was made with other settings than the model has here."""
    run = load_run(EXAMPLE)
    if _setup(model) != _setup(run.provenance.model):
        return
    document = results_document(run, scores_of(run))
    document["label_space"] = label_space_part(run, restrict=False)
    console.print(
        f"\nOn real voices: a stored run of the same model on {len(run):,} clips of acted speech."
    )
    print_run(console, document)
    print_findings(console, document, ())
    console.print(
        f"Repeat it offline: serval score {EXAMPLE}; against its FP32 original: "
        f"serval compare example:fp32 {EXAMPLE}\n"
    )


def _setup(model: Mapping[str, Any]) -> list[Any]:
    contract = {part: value for part, value in model["contract"].items() if part != "sources"}
    return [contract, model.get("window"), model.get("runtime")]

"""What a run says on the terminal: the verdict, tables, what stands out, what it does not mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from serval.commands.terminal import (
    narrow_table,
    print_caveats,
    print_items,
    print_table,
    print_verdict,
)
from serval.groups import gap_sentence
from serval.scores import METRICS, SHOWN
from serval.scores.dimensions import DIMENSION_METRICS
from serval.scores.multilabel import EMOTION_METRICS, MULTILABEL_METRICS
from serval.wording import counted, numbered, percent, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.table import Table

__all__ = ["print_findings", "print_groups", "print_run"]

SHOWN_DIMENSION_METRICS = ("ccc", "pearson", "mae")
"""What there is room for in 60 columns."""

SHOWN_EMOTION_METRICS = ("f1", "ap")
"""What there is room for beside two counts; files have precision and recall too."""

SHOWN_GROUPS = 8
"""Groups of a column that a table shows, the largest first."""


def print_run(console: Console, document: dict[str, Any]) -> None:
    """Print what a reader takes away from a run, and the scores of each emotion below it."""
    if not document["complete"]:
        console.print(document["warnings"][0], style="bold")
    print_verdict(console, document["verdict"][:1])
    if document.get("task") == "dimensions":
        _print_dimensions(console, document)
        return
    if document.get("task") == "multilabel":
        _print_sets(console, document)
        return
    for line in (*_overall_lines(document), *document["label_space"]["sentences"]):
        console.print(line)
    print_table(console, _class_table(document))
    console.print(_note(document), style="dim")


def _print_dimensions(console: Console, document: dict[str, Any]) -> None:
    scores, (low, high) = document["scores"], document["scale"]
    titles = [DIMENSION_METRICS[key].title for key in SHOWN_DIMENSION_METRICS]
    table = narrow_table(["dimension"], [*titles, "clips"])
    for name, own in scores["per_dimension"].items():
        cells = (numbered(own[key]) for key in SHOWN_DIMENSION_METRICS)
        table.add_row(name, *cells, str(scores["clips"][name]))
    print_table(console, table)
    console.print(
        f"In brackets: 95 % interval over {scores['clusters']} {scores['by']}s. Errors are on the "
        f"scale {low:g}..{high:g}.", style="dim")  # fmt: skip
    print_items(console, document["verdict"][2:])


def _print_sets(console: Console, document: dict[str, Any]) -> None:
    scores = document["scores"]
    told = (f"{metric.title} {scored(scores['overall'][key])}"
            for key, metric in MULTILABEL_METRICS.items())  # fmt: skip
    console.print(", ".join(told))
    heads = [f"{EMOTION_METRICS[key]} %" for key in SHOWN_EMOTION_METRICS]
    table = narrow_table(["emotion"], [*heads, "clips", "named"])
    for label, own in scores["per_emotion"].items():
        cells = (scored_short(own[key]) for key in SHOWN_EMOTION_METRICS)
        table.add_row(label, *cells, str(own["support"]), str(own["named"]))
    print_table(console, table)
    console.print(
        f"In brackets: 95 % interval over {scores['clusters']} {scores['by']}s. Macro F1 and mean "
        f"AP average the {scores['emotions_averaged']} emotions with clips.",
        style="dim",
    )
    print_items(console, document["verdict"][2:])


def print_findings(
    console: Console, document: dict[str, Any], parts: Iterable[str] = ("observations", "votes")
) -> None:
    """Print what stands out, then what a reader must know before trusting the numbers.

    Args:
        console: Where to.
        document: The content of `results.json`.
        parts: Those of the document whose sentences are printed.
    """
    for part in parts:
        print_items(console, document.get(part, {}).get("sentences", ()))
    print_caveats(console, document["warnings"])


def print_groups(console: Console, document: dict[str, Any]) -> None:
    """Print the scores of the largest groups of each column, and how far the farthest are apart."""
    for found in document["groups"]["tables"]:
        if document.get("task") == "dimensions":
            print_table(console, _value_table(found))
        elif document.get("task") == "multilabel":
            print_table(console, _set_table(found))
        else:
            print_table(console, _group_table(found))
            console.print(gap_sentence(found["accuracy_gap"]), style="dim")


def _overall_lines(document: dict[str, Any]) -> list[str]:
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


def _class_table(document: dict[str, Any]) -> Table:
    table = narrow_table(["emotion"], ["precision %", "recall %", "F1 %", "clips"])
    for label, row in document["scores"]["per_class"].items():
        cells = (scored_short(row[key]) for key in ("precision", "recall", "f1"))
        table.add_row(label, *cells, str(row["support"]))
    return table


def _note(document: dict[str, Any]) -> str:
    by, k = document["scores"]["resampling"], document["scores"]["classes_averaged"]
    return (
        f"In brackets: 95 % interval over {by['clusters']} {by['by']}s. UAR and macro scores "
        f"average the {counted(k, 'emotion')} with truth clips."
    )


def _value_table(found: dict[str, Any]) -> Table:
    """Return the mean CCC of the largest groups, and the CCC of each of their dimensions."""
    names = list(found["groups"][0]["scores"]["per_dimension"])
    table = narrow_table(["group"], ["clips", "mean CCC", *names])
    table.title = _group_title(found)
    for row in found["groups"][:SHOWN_GROUPS]:
        own = row["scores"]
        each = (numbered({**own["per_dimension"][name]["ccc"], "low": None}) for name in names)
        cells = (str(row["n"]), numbered(own["mean"]["ccc"]), *each)
        table.add_row(Text(row["name"]), *cells)
    return table


def _set_table(found: dict[str, Any]) -> Table:
    """Return macro F1, micro F1 and mean AP of the largest groups."""
    keys = ("macro_f1", "micro_f1", "mean_ap")
    table = narrow_table(
        ["group"], ["clips", *(f"{MULTILABEL_METRICS[key].title} %" for key in keys)]
    )
    table.title = _group_title(found)
    for row in found["groups"][:SHOWN_GROUPS]:
        cells = (scored_short(row["scores"][key]) for key in keys)
        table.add_row(Text(row["name"]), str(row["n"]), *cells)
    return table


def _group_title(found: dict[str, Any]) -> str:
    rest = len(found["groups"]) > SHOWN_GROUPS
    more = f", {SHOWN_GROUPS} of {len(found['groups'])}" if rest else ""
    return f"by {found['column']}{more}"


def _group_table(found: dict[str, Any]) -> Table:
    table = narrow_table(["group"], ["clips", "accuracy %", "UAR %"])
    table.title = _group_title(found)
    for row in found["groups"][:SHOWN_GROUPS]:
        scores = (scored_short(row[key]) for key in ("accuracy", "uar"))
        table.add_row(Text(row["name"]), str(row["n"]), *scores)
    return table

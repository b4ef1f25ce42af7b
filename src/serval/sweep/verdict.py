"""A leaderboard in a few sentences: which model is first, and how little that may mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.scores import METRICS
from serval.scores.stats import LEVEL
from serval.wording import hundredths, percent, three_digits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Document = Mapping[str, Any]
    Row = Mapping[str, Any]

__all__ = ["told_from", "verdict_of"]


def verdict_of(document: Document) -> list[str]:
    """Return the sentence that a reader takes away from a leaderboard, then what bounds it.

    Args:
        document: With `averages`, `tasks` and `ranked_by`.
    """
    score = document["ranked_by"]
    known = _averaged(document)
    if not known:
        return ["No model has been evaluated on every corpus."]
    best, mean = known[0], known[0]["scores"][score]
    title = METRICS[score].title
    first = f"the highest {title}:" if len(known) > 1 else f"a {title} of"
    over = f", the mean over {best['of']} corpora" if best["of"] > 1 else ""
    said = [(f"{best['model']} has {first} {percent(mean['value'], 1)}{over}.")]
    if alike := told_from(document, best["model"])[1]:
        where = "on any of the sets" if len(document["tasks"]) > 1 else "on this set"
        said.append(f"It cannot be told apart {where} from: {', '.join(alike)}.")
    said += _cheapest(document, best["model"], alike)
    if best["of"] > 1 and mean["low"] is not None:
        said.append(
            "Over other corpora of this kind the mean may lie from "
            f"{hundredths(mean['low'], 0)} to {percent(mean['high'], 0)} "
            f"(95 % interval over {best['of']} corpora)."
        )
    return said


def _averaged(document: Document) -> list[Row]:
    """Return the averages of models that have one, the best first."""
    score = document["ranked_by"]
    return [
        row
        for row in document["averages"]
        if not row["baseline"] and row["scores"][score]["value"] is not None
    ]


def told_from(document: Document, best: str, dataset: str = "") -> tuple[list[str], list[str]]:
    """Return the models that a test tells apart from one, and those that none does.

    Args:
        document: With `tasks` and `ranked_by`.
        best: Its name.
        dataset: The one set to look at; by default whichever both are on.
    """
    tasks = (task for task in document["tasks"] if dataset in ("", task["dataset"]))
    tests = [test for task in tasks for test in task["tests"]]
    of_it = [t for t in tests if t["score"] == document["ranked_by"] and best in (t["a"], t["b"])]
    others = dict.fromkeys(t["b"] if t["a"] == best else t["a"] for t in of_it)
    told = {
        name
        for t in of_it
        for name in (t["a"], t["b"])
        if t["p_corrected"] is not None and t["p_corrected"] <= 1 - LEVEL
    } - {best}
    return [name for name in others if name in told], [name for name in others if name not in told]


def _cheapest(document: Document, best: str, alike: Sequence[str]) -> list[str]:
    """Return which of the encoders that nothing tells apart from the best is the fastest."""
    ms = {row["model"]: row["cost"]["ms"] for row in document["rows"] if row.get("cost")}
    known = [name for name in alike if name in ms]
    if best not in ms or not known:
        return []
    fastest = min(known, key=ms.__getitem__)
    if ms[fastest] >= ms[best]:
        return ["None of them takes less time for a clip."]
    said = f"The fastest of these is {fastest}: {three_digits(ms[fastest])} ms for a clip of 3 s"
    return [f"{said}, not {three_digits(ms[best])}."]

"""What a stress test found, from its document: sentences, a row each for a table, markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.files import csv_writer
from serval.groups import canonical_column
from serval.scores import HEADLINES, METRICS
from serval.stress.panel import MIN_CLIPS_OF_LABEL
from serval.stress.suite import WHOSE
from serval.wording import (
    change_short,
    counted,
    hundredths,
    in_points,
    markdown_table,
    markdown_text,
    percent,
    points,
    scored_short,
    span,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Document = Mapping[str, Any]

ENDS = ("value", "low", "high")
SIGNS = {"uar": "+", "recall": "", "precision": ""}
"""How a difference of each measure is signed: those of recall and precision are magnitudes."""

FEWEST_LEVELS = 3


def write_csv(document: Document, path: Path) -> Path:
    """Return `path` after writing one row for each perturbation, shares in [0, 1]."""
    rows = list(table_rows(document))
    with csv_writer(path) as writer:
        writer.writerow(rows[0])
        writer.writerows(row.values() for row in rows)
    return path


def table_rows(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the cells of each perturbation, with what a random model gets beside every number."""
    random = document["random"]
    gaps = document["against"]["cases"] if document["against"] else {}
    stopped = any("stopped_after" in case for case in document["cases"].values())
    for name, case in document["cases"].items():
        row = {key: case[key] for key in ("family", "kind", "level", "unit")}
        for metric in HEADLINES:
            row |= _spread(metric, case[metric], random[metric])
            row |= _spread(f"{metric}_change", case["change"][metric], random["change"][metric])
        row |= _spread("unchanged", case["unchanged"], random["unchanged"])
        row |= {key: case[key] for key in ("rule", "outcome", "sure", "random_passes", "failed")}
        asked = {"clips": case.get("stopped_after", document["clips"])} if stopped else {}
        yield {"perturbation": name, **row, **asked, **_gap_cells(gaps.get(name))}


def markdown(document: Document) -> str:
    """Return the whole result as GitHub markdown: tables and what they rest on."""
    parts = [
        f"# {document['model']['name']} under stress\n",
        _lead(document),
        _cases_table(document),
        "## By family\n",
        _families_table(document),
        *_invariance_part(document["invariance"]),
        *_fairness_part(document["fairness"]),
        *_against_part(document["against"]),
    ]
    if document["warnings"]:
        parts += ["## Warnings\n", *(f"- {line}" for line in document["warnings"])]
    return "\n".join(parts).rstrip() + "\n"


def _share(score: Mapping[str, float | None]) -> str:
    return scored_short(score, 1)


def kept_sentence(everything: Mapping[str, Any]) -> str:
    """Return how many thresholds are kept, and how many of these verdicts the clips can carry."""
    judged, undecided = everything["judged"], everything["cannot_tell"]
    lost = everything["lost"]
    why = {
        "clips fail that have an answer when clean": lost,
        f"no emotion has {MIN_CLIPS_OF_LABEL} clips, which a verdict needs": undecided - lost,
    }
    several = all(why.values())
    few = ", and ".join(f"{cause} ({n} of them)" if several else cause
                        for cause, n in why.items() if n)  # fmt: skip
    if not judged:
        return (
            f"Whether the thresholds of {WHOSE} are kept cannot be told: {few}."
            if undecided
            else "No threshold is published for any of them."
        )
    return (
        f"Of the thresholds of {WHOSE}, {everything['passed']} of {judged} are kept; "
        f"{everything['sure']} of the {judged} verdicts are sure."
        + (f" Of {undecided} more it cannot be told: {few}." if undecided else "")
    )


def _spread(
    name: str, found: Mapping[str, float | None], random: Mapping[str, float]
) -> dict[str, Any]:
    cells = {name if end == "value" else f"{name}_{end}": found[end] for end in ENDS}
    return cells | {f"{name}_random": random["value"]}


def _gap_cells(gap: Mapping[str, Any] | None) -> dict[str, Any]:
    if gap is None:
        return {}
    cells = {f"uar_against_{end}": gap["uar"][end] for end in ENDS}
    extra = {f"uar_extra_{end}": gap["extra"]["uar"][end] for end in ENDS}
    return cells | extra | {"agreement": gap["agreement"]["value"]}


def _lead(document: Document) -> str:
    clean, everything = document["clean"], document["families"]["all"]
    scores = ", ".join(f"{METRICS[m].title} {_share(clean[m])}" for m in HEADLINES)
    return (
        f"{counted(document['clips'], 'clip')} of {document['dataset']['name']}; clean: {scores} "
        f"(percent, 95 % interval). {kept_sentence(everything)} "
        f"{counted(len(document['cases']), 'perturbation')} took "
        f"{document['seconds']['total']:.0f} s. Changes are in points on the same clips.\n"
    )


def _cases_table(document: Document) -> str:
    random = document["random"]
    head = ("Perturbation", "Accuracy", "UAR", "Macro F1", "Change of UAR", "Unchanged",
            "Threshold", "Random passes")  # fmt: skip
    baseline = [
        "*a random model*",
        *(_share(random[metric]) for metric in HEADLINES),
        change_short(random["change"]["uar"]),
        _share(random["unchanged"]),
        "",
        "",
    ]
    rows = [
        [
            case_title(f"`{name}`", case),
            *(_share(case[metric]) for metric in HEADLINES),
            change_short(case["change"]["uar"]),
            _share(case["unchanged"]),
            _outcome(case),
            "" if case["rule"] is None else percent(case["random_passes"], 0),
        ]
        for name, case in document["cases"].items()
    ]
    return markdown_table(head, [baseline, *rows])


def kinds_of(document: Document) -> dict[str, list[Mapping[str, Any]]]:
    """Return the perturbations of each kind that has three levels or more, levels rising."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for case in sorted(_leveled(document), key=lambda case: float(case["level"])):
        kinds.setdefault(case["kind"], []).append(case)
    return {kind: kinds[kind] for kind in dict.fromkeys(case["kind"] for case in _leveled(document))
            if len(kinds[kind]) >= FEWEST_LEVELS}  # fmt: skip


def _leveled(document: Document) -> list[Mapping[str, Any]]:
    return [case for case in document["cases"].values() if case["level"] is not None]


def case_title(name: str, case: Mapping[str, Any]) -> str:
    """Return the name of a perturbation, with its number of clips where it was stopped."""
    asked = case.get("stopped_after")
    return f"{name} ({counted(asked, 'clip')})" if asked else name


def _outcome(case: Mapping[str, Any]) -> str:
    if case["rule"] is None:
        return "none published"
    doubt = "" if case["sure"] or case["outcome"] == "cannot tell" else " (not sure)"
    lost = ", since clips newly fail" * case["lost"]
    return f"{case['rule']}: {case['outcome']}{doubt}{lost}"


def _families_table(document: Document) -> str:
    head = ("Family", "Cases", "Change of accuracy", "Change of UAR", "Change of macro F1",
            "Unchanged", "Kept")  # fmt: skip
    rows = [
        [
            name,
            str(family["cases"]),
            *(change_short(family["change"][metric]) for metric in HEADLINES),
            _share(family["unchanged"]),
            f"{family['passed']} of {family['judged']}",
        ]
        for name, family in document["families"].items()
    ]
    return markdown_table(head, rows)


def _invariance_part(invariance: Mapping[str, Any] | None) -> list[str]:
    if invariance is None:
        return []
    rows = [
        [
            check["what"],
            str(check["n"]),
            percent(check["unchanged"], 1),
            "n/a" if check["largest"] is None else f"{check['largest']:.2g}",
            {True: "yes", False: "**no**", None: check["note"] or "not asked"}[check["passed"]],
        ]
        for check in invariance["checks"].values()
    ]
    head = ("The same clip", "Clips", "Same label", "Largest change of a probability", "Exact")
    shortest = invariance["shortest_s"]
    taken = "none that was tried" if shortest is None else f"{shortest:g} s"
    return ["## Invariance of the model file\n", markdown_table(head, rows),
            f"Shortest clip that it takes: {taken}.\n"]  # fmt: skip


def _fairness_part(fairness: Mapping[str, Any]) -> list[str]:
    if not fairness["judged"]:
        return ["## Fairness\n", f"Not judged: {fairness['reason']}.\n"]
    rows = [
        [
            column,
            markdown_text(gap["group"]),
            str(gap["n"]),
            str(gap["speakers"] or "n/a"),
            *(_deviation(gap, m, sign) for m, sign in SIGNS.items()),
        ]
        for column, gaps in fairness["columns"].items()
        for gap in gaps
        if _is_listed(column) or "beyond" in gap["findings"].values()
    ]
    head = ("Column", "Group", "Clips", "Speakers", "UAR", "A label's recall",
            "A label's precision")  # fmt: skip
    lead = (
        "UAR of each group minus that of all clips, and the largest difference, either way, of one "
        "label's recall and precision, in points; the threshold is the largest difference of "
        f"1,000 random models, which do not know of speakers. {beyond_sentence(fairness)} "
        "Cannot tell: within the threshold, but a difference of 10 points would be missed. "
        "Speakers and texts are listed only where they are beyond.\n"
    )
    return ["## Fairness\n", lead, markdown_table(head, rows)]


def beyond_sentence(fairness: Mapping[str, Any]) -> str:
    """Return how many groups of each column are beyond a threshold, or cannot be told of."""
    said = [
        f"{column} {fairness['beyond'][column]} of {len(groups)}"
        + (f" (cannot tell: {n})" if (n := fairness["cannot_tell"][column]) else "")
        for column, groups in fairness["columns"].items()
    ]
    return f"Groups further from all clips than random models get: {', '.join(said) or 'none'}."


def _is_listed(column: str) -> bool:
    return canonical_column(column) in {"gender", "age", "corpus"}


def _deviation(gap: Mapping[str, Any], measure: str, sign: str) -> str:
    doubt = ", cannot tell" if gap["findings"][measure] == "cannot tell" else ""
    own = gap["gaps"][measure]
    moved = points(own, sign=True, digits=1) if sign else hundredths(own)
    return (
        f"{moved} (at most {hundredths(gap['thresholds'][measure])}, "
        f"random {hundredths(gap['random'][measure])}{doubt})"
    )


def _against_part(against: Mapping[str, Any] | None) -> list[str]:
    if against is None:
        return []
    head = ("Family", "UAR, this minus the other", "Extra change of UAR", "Same answer",
            "Unchanged, this minus the other")  # fmt: skip
    clean = ["*clean*", change_short(against["clean"]["uar"]), "", _share(against["agreement"]), ""]
    rows = [
        [
            name,
            change_short(gap["uar"]),
            change_short(gap["extra"]["uar"]),
            _share(gap["agreement"]),
            change_short(gap["unchanged"]),
        ]
        for name, gap in against["families"].items()
    ]
    lead = (
        f"On the same {against['clips']} perturbed clips. Extra change: this model's change "
        "from clean minus the other's; below 0, stress hurts this model more.\n"
    )
    return [f"## Against {against['model']}\n", lead, markdown_table(head, [clean, *rows])]


def stress_verdict(document: Mapping[str, Any]) -> list[str]:
    """Return what a reader takes away from `stress.json`: mean change, worst, thresholds."""
    everything, cases = document["families"]["all"], document["cases"]
    changes = {name: case["change"]["uar"]["value"] for name, case in cases.items()}
    known = {name: value for name, value in changes.items() if value is not None}
    mean = everything["change"]["uar"]
    whole = sum("stopped_after" not in case for case in cases.values())
    if mean["value"] is None or mean["low"] is None or not known:
        return [kept_sentence(everything)]
    worst = min(known, key=lambda name: known[name])
    most = f", most under {worst} ({points(known[worst], sign=True)})" if known[worst] < 0 else ""
    said = (
        f"Under {counted(whole, 'perturbation')} the UAR of {document['model']['name']} "
        f"changes by {in_points(mean['value'], sign=True)} on average (95 % interval "
        f"{span(mean['low'], mean['high'])}){most}. "
        f"{kept_sentence(everything)}"
    )
    return [said]

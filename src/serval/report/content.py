"""Runs -> everything that a report shows, in plain JSON types."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from serval.comparison.words import pair_verdict
from serval.groups import groups_of
from serval.machine import platform_facts
from serval.report.again import facts_of
from serval.report.charts import (
    Chart,
    bounds,
    failures_chart,
    latency_chart,
    per_class_chart,
    speakers_chart,
)
from serval.report.columns import Listed, clip_columns
from serval.report.pairing import (
    difference_chart,
    group_changes_chart,
    pair_content,
)
from serval.report.shift import shift_chart
from serval.report.timed import timed_chart
from serval.report.trust import coverage_chart, group_charts, reliability_chart
from serval.results.document import caveats_of
from serval.results.observations import observations_of, sentences
from serval.results.verdict import (
    counted,
    data_name,
    sentences_of,
    verdict_of,
)
from serval.run import unfinished
from serval.scores import SHOWN, title_of
from serval.scores.calibration import calibration_of
from serval.scores.metrics import confusion_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.bench.browser import Timed
    from serval.comparison import Comparison
    from serval.report.sound import Sounds
    from serval.report.stressed import Stressed
    from serval.run import Run
    from serval.scores import Scores

__all__ = ["report_content", "run_names"]


def report_content(
    clips: Listed,
    scores: Sequence[Scores],
    sounds: Sounds,
    comparison: Comparison | None,
    under: Stressed | None = None,
    *,
    timed: Sequence[Timed] = (),
) -> dict[str, Any]:
    """Return the content of a page for one run, or for two on the same labels.

    Args:
        clips: The clips of the runs.
        scores: Of each run.
        sounds: Of the clips that can be heard.
        comparison: Of the two runs, if there are two.
        under: What a stress test of the first run's model found, if there was one.
        timed: What devices measured.
    """
    first = clips.runs[0]
    names = run_names(clips.runs, comparison)
    return {
        "version": platform_facts()["packages"]["serval"],
        "title": f"{' and '.join(names)} on {data_name(first)}",
        "eyebrow": f"{_listed_names(names)} on {data_name(first)}",
        "verdict": pair_verdict(comparison, comparison.against[0])
        if comparison
        else verdict_of(names[0], scores[0]),
        "sentences": [
            *(f"{unfinished(run)}." for run in clips.runs if not run.complete),
            *sentences_of(scores[0], first.labels),
        ],
        "caveats": caveats_of(clips.runs, scores, comparison.warnings if comparison else ()),
        "listen": _listen(clips, sounds),
        "silence": first.provenance.dataset.get("no_audio")
        or "This clip has no audio in this page: either the page was made without it "
        "(--audio all takes every clip), or its file was not found again.",
        "labels": list(first.labels),
        "runs": [
            _run_content(run, name, own)
            for run, name, own in zip(clips.runs, names, scores, strict=True)
        ],
        "pair": pair_content(comparison) if comparison else None,
        "clips": clip_columns(clips, sounds),
        "sections": _sections(clips.runs, names, scores, comparison, timed)
        + ([_stress_section(under)] if under else []),
        "examples": _examples(under, len(sounds.by_sha256)) if under else [],
        "foot": "Made by serval. This page holds everything it shows and asks no network.",
    }


def run_names(runs: Sequence[Run], comparison: Comparison | None) -> list[str]:
    """Return what each run is called: its name, or what tells two runs apart."""
    if comparison:
        return [comparison.against[0].a, comparison.against[0].b]
    return [run.name for run in runs]


def _listed_names(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return " and ".join(f"{name} ({letter})" for name, letter in zip(names, "AB", strict=True))


def _run_content(run: Run, name: str, scores: Scores) -> dict[str, Any]:
    counts = confusion_matrix(run.truth, run.predicted, run.labels)
    return {
        "name": name,
        "clips": len(run),
        "counts": counts.tolist(),
        "tiles": [
            {"name": title_of(key), "kind": "share", **bounds(scores.overall[key])} for key in SHOWN
        ],
        "observations": [
            line
            for line in sentences(observations_of(counts, run.labels))
            if not line.startswith("Most frequent confusions")
        ],
        "facts": facts_of(run),
    }


def _listen(clips: Listed, sounds: Sounds) -> str:
    n = len(sounds.by_sha256)
    order = (
        "The most confident mistakes come first: some of them are wrong labels, not wrong answers."
    )
    heard = f"{n:,} of {counted(len(clips), 'clip')} can be heard here (♪)."
    sampled = (
        f"These are a random sample of {len(clips):,} of the {clips.n:,} clips; every score and "
        "chart of this page is of all."
    )
    return " ".join((order, *([sampled] if len(clips) < clips.n else ()), heard, *sounds.notes))


def _sections(
    runs: Sequence[Run],
    names: Sequence[str],
    scores: Sequence[Scores],
    comparison: Comparison | None,
    timed: Sequence[Timed],
) -> list[dict[str, Any]]:
    fits = [calibration_of(run) for run in runs]
    changed = (difference_chart(comparison), group_changes_chart(comparison)) if comparison else ()
    sections = (
        _section("change", "What changed", "The same clips, answered by both.", *changed),
        _section("emotions", "Emotion by emotion", "Which emotions it knows, and which it guesses.",
                 per_class_chart(names, scores)),
        _section("trust", "When to believe it", "What its confidence is worth.",
                 reliability_chart(names, fits), coverage_chart(names, fits)),
        _section("who", "For whom it works", "Whether it serves all alike, with 95 % intervals.",
                 *group_charts(names, [groups_of(run) for run in runs]),
                 speakers_chart(names, runs)),
        _section("shift", "How this set differs from the model's own",
                 "What is known of labels, answers and sound; nothing of it is a guess.",
                 *(shift_chart(name, run) for name, run in zip(names, runs, strict=True))),
        _section("run", "Speed and failures", "What an answer costs, and which clips got none.",
                 latency_chart(names, runs), timed_chart(timed, runs),
                 failures_chart(names, runs)),
    )  # fmt: skip
    return [section for section in sections if section["charts"]]


def _stress_section(under: Stressed) -> dict[str, Any]:
    lead = "The same clips with noise, rooms, codecs and other changes, on the first run's model."
    return _section("stress", "Outside the studio", lead, *under.charts)


def _examples(under: Stressed, first: int) -> list[dict[str, Any]]:
    """Return the examples with their sounds as positions on the page, which come after `first`."""
    place = {key: first + number for number, key in enumerate(under.sounds)}
    return [
        {**example, "heard": [{**side, "sound": place[side["sound"]]} for side in example["heard"]]}
        for example in under.examples
    ]


def _section(section_id: str, title: str, lead: str, *charts: Chart | None) -> dict[str, Any]:
    shown = [asdict(chart) for chart in charts if chart is not None and chart.rows]
    return {"id": section_id, "title": title, "lead": lead, "charts": shown}

"""Runs -> everything that a report shows, in plain JSON types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.machine import platform_facts
from serval.report.again import facts_of
from serval.report.charts import failures_chart, latency_chart
from serval.report.columns import clip_columns
from serval.report.parts import section
from serval.report.timed import timed_chart
from serval.results.document import caveats_of
from serval.results.verdict import counted, data_name
from serval.run import unfinished
from serval.wording import as_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.bench.browser import Timed
    from serval.report.parts import PageParts
    from serval.report.sound import Sounds
    from serval.report.stressed import Stressed

__all__ = ["report_content"]

SILENCE = (
    "This clip has no audio in this page: either the page was made without it (--audio all takes "
    "every clip), or its file was not found again."
)


def report_content(
    parts: PageParts, sounds: Sounds, under: Stressed | None = None, timed: Sequence[Timed] = ()
) -> dict[str, Any]:
    """Return the content of a page for one run, or for two of one task.

    Args:
        parts: What the task of the runs decides.
        sounds: Of the clips that can be heard.
        under: What a stress test of the model of one of the runs found, if there was one.
        timed: What devices measured.
    """
    runs, names = parts.clips.runs, parts.names
    first = runs[0]
    columns = clip_columns(parts.clips, sounds, parts.value_columns)
    return {
        "version": platform_facts()["packages"]["serval"],
        "task": parts.task,
        "title": f"{' and '.join(names)} on {data_name(first)}",
        "eyebrow": f"{_listed_names(names)} on {data_name(first)}",
        "verdict": parts.verdict,
        "sentences": list(_sentences(parts)),
        "caveats": caveats_of(runs, [], parts.warnings),
        "listen": _listen(parts, sounds),
        "silence": first.provenance.dataset.get("no_audio") or SILENCE,
        "runs": _runs(parts),
        "pair": parts.pair,
        "clips": {**columns, **parts.columns, "runs": list(parts.answers)},
        "sections": [one for one in _sections(parts, under, timed) if one["charts"]],
        "examples": _examples(under, len(sounds.by_sha256)) if under else [],
        "foot": "Made by serval. This page holds everything it shows and asks no network.",
        **parts.shown,
    }


def _sentences(parts: PageParts) -> Iterator[str]:
    """Yield what stands below the verdict; of two runs the margin, and which clips they share."""
    runs = parts.clips.runs
    yield from (as_sentence(unfinished(run)) for run in runs if not run.complete)
    if parts.pair is None:
        yield from parts.sentences
        return
    yield parts.pair["margin"]
    common = parts.pair["clips"]
    if any(len(run) != common for run in runs):
        own = ", ".join(f"{len(run):,} of {letter}" for run, letter in zip(runs, "AB", strict=True))
        yield (
            f"The scores of A and B here, and what changed, are of the {counted(common, 'clip')} "
            f"that both answered; every other chart is of all clips that its run answered: {own}."
        )


def _listed_names(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return " and ".join(f"{name} ({letter})" for name, letter in zip(names, "AB", strict=True))


def _listen(parts: PageParts, sounds: Sounds) -> str:
    n = len(sounds.by_sha256)
    heard = f"{n:,} of {counted(len(parts.clips), 'clip')} can be heard here (♪)."
    sampled = (
        f"These are a random sample of {len(parts.clips):,} of the {parts.clips.n:,} clips, and so "
        "are the dots of a chart; every other chart and every score of this page is of all."
    )
    said = [parts.order, *([sampled] if len(parts.clips) < parts.clips.n else ()), heard]
    return " ".join((*said, *sounds.notes))


def _runs(parts: PageParts) -> list[dict[str, Any]]:
    return [
        {"name": name, "clips": len(run), "facts": facts_of(run), **own}
        for run, name, own in zip(parts.clips.runs, parts.names, parts.runs, strict=True)
    ]


def _sections(
    parts: PageParts, under: Stressed | None, timed: Sequence[Timed]
) -> list[Mapping[str, Any]]:
    stress = [section("stress", "Outside the studio", under.lead, *under.charts)] if under else []
    return [*parts.sections, _run_section(parts, timed), *stress]


def _run_section(parts: PageParts, timed: Sequence[Timed]) -> dict[str, Any]:
    runs = parts.clips.runs
    return section(
        "run",
        "Speed and failures",
        "What an answer costs, and which clips got none.",
        latency_chart(parts.names, runs),
        timed_chart(timed, runs),
        failures_chart(parts.names, runs),
    )


def _examples(under: Stressed, first: int) -> list[dict[str, Any]]:
    """Return the examples with their sounds as positions on the page, which come after `first`."""
    place = {key: first + number for number, key in enumerate(under.sounds)}
    return [
        {**example, "heard": [{**side, "sound": place[side["sound"]]} for side in example["heard"]]}
        for example in under.examples
    ]

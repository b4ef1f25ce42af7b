"""Runs -> everything that a report shows, in plain JSON types."""

from __future__ import annotations

from dataclasses import fields
from shlex import join
from typing import TYPE_CHECKING, Any

from serval.machine import platform_facts
from serval.options import EvalOptions, as_words, flag_of, stored_options
from serval.report.charts import Chart, Column, failures_chart, latency_chart
from serval.report.columns import clip_columns
from serval.report.page import FOOT
from serval.report.parts import section
from serval.results.document import caveats_of
from serval.results.verdict import data_name
from serval.run import is_told_of, unfinished
from serval.wording import as_sentence, counted, three_digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.bench.browser import StoredLatency, Timed
    from serval.report.parts import PageParts
    from serval.report.sound import Sounds
    from serval.report.stressed import Stressed
    from serval.run import Run


SILENCE = (
    "This clip has no audio in this page: either the page was made without it (--audio all takes "
    "every clip), or its file was not found again."
)


def report_content(
    parts: PageParts, sounds: Sounds, under: Stressed | None = None, timed: Sequence[Timed] = ()
) -> dict[str, Any]:
    """Return the content of a page for one run, or for two of one task."""
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
        "foot": FOOT,
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


ALWAYS = ("model", "dataset")
NOT_WHAT = ("output", "fresh", "dev_mode", "plots", "value_columns")
"""Where and how to write, which is the reader's own affair, and what follows from other options."""


def command_of(run: Run) -> str:
    """Return the command that makes the run again, with every option that was not the default."""
    return " ".join(["serval evaluate", *_flags(stored_options(run))])


def facts_of(run: Run) -> list[tuple[str, str]]:
    """Return model, data, machine and command as titles and values; hashes whole."""
    model, data, platform = (
        run.provenance.model, run.provenance.dataset, run.provenance.platform
    )  # fmt: skip
    contract, size = model.get("contract", {}), model.get("size_bytes")
    facts = {
        "Command": command_of(run),
        "Limit": _limit(stored_options(run)),
        "Model": model["name"],
        "Model file": f"{three_digits(size / 1e6)} MB" if size else "",
        "Model sha256": model["sha256"],
        "Model input": f"{contract.get('sample_rate', '?')} Hz, "
        f"normalize {contract.get('normalize', '?')}",
        "Data": data_name(run),
        "Data revision": data.get("revision") or "",
        "Data fingerprint": data["fingerprint"],
        "Data licence": data.get("licence") or "",
        "Clips": f"{len(run):,} scored, {len(run.failures):,} failed, "
        f"{sum(run.dropped.values()):,} left out",
        "Audio": f"{run.duration_s.sum() / 60:.1f} minutes",
        "Started": run.started,
        "Took": f"{run.seconds:.0f} s",
        "Processor": f"{platform.get('processor', '?')}, {platform.get('cores', '?')} cores",
        "Software": ", ".join(f"{k} {v}" for k, v in platform.get("packages", {}).items()),
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _limit(options: EvalOptions) -> str:
    """Return which clips of the split were asked for."""
    said = []
    if options.sample:
        seed = f"seed {options.sample_seed}"
        said.append(f"a random sample of {counted(options.sample, 'clip')}, {seed}")
    if options.limit:
        said.append(f"the first {counted(options.limit, 'clip')}{' of it' if said else ''}")
    return ", ".join(said) or "none: every clip of the split"


def _flags(options: EvalOptions) -> Iterator[str]:
    for field in sorted(fields(EvalOptions), key=lambda field: field.name not in ALWAYS):
        value = getattr(options, field.name)
        if field.name in NOT_WHAT or (value == field.default and field.name not in ALWAYS):
            continue
        yield join(as_words({flag_of(field.name): value}))


SHOWN_S = (1.0, 3.0, 10.0)
"""Durations that are shown where they were measured: a table of all would be long."""

COLUMNS = (
    Column(key="where", title="measured on"),
    Column(key="model", title="model"),
    Column(key="file", title="its file"),
    Column(key="threads", title="threads"),
    Column(key="seconds", title="clip, s", kind="number"),
    Column(key="p50", title="p50, ms", kind="number"),
    Column(key="p90", title="p90, ms", kind="number"),
    Column(key="rtf", title="RTF", kind="number"),
    Column(key="n", title="n", kind="count"),
)


def timed_chart(timed: Sequence[Timed], runs: Sequence[Run]) -> Chart | None:
    """Return what devices measured as a table, and of which of the runs' models, if anything."""
    models = [run.provenance.model for run in runs]
    rows = [row for device in timed for row in _rows(device, models)]
    if not rows:
        return None
    return Chart(
        id="devices",
        kind="table",
        title="How fast it is where it was measured",
        note="One clip at a time, the model only. RTF is processing time over audio time: under 1 "
        "keeps up with speech. Compare rows of one device; others had other work to do. Measured "
        f"on: {' / '.join(dict.fromkeys(device.where for device in timed))}.",
        columns=COLUMNS,
        rows=rows,
        wide=True,
    )


def _rows(device: Timed, models: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    shown = [one for one in device.latency if one.seconds in SHOWN_S] or device.latency
    told = [(not any(is_told_of(one.facts, model) for model in models), one) for one in shown]
    for is_other, one in sorted(told, key=lambda item: (item[0], item[1].model)):
        yield {"where": device.where.partition(",")[0], **_cells(one)} | {
            "file": "another" if is_other else "of this report"
        }


def _cells(one: StoredLatency) -> dict[str, Any]:
    p90 = one.timing.told("p90_s")
    return {
        "model": one.model,
        "threads": one.computed_by,
        "seconds": one.seconds,
        "p50": float(f"{1000 * one.timing.p50_s:.3g}"),
        "p90": None if p90 is None else float(f"{1000 * p90:.3g}"),
        "rtf": float(f"{one.rtf:.2g}"),
        "n": one.timing.n,
    }

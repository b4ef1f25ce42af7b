"""Benchmarks of the model, here and in browsers -> a table of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.report.charts import Chart, Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.bench.browser import StoredLatency, Timed
    from serval.run import Run

__all__ = ["timed_chart"]

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
    """Return what devices measured as a table, or `None` where nothing is given.

    Args:
        timed: Of each device.
        runs: Of the report; a row says whether it is of one of their model files.
    """
    known = {run.provenance.model.get("sha256") for run in runs}
    rows = [row for device in timed for row in _rows(device, known)]
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


def _rows(device: Timed, known: set[Any]) -> Iterator[dict[str, Any]]:
    shown = [one for one in device.latency if one.seconds in SHOWN_S] or device.latency
    for one in sorted(shown, key=lambda one: (one.sha256 not in known, one.model)):
        yield {"where": device.where.partition(",")[0], **_cells(one)} | {
            "file": "of this report" if one.sha256 in known else "another"
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

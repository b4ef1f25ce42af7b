"""A run on a set that is not the model's own -> a table of how the two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.report.charts import Chart, Column
from serval.results.domain_shift import SOUNDS, domain_shift_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.run import Run

__all__ = ["shift_chart"]

ENDS = ("5th", "median", "95th")


def shift_chart(name: str, run: Run) -> Chart | None:
    """Return a table of the sound of a run's clips beside the model's own, with what is known.

    `None` where the model says that it was trained on this corpus.
    """
    part = domain_shift_part(run)
    if not part["sentences"]:
        return None
    return Chart(
        id=f"shift-{''.join(c if c.isalnum() else '-' for c in name)}",
        kind="table",
        title=name,
        note=" ".join(part["sentences"]),
        columns=(
            Column(key="what", title="of the sound"),
            *(Column(key=f"here {end}", title=f"these clips, {end}", kind="number")
              for end in ENDS),
            *(Column(key=f"own {end}", title=f"the model's, {end}", kind="number")
              for end in ENDS),
            Column(key="below", title="below its range", kind="share"),
            Column(key="above", title="above it", kind="share"),
        ),
        rows=[_row(sound) for sound in part["sound"]],
        wide=True,
    )  # fmt: skip


def _row(sound: Mapping[str, Any]) -> dict[str, Any]:
    title, unit, times = SOUNDS[sound["name"]]
    own = sound["own"] or (None,) * len(ENDS)
    return {
        "what": f"{title}, {unit}",
        **{f"here {end}": times * n for end, n in zip(ENDS, sound["here"], strict=True)},
        **{
            f"own {end}": None if n is None else times * n for end, n in zip(ENDS, own, strict=True)
        },
        "below": None if sound["own"] is None else sound["below"],
        "above": None if sound["own"] is None else sound["above"],
    }

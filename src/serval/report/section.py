"""The evaluation section of a model card, whatever the task: what stands around its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.report.origin import origin_lines
from serval.results.verdict import data_name
from serval.run import unfinished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.run import Run

__all__ = ["TaskPart", "safe", "section_of"]

UNSAFE = re.compile(r"([\\`*_\[\]<>|#&~$])")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPart:
    """What the task of a run decides of its section.

    Attributes:
        verdict: What a reader takes away, one sentence each.
        tables: In GitHub markdown, ready to stand one below the other.
        groups: One sentence each.
        group_table: In GitHub markdown, or `""`.
        limits: What the numbers do not mean, one sentence each.
    """

    verdict: Sequence[str]
    tables: Sequence[str]
    groups: Sequence[str] = ()
    group_table: str = ""
    limits: Sequence[str] = ()


def section_of(run: Run, part: TaskPart) -> str:
    """Return the section in GitHub markdown: verdict, scores, making, data, groups, limits."""
    said = [*([] if run.complete else [f"{unfinished(run)}."]), *part.verdict]
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

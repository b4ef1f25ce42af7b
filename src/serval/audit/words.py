"""What an audit found, in sentences for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.wording import as_sentence, counted

if TYPE_CHECKING:
    from serval.audit.audit import Audit

__all__ = ["audit_verdict"]


def audit_verdict(audit: Audit) -> list[str]:
    """Return what a reader takes away: how much is wrong, then what two splits share."""
    looked = " and ".join(
        f"{counted(one.clips, 'clip')} of {one.name} ({one.hours:.2f} h)" for one in audit.looked
    )
    found = [f"{n:,} {kind.value}" for kind, n in audit.counts().items() if n]
    said = (
        f"{counted(len(audit.findings), 'finding')} in {looked}: {', '.join(found)}."
        if found
        else f"Nothing was found in {looked}."
    )
    return [said, *([as_sentence(audit.leak)] if audit.leak else [])]

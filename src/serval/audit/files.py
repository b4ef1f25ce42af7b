"""An audit on disk: `audit.json` with everything, `audit.csv` with one row for each finding."""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from serval.audit.findings import MEANINGS
from serval.audit.words import audit_verdict
from serval.files import whole_file, write_text, writing
from serval.wording import csv_cell

if TYPE_CHECKING:
    from pathlib import Path

    from serval.audit.findings import Finding
    from serval.audit.flow import Audit

__all__ = ["audit_document", "writable", "write_audit"]

COLUMNS = ("kind", "splits", "clip_ids", "labels", "value", "message")
BETWEEN = " | "


def audit_document(audit: Audit) -> dict[str, Any]:
    """Return everything that an audit found, as JSON has it."""
    counts = audit.counts()
    return {
        "verdict": audit_verdict(audit),
        "splits": [asdict(looked) for looked in audit.looked],
        "leak": audit.leak,
        "counts": {kind.value: n for kind, n in counts.items()},
        "meanings": {kind.value: MEANINGS[kind] for kind in counts},
        "findings": [asdict(finding) for finding in audit.findings],
        "seconds": audit.seconds,
        "peak_memory_mb": audit.peak_memory_mb,
    }


def write_audit(audit: Audit, folder: Path) -> tuple[Path, Path]:
    """Return the paths of `audit.json` and `audit.csv` after writing them into `folder`."""
    document = json.dumps(audit_document(audit), indent=2, ensure_ascii=False)
    return write_text(folder / "audit.json", document + "\n"), _write_csv(audit, folder)


def writable(folder: Path) -> Path:
    """Return `folder` if files can be made there, so that a long audit does not end without any.

    Raises:
        WriteError: They cannot.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    with writing(folder), tempfile.TemporaryFile(dir=there):
        return folder


def _write_csv(audit: Audit, folder: Path) -> Path:
    path = folder / "audit.csv"
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(finding) for finding in audit.findings)
    return path


def _row(finding: Finding) -> list[object]:
    cells = (
        BETWEEN.join(finding.splits),
        BETWEEN.join(f"{member.split}:{member.clip_id}" for member in finding.clips),
        BETWEEN.join(member.label for member in finding.clips),
    )
    value = "" if finding.value is None else f"{finding.value:.6g}"
    return [finding.kind.value, *map(csv_cell, cells), value, csv_cell(finding.message)]

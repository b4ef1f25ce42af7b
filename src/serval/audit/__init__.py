"""What is wrong with a dataset before a model is judged by it."""

from serval.audit.audit import Audit, audit, audit_document, writable, write_audit
from serval.audit.findings import MEANINGS, Finding, FindingKind, Member
from serval.audit.side import AuditOptions

__all__ = [
    "MEANINGS",
    "Audit",
    "AuditOptions",
    "Finding",
    "FindingKind",
    "Member",
    "audit",
    "audit_document",
    "writable",
    "write_audit",
]

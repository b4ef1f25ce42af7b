"""What is wrong with a dataset before a model is judged by it."""

from serval.audit.files import audit_document, writable, write_audit
from serval.audit.findings import MEANINGS, Finding, Kind, Member
from serval.audit.flow import Audit, audit
from serval.audit.options import AuditOptions

__all__ = [
    "MEANINGS",
    "Audit",
    "AuditOptions",
    "Finding",
    "Kind",
    "Member",
    "audit",
    "audit_document",
    "writable",
    "write_audit",
]

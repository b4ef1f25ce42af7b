"""A gate's result as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from serval.gate.checks import GateResult

__all__ = ["junit_xml"]

NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit_xml(result: GateResult) -> str:
    """Return the checks as one test suite: a check that does not pass is a failure."""
    failed = sum(not check.passed for check in result.checks)
    counts = {"tests": str(len(result.checks)), "failures": str(failed), "errors": "0"}
    suites = ET.Element("testsuites", {"name": "serval gate"} | counts)
    suite = ET.SubElement(suites, "testsuite", {"name": _clean(result.run)} | counts)
    for check in result.checks:
        name = f"{check.kind} {check.metric}={check.bound:g}"
        case = ET.SubElement(suite, "testcase", classname="serval.gate", name=_clean(name))
        if check.passed:
            ET.SubElement(case, "system-out").text = _clean(check.reason)
        else:
            failure = ET.SubElement(case, "failure", type=check.verdict)
            failure.set("message", _clean(check.reason))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, "unicode") + "\n"


def _clean(text: str) -> str:
    return NOT_XML.sub("?", text)

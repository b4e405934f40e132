"""Results of tests as JUnit XML, in the form in which pytest writes it and build servers read it.

The form: https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class Report:
    """How a test went."""

    name: str
    took_s: float
    wrong: str = ""
    """What went wrong, on one line; empty when nothing did."""
    details: str = ""


# https://www.w3.org/TR/xml/#charsets
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(suites: Sequence[tuple[str, Sequence[Report]]]) -> str:
    """The results, a suite per file of tests."""
    root = ElementTree.Element("testsuites", name="patchbay policy test")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for file, reports in suites:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_clean(file),
            errors="0",
            failures=str(sum(bool(report.wrong) for report in reports)),
            skipped="0",
            tests=str(len(reports)),
            time=f"{sum(report.took_s for report in reports):.6f}",
            timestamp=now,
        )
        classname = ".".join(part for part in PurePath(file).with_suffix("").parts if part.strip("/."))
        for report in reports:
            name, took = _clean(report.name), f"{report.took_s:.6f}"
            case = ElementTree.SubElement(
                suite, "testcase", classname=_clean(classname), name=name, time=took
            )
            if report.wrong:
                failure = ElementTree.SubElement(case, "failure", message=_clean(report.wrong))
                failure.text = _clean(report.details)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """Characters that XML has no place for, as pytest writes them: ``#x07``."""
    return _NOT_IN_XML.sub(lambda found: f"#x{ord(found[0]):02X}", text)

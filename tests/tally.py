# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the JUnit files that ctest wrote for each lane, and prints the verdict as the last line.

A lane that could not be built or tested left NAME.broken, which counts as one failure. When nothing
passed, that is a failure too.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

SHOWN_LINES = 60


def outcome(case: ElementTree.Element) -> str:
    """passed, failed or skipped, of one test case."""
    if case.get("status") == "run":
        return "passed"
    reason = case.find("skipped")
    meant = reason is not None and reason.get("message", "").startswith("SKIP_")
    return "skipped" if meant or case.get("status") == "disabled" else "failed"


def count_lane(report: Path) -> Counter[str]:
    """The outcomes of one lane; shows everything that did not pass."""
    counted: Counter[str] = Counter()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        counted[outcome(case)] += 1
        if outcome(case) != "passed":
            print(f"\n--- {outcome(case)}: {report.stem}: {case.get('name')}")
            print(last_lines(case.findtext("system-out", "")))
    return counted


def last_lines(output: str) -> str:
    return "\n".join(output.splitlines()[-SHOWN_LINES:])


def count_report(report: Path) -> Counter[str]:
    """One file of the results: a lane's JUnit file, or what a broken lane left."""
    if report.suffix == ".xml":
        return count_lane(report)
    print(f"\n--- broken: {report.stem}\n{last_lines(report.read_text(errors='replace'))}")
    return Counter(failed=1)


def sentence(counted: Counter[str]) -> str:
    skipped = f", {counted['skipped']} skipped" if counted["skipped"] else ""
    return f"{counted['passed']} passed, {counted['failed']} failed{skipped}"


def main() -> int:
    results = Path(sys.argv[1])
    total: Counter[str] = Counter()
    for report in sorted([*results.glob("*.xml"), *results.glob("*.broken")]):
        counted = count_report(report)
        print(f"{report.stem}: {sentence(counted)}")
        total += counted
    print(sentence(total))
    return 0 if total["passed"] and not total["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())

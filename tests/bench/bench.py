#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
bench.py BUILD-DIR

Measures what docs/specification.md states, all ways side by side in one run, prints a table with
the aims, and writes BUILD-DIR/bench.json. A missed aim is a figure, not an error.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def _measure(build: Path) -> None:
    # Only now: the programs' place is read from the environment when this is imported.
    import figures
    import footprint
    import report
    import subject

    workspace = subject.BenchWorkspace()
    few, many = subject.Broker(workspace), subject.Broker(workspace)
    try:
        images = subject.make_images(workspace, subject.MANY)
        few.start()
        many.start()
        subject.grant_all(few, images[:subject.FEW])
        subject.grant_all(many, images)
        subject.settle()
        measured = {"open": figures.measure_open(build, images[0], few, many),
                    "chain": figures.measure_chain(build, workspace),
                    "broker": footprint.measure(workspace, few, many)}
        few.stop()
        many.stop()
        measured.update(_measure_jobs(build, workspace, images))
    finally:
        few.stop()
        many.stop()
        workspace.remove()
    measured["aims"] = [{"name": aim.name, "value": aim.value, "limit": aim.limit, "met": aim.met}
                        for aim in report.aims(measured)]
    (build / "bench.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print(report.table(measured))


def _measure_jobs(build: Path, workspace: Any, images: list[Path]) -> dict[str, Any]:
    import downtime
    import figures
    import subject

    brokers: dict[int, Any] = {}
    try:
        for grants in subject.JOB_GRANTS:
            brokers[grants] = subject.start_job_broker(workspace, images[:grants])
        subject.settle()
        return {"job": figures.measure_jobs(build, workspace, brokers),
                "downtime_ms": downtime.measure(build, workspace, brokers)}
    finally:
        for broker in brokers.values():
            broker.stop()


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("bench.py needs root: the broker gives its socket to another user", file=sys.stderr)
        return 1
    build = Path(sys.argv[1]).resolve()
    os.environ["OPENHOOK_BIN_DIR"] = str(build / "bin")
    try:
        _measure(build)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"bench.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

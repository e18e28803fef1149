# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time for a plan beside a dry run of libvirt's AppArmor helper, for each definition, in turns.

OPENHOOKCTL=build/bin/openhookctl python3 -B tests/differential/measure.py
"""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from definitions import DEFINITIONS, UUID, make_files

ROUNDS = 10
COMMANDS = {
    "openhookctl plan": [os.environ["OPENHOOKCTL"], "plan", "-", "--json"],
    "virt-aa-helper": ["/usr/lib/libvirt/virt-aa-helper", "-r", "-d", "-u", f"libvirt-{UUID}"],
}


def milliseconds(command: list[str], xml: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, input=xml.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="openhook-measure-") as name:
        make_files(Path(name))
        taken: dict[str, list[float]] = {who: [] for who in COMMANDS}
        for _ in range(ROUNDS):
            for text in DEFINITIONS.values():
                for who, command in COMMANDS.items():
                    taken[who].append(milliseconds(command, text.replace("DIR", name)))
    for who, values in taken.items():
        values.sort()
        print(f"{who}: median {statistics.median(values):.1f} ms, 99th {values[len(values) * 99 // 100]:.1f} ms, "
              f"{len(DEFINITIONS)} definitions, {ROUNDS} rounds")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which files a process holds open, told by the kernel and not by the process."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class HeldFile:
    """One descriptor of a process on a file."""

    path: str
    writable: bool


def held_files(pid: int, directory: Path) -> list[HeldFile]:
    """Every descriptor that `pid` holds on something below `directory`."""
    held = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
            writable = _is_writable(pid, number)
        except FileNotFoundError:  # closed while we were looking
            continue
        if target.startswith(f"{directory}/"):
            held.append(HeldFile(target, writable))
    return held


def _is_writable(pid: int, number: str) -> bool:
    with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as info:
        for line in info:
            if line.startswith("flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    raise ValueError(f"no flags in /proc/{pid}/fdinfo/{number}")

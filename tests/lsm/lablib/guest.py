# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of the guest: QEMU without hardware acceleration, its disks, and what it brings back.

The guest's disks are NVMe, because Debian's cloud kernel has that built in, and are known by their
serial numbers. Results come back as an archive on a disk of their own, so that no kernel message can
be mistaken for an exit status.
"""

import subprocess
import tarfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Optional

from lablib.archive import run
from lablib.cache import MissingError

# Without cmpxchg16b: QEMU 7.2 emulates it wrongly under a kernel 6.12, which then crashes.
CPU = "qemu64,-cx16"
RESULTS_SIZE, DATA_SIZE, BLOCK_SIZE = 256 << 20, 256 << 20, 64 << 20
SECURITY = {"apparmor": "apparmor=1 security=apparmor", "selinux": "selinux=1 security=selinux",
            "none": "security=none"}
CONSOLE = "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic"


class Ending(Enum):
    FINISHED = "finished"
    DIED = "died"
    OUT_OF_TIME = "is out of time"


@dataclass
class Machine:
    """What to boot. `scratch` takes the files of this run."""

    kernel: Path
    initramfs: Path
    payload: Path
    scratch: Path
    security: str
    memory: int = 1024
    root: Optional[Path] = None
    disks: bool = False
    outcome: Path = field(init=False)

    def __post_init__(self) -> None:
        self.outcome = self.scratch / "out"
        self.outcome.mkdir()

    def boot(self, seconds: float) -> Ending:
        """Finished means that the guest brought its results back."""
        results = sparse(self.scratch / "results", RESULTS_SIZE)
        argv = ["setpriv", "--pdeathsig", "KILL", *self._argv(results)]
        try:
            qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise MissingError(f"{error.filename} is missing") from None
        try:
            qemu.wait(seconds)
        except subprocess.TimeoutExpired:
            return Ending.OUT_OF_TIME
        finally:
            qemu.kill()
            qemu.wait()
        return self._fetch(results)

    def _fetch(self, results: Path) -> Ending:
        try:
            with tarfile.open(results) as archive:
                archive.extractall(self.outcome)
        except tarfile.ReadError:
            return Ending.DIED
        # A disk that nobody wrote to reads as an empty archive.
        return Ending.FINISHED if (self.outcome / "status").exists() else Ending.DIED

    def _argv(self, results: Path) -> list[str]:
        where = "memory" if self.root is None else "disk"
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", CPU, "-m", str(self.memory)]
        argv += ["-nodefaults", "-display", "none", "-no-reboot"]
        argv += ["-kernel", str(self.kernel), "-initrd", str(self.initramfs)]
        argv += ["-append", f"{CONSOLE} {SECURITY[self.security]} LAB_ROOT={where}"]
        for name in ("console", "stdout", "stderr"):
            argv += ["-serial", f"file:{self.outcome / name}"]
        argv += nvme("payload", self.payload) + nvme("results", results)
        return [*argv, *self._more_disks()]

    def _more_disks(self) -> list[str]:
        argv = nvme("root", self.root, "snapshot=on") if self.root else []
        if self.disks:
            data = sparse(self.scratch / "data", DATA_SIZE)
            run("/sbin/mke2fs", "-q", "-t", "ext4", str(data))
            argv += nvme("data", data) + nvme("block", sparse(self.scratch / "block", BLOCK_SIZE))
        return argv


def nvme(serial: str, file: Path, more: str = "cache=unsafe") -> list[str]:
    return ["-drive", f"if=none,id={serial},format=raw,file={file},{more}",
            "-device", f"nvme,serial={serial},drive={serial}"]


def sparse(path: Path, size: int) -> Path:
    with open(path, "xb") as file:
        file.truncate(size)
    return path

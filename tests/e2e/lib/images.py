# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images with known contents.

An image is seen as 16 slots of 1 MiB, each filled with one byte. `Contents` maps the slots that
were written to their byte; all others must read as zero. Everything here runs as root with the
image files closed to everybody else, so it works beside the broker, never through it.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from lib import settings

SLOTS = 16
SLOT = 1 << 20
SIZE = SLOTS * SLOT
Contents = dict[int, int]


def run_tool(
    *argv: str, check: bool = True, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end; with `check`, a failure shows the tool's own words."""
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=settings.DEADLINE, cwd=cwd
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return done


def create(path: Path, format: str = "qcow2", backing: Optional[str] = None) -> Path:
    """A new image, 0600; `backing` is the text that goes into its header (a qcow2)."""
    argv = [settings.QEMU_IMG, "create", "-q", "-f", format]
    if backing is not None:
        argv += ["-b", backing, "-F", "qcow2"]
    run_tool(*argv, str(path), str(SIZE))
    path.chmod(0o600)
    return path


def overlay(path: Path, backing: Path) -> Path:
    """A new qcow2 of the size of `backing`, 0600, on top of it."""
    argv = [settings.QEMU_IMG, "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", "qcow2"]
    run_tool(*argv, str(path))
    path.chmod(0o600)
    return path


def fill(path: Path | str, contents: Contents, format: str = "qcow2") -> None:
    """Writes the given slots of an image that nobody has open, or of an NBD export."""
    commands = [f"write -P {byte} {slot}M 1M" for slot, byte in contents.items()]
    done = _qemu_io(path, format, commands)
    assert done.returncode == 0, f"cannot fill {path}: {done.stderr}"


def verify(path: Path, contents: Contents, format: str = "qcow2", live: bool = False) -> None:
    """Fails unless every slot reads as `contents` says. `live`: a running QEMU may have it open."""
    commands = [f"read -P {contents.get(slot, 0)} {slot}M 1M" for slot in range(SLOTS)]
    done = _qemu_io(path, format, commands, "-rU" if live else "-r")
    wrong = [line for line in done.stdout.splitlines() if "failed" in line]
    if wrong or done.returncode != 0:
        wrong.append(done.stderr)
        raise AssertionError(f"{path} does not hold what was written:\n" + "\n".join(wrong))


def _qemu_io(
    path: Path | str, format: str, commands: list[str], *options: str
) -> subprocess.CompletedProcess[str]:
    argv = [settings.QEMU_IO, "-f", format, *options]
    for command in commands:
        argv += ["-c", command]
    return run_tool(*argv, str(path), check=False)


def backing_of(path: Path) -> Optional[str]:
    """The backing file name as the header spells it."""
    done = run_tool(settings.QEMU_IMG, "info", "-U", "--output=json", str(path))
    info: dict[str, str] = json.loads(done.stdout)
    return info.get("backing-filename")


def rewrite_backing(path: Path, name: str = "", format: str = "raw") -> None:
    """Rewrites the header as a compromised QEMU would, through a descriptor it holds anyway. Without
    a name the image has no backing file any more.

    No image locks: the attacker owns the process that would have to respect them.
    """
    options = f"driver=qcow2,file.driver=file,file.locking=off,file.filename={path}"
    backing = ["-b", name, "-F", format] if name else ["-b", ""]
    run_tool(settings.QEMU_IMG, "rebase", "-u", "--image-opts", options, *backing)


@dataclass
class Chain:
    """A backing chain on disk: what is where, and what its top must read as."""

    base: Path
    middle: Path
    top: Path
    contents: Contents

    @property
    def files(self) -> list[Path]:
        return [self.base, self.middle, self.top]


def make_chain(directory: Path, name: str = "disk") -> Chain:
    """base <- middle <- top. The middle is named relatively and spelled with "..", as people do."""
    base = create(directory / f"{name}-base.qcow2")
    spelled = f"../{directory.name}/{base.name}"
    middle = create(directory / f"{name}-middle.qcow2", backing=spelled)
    top = create(directory / f"{name}-top.qcow2", backing=str(middle))
    fill(base, {0: 0x11, 1: 0x11, 2: 0x11})
    fill(middle, {1: 0x22, 2: 0x22})
    fill(top, {2: 0x33})
    return Chain(base, middle, top, {0: 0x11, 1: 0x22, 2: 0x33})


def make_raw(path: Path, size: int = SIZE) -> Path:
    """An empty raw file, 0600."""
    with open(path, "xb") as file:
        file.truncate(size)
        os.fchmod(file.fileno(), 0o600)
    return path


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Waits for something that another process does to a file."""
    deadline = time.monotonic() + settings.DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come")
        time.sleep(0.01)

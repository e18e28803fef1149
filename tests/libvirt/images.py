# SPDX-License-Identifier: LGPL-2.1-or-later
"""Image files, root's alone."""

import json
import subprocess
from pathlib import Path

SIZE = "16M"


def create(path: Path, backing: Path | str | None = None, kind: str = "qcow2") -> Path:
    argv = ["qemu-img", "create", "-q", "-f", kind]
    if backing is not None:
        argv += ["-u", "-b", str(backing), "-F", "qcow2"]
    subprocess.run([*argv, str(path), SIZE], check=True)
    path.chmod(0o600)
    return path


def make_chain(directory: Path, name: str = "") -> list[Path]:
    """top, middle and base, in this order."""
    base = create(directory / f"{name}base.qcow2")
    middle = create(directory / f"{name}mid.qcow2", base)
    return [create(directory / f"{name}top.qcow2", middle), middle, base]


def chain_of(top: Path) -> list[str]:
    """The image and what it stands on, by their headers; of one that is removed already, or only
    begun, itself."""
    argv = ["qemu-img", "info", "-U", "--backing-chain", "--output=json", str(top)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        return [str(top)]
    return [one["filename"] for one in json.loads(done.stdout)]


def owners(directory: Path) -> set[tuple[int, int, int]]:
    """Owner, group and mode of all files in it."""
    stats = [path.stat() for path in directory.iterdir() if path.is_file()]
    return {(one.st_uid, one.st_gid, one.st_mode & 0o7777) for one in stats}

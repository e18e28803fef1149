# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole Debian for the guest: an ext4 image made of packages, which no run changes.

../roots/NAME lists the packages, one a line; an image is made again when its list changes.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lablib.archive import run, sources
from lablib.cache import Cache, MissingError

ROOTS = Path(__file__).resolve().parents[1] / "roots"
RELEASE = "bookworm"
# Sparse: a run may fill the rest, into a file that is thrown away.
SIZE = "4G"
UNUSED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Root:
    image: Path
    # Every path in it.
    files: frozenset[str]


def packages(name: str) -> list[str]:
    try:
        lines = (ROOTS / name).read_text().splitlines()
    except FileNotFoundError:
        raise MissingError(f"there is no list {ROOTS / name}") from None
    return [line for line in lines if line and not line.startswith("#")]


def find(cache: Cache, name: str) -> Root:
    wanted = packages(name)
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    made = cache.once(f"root-{name}-{digest}", lambda where: _make(wanted, where))
    return Root(made / "image", frozenset((made / "files").read_text().splitlines()))


def _make(wanted: list[str], where: Path) -> None:
    tree = where / "tree"
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in UNUSED]
    run("mmdebstrap", "--mode=root", "--variant=essential", "--dpkgopt=force-unsafe-io", *options,
        f"--include={','.join(wanted)}", RELEASE, str(tree), "-", stdin=sources(RELEASE))
    (where / "files").write_text("\n".join(_paths(tree)))
    run("/sbin/mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(tree),
        str(where / "image"), SIZE)
    shutil.rmtree(tree)


def _paths(tree: Path) -> list[str]:
    """Every file, by the name without symbolic links on the way to it."""
    return sorted(f"/{os.path.relpath(os.path.join(directory, name), tree)}"
                  for directory, folders, files in os.walk(tree) for name in folders + files)

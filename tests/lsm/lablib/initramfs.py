# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's initramfs: busybox and the two scripts in ../guest."""

import shutil
import subprocess
from pathlib import Path

from lablib.cache import MissingError

SCRIPTS = Path(__file__).resolve().parents[1] / "guest"
BUSYBOX = Path("/bin/busybox")


def make(scratch: Path) -> Path:
    tree, image = scratch / "initramfs.tree", scratch / "initramfs"
    for name in ("bin", "proc", "sys", "dev", "root"):
        (tree / name).mkdir(parents=True)
    if not BUSYBOX.exists():
        raise MissingError(f"{BUSYBOX} is missing; its package is busybox-static")
    for source in (BUSYBOX, SCRIPTS / "init", SCRIPTS / "run"):
        shutil.copy(source, tree / "bin" if source == BUSYBOX else tree)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with open(image, "wb") as file:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=tree, input=names.encode(),
                       stdout=file, check=True)
    return image

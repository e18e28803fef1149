# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's cloud kernels, unpacked and not installed, and their modules.

NVMe, ext4, tmpfs, the serial console and the security modules are built into them.
"""

import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from lablib.archive import Archive, run
from lablib.cache import Cache, MissingError

METAPACKAGE = "linux-image-cloud-amd64"
# "newest" is whatever Debian 13's backports have today.
RELEASES = {"6.1": "bookworm", "6.12": "trixie", "newest": "trixie-backports"}
DEFAULT = "6.1"


@dataclass(frozen=True)
class Kernel:
    image: Path
    # Its unpacked package; none for an image that somebody brought along.
    package: Optional[Path]

    def modules(self, names: list[str]) -> list[Path]:
        """Files of the named modules and of all that they need, in the order of loading."""
        files: dict[Path, None] = {}
        for name in names:
            files.update(dict.fromkeys(self._dependencies(name)))
        return list(files)

    def _dependencies(self, name: str) -> list[Path]:
        if self.package is None:
            raise MissingError(f"{self.image} has no modules; name one of {', '.join(RELEASES)}")
        (version,) = [one.name for one in (self.package / "lib/modules").iterdir()]
        told = run("/sbin/modprobe", "--dirname", str(self.package), "--set-version", version,
                   "--show-depends", name)
        lines = [line.split() for line in told.splitlines()]
        return [Path(words[1]) for words in lines if words[0] == "insmod"]


def find(cache: Cache, name: str) -> Kernel:
    """A kernel by the number of its series, or an image by its path."""
    if "/" in name:
        if not Path(name).is_file():
            raise MissingError(f"there is no kernel {name}")
        return Kernel(Path(name), None)
    if name not in RELEASES:
        raise MissingError(f"no kernel '{name}': {', '.join(RELEASES)}, or the path of an image")
    package = cache.once(f"kernel-{name}", lambda where: _unpack(cache, RELEASES[name], where))
    (image,) = [*package.glob("boot/vmlinuz-*"), *package.glob("lib/modules/*/vmlinuz")]
    return Kernel(image, package)


def _unpack(cache: Cache, release: str, where: Path) -> None:
    archive = Archive(cache, release)
    package = archive.newest(METAPACKAGE, "linux-image-")
    archive.unpack(package, where)
    if not [*where.rglob("vmlinuz*")]:
        # Debian's newer kernels come in parts, and the package of that name has none.
        for part in ("binary", "modules"):
            archive.unpack(package.replace("linux-image-", f"linux-{part}-"), where)
    if not (where / "lib").exists():
        (where / "lib").symlink_to("usr/lib")
    (version,) = [one.name for one in (where / "lib/modules").iterdir()]
    run("/sbin/depmod", "--basedir", str(where), version)


def contents(module: Path) -> bytes:
    """What insmod takes: newer releases compress their modules."""
    data = module.read_bytes()
    return lzma.decompress(data) if module.suffix == ".xz" else data

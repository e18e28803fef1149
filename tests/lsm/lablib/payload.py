# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one run brings into the guest, as a tar archive that it unpacks over its root.

Programs come with the libraries that they need here, as far as the root has none of that name, and
without debugging information.
"""

import io
import os
import shlex
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Iterator, Optional

from lablib import kernel
from lablib.cache import MissingError

ELF = b"\x7fELF"
# The rest of a root that has nothing but what the run brings.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}


class Payload:
    """An archive under construction; `present` are the files that the root has."""

    def __init__(self, file: Path, present: Optional[frozenset[str]]) -> None:
        self._tar = tarfile.open(file, "w", format=tarfile.GNU_FORMAT)
        self._present = present or frozenset()
        self._added: set[str] = set()
        if present is None:
            self._add_skeleton()

    def close(self) -> None:
        self._tar.close()

    def add(self, source: Path, where: Optional[str] = None) -> None:
        """A file or a directory, at its own place unless told."""
        where = where or resolved(source)
        if source.is_dir():
            for path, name in _below(source, where):
                self._add_member(path, name)
        elif source.exists():
            self._add_one(source, where)
        else:
            raise MissingError(f"there is no file {source} to bring along")

    def add_command(self, argv: list[str]) -> None:
        """The command, and its program where it was named by a path and the root has none there."""
        program = argv[0]
        if "/" in program and Path(program).exists():
            program = resolved(Path(program))
            if program not in self._present:
                self.add(Path(program))
        words = " ".join(shlex.quote(word) for word in [program, *argv[1:]])
        self._add_bytes("lab/command", f"#!/lab/bin/sh\nexec {words}\n".encode(), 0o755)

    def add_modules(self, modules: list[Path]) -> None:
        for number, module in enumerate(modules):
            name = f"lab/modules/{number:02}-{module.name.split('.')[0]}.ko"
            self._add_bytes(name, kernel.contents(module), 0o644)

    def _add_skeleton(self) -> None:
        for name in LINKS.values():
            self._add_directory(name)
        for name, target in LINKS.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            self._tar.addfile(link)
        for name, text in TEXTS.items():
            self._add_bytes(name, text.encode(), 0o644)

    def _add_directory(self, name: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        self._tar.addfile(entry)

    def _add_member(self, source: Path, where: str) -> None:
        """One entry of a directory, in which links stay links."""
        name = where.lstrip("/")
        if source.is_symlink():
            self._tar.add(source, name, recursive=False, filter=_as_root)
        elif source.is_dir():
            self._add_directory(name)
        else:
            self._add_one(source, where)

    def _add_one(self, source: Path, where: str) -> None:
        """The contents of a file, whatever links lead to it."""
        name = where.lstrip("/")
        if name in self._added:
            return
        self._added.add(name)
        if _is_elf(source):
            self._add_bytes(name, _stripped(source), stat.S_IMODE(source.stat().st_mode))
            self._add_libraries(source)
        else:
            self._tar.add(source.resolve(), name, recursive=False, filter=_as_root)

    def _add_libraries(self, program: Path) -> None:
        for library in _libraries(program):
            if resolved(library) not in self._present:
                self._add_one(library.resolve(), resolved(library))

    def _add_bytes(self, name: str, data: bytes, mode: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), mode
        self._tar.addfile(entry, io.BytesIO(data))


def resolved(path: Path) -> str:
    """The path with the links on the way to it resolved, not the one that it may be itself: that is
    how the guest's root knows it too."""
    return str(path.absolute().parent.resolve() / path.name)


def _below(source: Path, where: str) -> Iterator[tuple[Path, str]]:
    for directory, folders, files in os.walk(source):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in folders + files:
            path = Path(directory, name)
            yield path, os.path.join(where, path.relative_to(source))


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _is_elf(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == ELF


def _stripped(program: Path) -> bytes:
    with tempfile.NamedTemporaryFile() as copy:
        done = subprocess.run(["strip", "--strip-debug", "-o", copy.name, str(program.resolve())],
                              capture_output=True)
        return (program if done.returncode != 0 else Path(copy.name)).read_bytes()


def _libraries(program: Path) -> list[Path]:
    """What the dynamic loader would load; nothing for a static program."""
    told = subprocess.run(["ldd", str(program.resolve())], capture_output=True, text=True)
    words = [word for line in told.stdout.splitlines() for word in line.split()]
    return [Path(word) for word in dict.fromkeys(words) if word.startswith("/")]

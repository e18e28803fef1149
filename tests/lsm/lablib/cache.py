# SPDX-License-Identifier: LGPL-2.1-or-later
"""A directory of things that take long to make and are then kept.

One name, one directory. It appears under its name only when it is complete, so that an interrupted
download leaves nothing that looks finished.
"""

import fcntl
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator


class MissingError(Exception):
    """A kernel, a package or a tool is not there; str() says which, and how to get it."""


class Cache:
    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The directory `name`; the first time, `make` fills it."""
        final = self._root / name
        with self._locked(name):
            if not final.is_dir():
                self._make(final, make)
        return final

    def _make(self, final: Path, make: Callable[[Path], None]) -> None:
        scratch = Path(tempfile.mkdtemp(prefix=f"{final.name}.new-", dir=self._root))
        try:
            scratch.chmod(0o755)
            make(scratch)
            scratch.rename(final)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Two labs that start together make a thing once; different things at the same time."""
        with open(self._root / f".{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

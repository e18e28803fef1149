# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keeper and the notifier of openhook-qemu --mode=seccomp, found by what they were told."""

import contextlib
import os
import signal
from pathlib import Path

from lib import images

# What they may hold: the listener, sockets to the broker, a file on its way, /dev/null.
OWN_DESCRIPTORS = ("/dev/null", "anon_inode:", "socket:")


class Helpers:
    """Those of one broker's socket. A zombie, which not every init reaps, has ended."""

    def __init__(self, socket: Path) -> None:
        self._socket = os.fsencode(socket)

    def processes(self) -> list[int]:
        return [*self._find("openhook-keeper"), *self._find("openhook-notify")]

    def notifier(self) -> int:
        """The one that serves now; waits for a new one that is about to start."""
        images.wait_until(lambda: bool(self._find("openhook-notify")), "a notifier")
        return self._find("openhook-notify")[0]

    def keeper(self) -> int:
        return self._find("openhook-keeper")[0]

    def kill_notifier(self) -> int:
        """kill -9; returns how many there were, since one that was killed may not be replaced yet."""
        found = self._find("openhook-notify")
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return len(found)

    def _find(self, name: str) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "comm").read_text().strip() == name:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if self._socket in words:
                        found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a QEMU program reaches its files.

`Brokered` is what this project is about: an unprivileged user, started by openhook-qemu, with every
file granted beforehand. `Native` runs the very same steps as root without the broker; there,
granting does nothing. The tests are written against the common part.
"""

from pathlib import Path
from typing import Protocol

from lib import settings
from lib.broker import Broker
from lib.holders import HeldFile, held_files
from lib.workspace import Workspace


class Access(Protocol):
    """What a test may ask for, whichever way files are opened."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def wrap(self, argv: list[str]) -> list[str]:
        """The command line that starts `argv` this way."""

    def grant_read(self, path: Path, lease: str = "domain") -> None: ...

    def grant_write(self, path: Path, lease: str = "domain") -> None: ...

    def grant_create(self, path: Path, lease: str = "domain") -> None: ...

    def grant_chain(self, top: Path, lease: str = "domain") -> None:
        """Top read-write, everything behind it read."""

    def revoke(self, lease: str) -> None: ...

    def complaints(self, pid: int) -> list[str]:
        """Descriptors on VM files that process `pid`, or the broker, should not hold."""


class Native:
    """QEMU as root: the control experiment."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def wrap(self, argv: list[str]) -> list[str]:
        return argv

    def grant_read(self, path: Path, lease: str = "domain") -> None:
        """Root needs no grant."""

    def grant_write(self, path: Path, lease: str = "domain") -> None:
        """Root needs no grant."""

    def grant_create(self, path: Path, lease: str = "domain") -> None:
        """Root needs no grant."""

    def grant_chain(self, top: Path, lease: str = "domain") -> None:
        """Root needs no grant."""

    def revoke(self, lease: str) -> None:
        """There is nothing to take away."""

    def complaints(self, pid: int) -> list[str]:
        return []


class Unprivileged(Native):
    """QEMU as the VM's user with nobody's help: what the broker is needed for."""

    def wrap(self, argv: list[str]) -> list[str]:
        user = str(settings.VM_UID)
        return ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups", *argv]


class Brokered:
    """QEMU as an unprivileged user behind openhook-qemu, with a broker of its own."""

    def __init__(self, workspace: Workspace) -> None:
        self.broker = Broker(workspace)
        self._workspace = workspace

    def start(self) -> None:
        self.broker.start()

    def stop(self) -> None:
        self.broker.stop()

    def wrap(self, argv: list[str]) -> list[str]:
        return [*self.launcher(), "--", *argv]

    def launcher(self) -> list[str]:
        """openhook-qemu with the options that every start needs."""
        argv = [settings.program("openhook-qemu"), f"--mode={settings.SHIM}"]
        argv += ["--socket", str(self.broker.open_socket)]
        argv += ["--user", f"{settings.VM_UID}:{settings.VM_UID}"]
        return [*argv, "--tmp", str(self._workspace.private)]

    def grant_read(self, path: Path, lease: str = "domain") -> None:
        self.broker.grant(path, lease=lease)

    def grant_write(self, path: Path, lease: str = "domain") -> None:
        self.broker.grant(path, "--write", lease=lease)

    def grant_create(self, path: Path, lease: str = "domain") -> None:
        self.broker.grant(path, "--create", lease=lease)

    def grant_chain(self, top: Path, lease: str = "domain") -> None:
        self.broker.grant(top, "--chain", "--format", "qcow2", "--write", lease=lease)

    def revoke(self, lease: str) -> None:
        self.broker.control("revoke", "--lease", lease)

    def complaints(self, pid: int) -> list[str]:
        grants = self.broker.grants()
        readable = {grant.path for grant in grants}
        writable = {grant.path for grant in grants if grant.access != "read"}
        held = held_files(pid, self._workspace.images)
        wrong = [f"QEMU holds {one}" for one in held if not _is_granted(one, readable, writable)]
        kept = held_files(self.broker.pid, self._workspace.images)
        return wrong + [f"the broker kept {one}" for one in kept]


def _is_granted(held: HeldFile, readable: set[str], writable: set[str]) -> bool:
    return held.path in (writable if held.writable else readable)


def make_access(workspace: Workspace) -> Access:
    """Brokered, unless OPENHOOK_E2E_MODE asks for the control experiment."""
    if settings.NATIVE:
        return Native()
    return Brokered(workspace)

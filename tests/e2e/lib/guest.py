# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Linux guest: Debian's kernel and a busybox, an ext4 disk, commands on the serial console.

guest/init describes the commands. The disk is a chain three deep whose base holds the file system.
"""

import hashlib
import socket
import subprocess
import time
from pathlib import Path

from lib import images, settings
from lib.access import Access
from lib.qemu import Qemu, blockdev

BUILD = settings.REPOSITORY / "tests" / "e2e" / "guest" / "build"
DISK_SIZE = 64 << 20
# Under emulation and beside a compiler, Linux may take a while.
BOOT_DEADLINE = 120.0


class GuestError(Exception):
    """The guest did not answer; str() has the end of its console."""


def prepare() -> None:
    """Kernel and initramfs, once per build directory."""
    done = subprocess.run([str(BUILD), str(settings.GUEST_DIR)], capture_output=True, text=True)
    if done.returncode != 0:
        raise GuestError(f"cannot build the guest: {done.stderr}")


def boot_files() -> list[Path]:
    """What QEMU reads to boot the guest, besides its disk."""
    return [settings.GUEST_DIR / "vmlinuz", settings.GUEST_DIR / "initramfs"]


def disk_arguments(top: Path) -> list[str]:
    """The guest's disk: node "disk", backing files as the headers say."""
    file = {"driver": "file", "filename": str(top), "auto-read-only": True}
    node = {"driver": "qcow2", "node-name": "disk", "file": file}
    return [*blockdev(node), "-device", "nvme,serial=data,drive=disk"]


def make_disk(directory: Path) -> list[Path]:
    """base <- middle <- top, all 0600; gives them bottom first."""
    raw = images.make_raw(directory / "filesystem.raw", DISK_SIZE)
    images.run_tool("/sbin/mkfs.ext4", "-q", "-F", str(raw))
    base = directory / "base.qcow2"
    images.run_tool(settings.QEMU_IMG, "convert", "-O", "qcow2", str(raw), str(base))
    base.chmod(0o600)
    raw.unlink()
    middle = images.overlay(directory / "middle.qcow2", base)
    return [base, middle, images.overlay(directory / "top.qcow2", middle)]


def records_of(image: Path, scratch: Path) -> str:
    """SHA-256 of the guest's records as the host finds them in `image` after the guest ended."""
    raw, records = scratch / "check.raw", scratch / "check.records"
    images.run_tool(settings.QEMU_IMG, "convert", "-O", "raw", str(image), str(raw))
    images.run_tool("/sbin/debugfs", "-R", f"dump /records {records}", str(raw))
    digest = hashlib.sha256(records.read_bytes()).hexdigest()
    raw.unlink()
    records.unlink()
    return digest


class Guest:
    """A running guest: its QEMU and its console."""

    def __init__(self, access: Access, log: Path) -> None:
        self._console, theirs = socket.socketpair()
        self._number = theirs.fileno()
        self._text = b""
        self._read = 0
        self.vm = Qemu(access, log, [theirs])

    def start(self, top: Path, *extra: str) -> None:
        """Starts QEMU with `top` as the guest's disk."""
        kernel, initramfs = boot_files()
        arguments = ["-m", "128", "-kernel", str(kernel), "-initrd", str(initramfs)]
        arguments += ["-append", "console=ttyS0 quiet panic=-1", "-no-reboot"]
        arguments += ["-chardev", f"socket,id=console,fd={self._number}"]
        self.vm.start([*arguments, "-serial", "chardev:console", *disk_arguments(top), *extra])

    def wait_booted(self) -> float:
        """Seconds, by the guest's clock, until its disk was mounted."""
        return float(self._answer("ready", BOOT_DEADLINE))

    def ask(self, command: str) -> str:
        """Sends one command and gives the value in its answer."""
        self._console.sendall(command.encode() + b"\n")
        return self._answer(command, settings.DEADLINE)

    def snapshot(self, overlay: Path) -> None:
        """External snapshot: the guest goes on writing to `overlay`, node "overlay"."""
        arguments = {"node-name": "disk", "snapshot-file": str(overlay), "format": "qcow2"}
        arguments["snapshot-node-name"] = "overlay"
        self.vm.qmp.execute("blockdev-snapshot-sync", arguments)

    def commit(self) -> None:
        """Active commit of the overlay into the disk below it, and back to that disk."""
        self.vm.run_job("block-commit", {"device": "overlay", "base-node": "disk"})

    def power_off(self) -> None:
        """Orderly end, started from inside."""
        self.ask("off")
        self.vm.wait_ended()

    def close(self) -> None:
        """Ends the guest in any case."""
        self.vm.destroy()
        self._console.close()

    def _answer(self, command: str, patience: float) -> str:
        prefix = f"guest: {command} "
        deadline = time.monotonic() + patience
        while True:
            line = self._line(deadline).strip()
            if line.startswith("guest: write failed"):
                raise GuestError("the guest could not write to its disk")
            if line.startswith(prefix):
                return line.removeprefix(prefix)

    def _line(self, deadline: float) -> str:
        while b"\n" not in self._text[self._read :]:
            self._receive(deadline)
        end = self._text.index(b"\n", self._read)
        line, self._read = self._text[self._read : end], end + 1
        return line.decode(errors="replace")

    def _receive(self, deadline: float) -> None:
        self._console.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._console.recv(4096)
        except TimeoutError:
            data = b""
        if not data:
            tail = self._text[-1000:].decode(errors="replace")
            raise GuestError(f"the guest does not answer; its console ends with:\n{tail}")
        self._text += data

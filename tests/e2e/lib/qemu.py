# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts and stops QEMU programs that have a QMP monitor, through an `Access`."""

import json
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, Any, Optional, Sequence

from lib import images, settings
from lib.access import Access
from lib.qmp import Qmp, QmpClosed

Options = dict[str, Any]

MACHINE = ["-machine", "q35", "-accel", "tcg", "-cpu", "qemu64,-cx16", "-nodefaults"]
MACHINE += ["-no-user-config", "-display", "none", "-sandbox", settings.SANDBOX]


class StartError(Exception):
    """A QEMU program ended instead of serving its monitor; str() is what it said."""


class MonitoredProcess:
    """A running program whose monitor is one end of a socket pair, so that no path is needed."""

    def __init__(self, access: Access, log: Path, sockets: Sequence[socket.socket] = ()) -> None:
        self._access = access
        self._log = log
        self._inherited = list(sockets)
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._qmp: Optional[Qmp] = None

    @property
    def qmp(self) -> Qmp:
        assert self._qmp is not None, "not started"
        return self._qmp

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def words(self) -> str:
        """What the program wrote to standard output and error so far."""
        return self._log.read_text(errors="replace")

    def spawn(self, argv: list[str], monitor_arguments: list[str]) -> None:
        """Starts `argv`; "{fd}" in monitor_arguments becomes the number of the monitor's socket."""
        ours, theirs = socket.socketpair()
        number = theirs.fileno()
        argv = argv + [one.replace("{fd}", str(number)) for one in monitor_arguments]
        descriptors = [number, *(sock.fileno() for sock in self._inherited)]
        with open(self._log, "ab") as log, theirs:
            self._process = popen(self._access.wrap(argv), log, descriptors)
        for sock in self._inherited:
            sock.close()
        try:
            self._qmp = Qmp(ours)
        except (QmpClosed, ConnectionError) as error:
            ours.close()
            self._process.wait(settings.DEADLINE)
            raise StartError(self.words) from error

    def quit(self) -> None:
        """Ends the program in order and checks that it says so."""
        self.qmp.execute("quit")
        self.wait_ended()

    def wait_ended(self) -> None:
        """Waits for a program that is about to end by itself, and checks its status."""
        assert self._process is not None, "not started"
        code = self._process.wait(settings.DEADLINE)
        self._forget()
        if code != 0:
            raise AssertionError(f"ended with status {code}:\n{self.words}")

    def destroy(self) -> None:
        """Ends the program in any case; for cleaning up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(settings.DEADLINE)
        self._forget()

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _forget(self) -> None:
        if self._qmp is not None:
            self._qmp.close()
        self._qmp = self._process = None


def popen(argv: list[str], log: IO[bytes], descriptors: list[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=descriptors, cwd="/"
    )


class BlockProcess(MonitoredProcess, ABC):
    """A program with QEMU's block layer: what qemu-system and qemu-storage-daemon both do."""

    @abstractmethod
    def start_disk(self, nodes: list[Options], *extra: str) -> None:
        """Starts with the block nodes `nodes` and one writable disk on node "top"."""

    @abstractmethod
    def write(self, slot: int, byte: int) -> None:
        """Writes one slot of the disk, as its user would, and flushes."""

    def blockdev_add(self, options: Options) -> None:
        self.qmp.execute("blockdev-add", options)

    def node_of(self, path: Path) -> str:
        """Name of the qcow2 node whose image is `path`; QEMU names implicit ones itself."""
        for node in self.qmp.execute("query-named-block-nodes", {"flat": True}):
            if node["drv"] == "qcow2" and Path(node["file"]).resolve() == path:
                return str(node["node-name"])
        raise AssertionError(f"no node for {path}")

    def create_qcow2(self, path: Path, size: int) -> None:
        """Creates and formats `path` from inside QEMU, as libvirt does."""
        self.run_job("blockdev-create", {"options": _file_create(path)})
        node = {"driver": "file", "filename": str(path), "node-name": "new-image"}
        self.blockdev_add(node)
        options = {"driver": "qcow2", "file": "new-image", "size": size}
        self.run_job("blockdev-create", {"options": options})
        self.qmp.execute("blockdev-del", {"node-name": "new-image"})

    def run_job(self, command: str, arguments: Options, job: str = "job0") -> None:
        """Starts a job and waits until it is over, completing it when it asks for that."""
        self.start_job(command, arguments, job)
        self.finish_job(job)

    def start_job(self, command: str, arguments: Options, job: str = "job0") -> None:
        self.qmp.execute(command, {"job-id": job, **arguments})

    def finish_job(self, job: str = "job0") -> None:
        """Waits for the end of a job; a "ready" one is completed first."""
        while True:
            change = self.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: bool(data["id"] == job))
            if change["status"] == "ready":
                self.qmp.execute("job-complete", {"id": job})
            elif change["status"] == "aborting":
                raise AssertionError(f"job failed: {self.qmp.execute('query-jobs')}")
            elif change["status"] == "concluded":
                self._dismiss(job)
            elif change["status"] == "null":
                return

    def _dismiss(self, job: str) -> None:
        """Jobs that stay until dismissed carry their error; the others are gone already."""
        for info in self.qmp.execute("query-jobs"):
            if info["id"] == job:
                error = info.get("error")
                self.qmp.execute("job-dismiss", {"id": job})
                assert error is None, f"{job}: {error}"


def _file_create(path: Path) -> Options:
    return {"driver": "file", "filename": str(path), "size": 0}


class Qemu(BlockProcess):
    """qemu-system. With `-S` the processor stands still and the block layer is alive."""

    def start(self, arguments: list[str]) -> None:
        argv = [settings.QEMU_SYSTEM, *MACHINE, *arguments]
        self.spawn(argv, ["-chardev", "socket,id=qmp,fd={fd}", "-mon", "chardev=qmp,mode=control"])

    def start_disk(self, nodes: list[Options], *extra: str) -> None:
        arguments = ["-S", "-device", "virtio-blk-pci,id=vda,drive=top", *extra]
        for node in nodes:
            arguments += blockdev(node)
        self.start(arguments)

    def write(self, slot: int, byte: int) -> None:
        # The block backend of a virtio disk belongs to the child that its PCI device makes.
        self.write_device("/machine/peripheral/vda/virtio-backend", slot, byte)

    def start_incoming(self, nodes: list[Options]) -> None:
        """Starts as the destination of a migration; migrate_to() names it."""
        self.start_disk(nodes, "-incoming", "defer")

    def migrate_to(self, destination: "Qemu", listening: Path) -> None:
        """Hands the machine over; afterwards it is stopped in `destination`."""
        destination.qmp.execute("migrate-incoming", {"uri": f"unix:{listening}"})
        self.qmp.execute("migrate", {"uri": f"unix:{listening}"})
        images.wait_until(self.migrated, "the end of the migration at its source")
        images.wait_until(destination.migrated, "the end of the migration at its destination")

    def migrated(self) -> bool:
        status = self.qmp.execute("query-migrate").get("status")
        assert status != "failed", self.words
        return bool(status == "completed")

    def disk_node(self) -> str:
        """The node that the disk uses now; snapshots and jobs change it."""
        (disk,) = [one for one in self.qmp.execute("query-block") if "vda" in one["qdev"]]
        return str(disk["inserted"]["node-name"])

    def write_device(self, device: str, slot: int, byte: int) -> None:
        """Writes one slot through the block backend of a device, and flushes."""
        self.qemu_io(f"-d {device}", f"write -P {byte} {slot}M 1M")
        self.qemu_io(f"-d {device}", "flush")

    def qemu_io(self, target: str, command: str) -> None:
        """One qemu-io command inside QEMU on a node, or on a device with "-d"."""
        answer = self.qmp.hmp(f'qemu-io {target} "{command}"')
        assert not answer, f"qemu-io {target} {command}: {answer}"


class StorageDaemon(BlockProcess):
    """qemu-storage-daemon: the same block layer without a machine; its disk is an NBD export."""

    def __init__(self, access: Access, log: Path, nbd_socket: Path) -> None:
        super().__init__(access, log)
        self._nbd_socket = nbd_socket

    def start_disk(self, nodes: list[Options], *extra: str) -> None:
        argv = [settings.QEMU_STORAGE_DAEMON]
        for node in nodes:
            argv += ["--blockdev", json.dumps(node)]
        argv += ["--nbd-server", f"addr.type=unix,addr.path={self._nbd_socket}"]
        argv += ["--export", "type=nbd,id=disk,node-name=top,name=disk,writable=on", *extra]
        self.spawn(argv, ["--chardev", "socket,id=qmp,fd={fd}", "--monitor", "chardev=qmp"])

    def write(self, slot: int, byte: int) -> None:
        images.fill(f"nbd+unix:///disk?socket={self._nbd_socket}", {slot: byte}, "raw")


def blockdev(options: Options) -> list[str]:
    """A -blockdev argument."""
    return ["-blockdev", json.dumps(options)]

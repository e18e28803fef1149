# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: images, backing chains, and brokers with many grants."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_TESTS / "e2e"), str(_TESTS / "protocol")]

import client  # noqa: E402
from lib import settings  # noqa: E402
from lib.broker import Broker  # noqa: E402
from lib.workspace import Workspace  # noqa: E402

FEW = 10
MANY = 10_000
JOB_GRANTS = (10, 100, 1_000, 10_000)
CHAIN_LENGTHS = (1, 10, 100, 200)
_SETTLED = 2.5
_GRANTS_PER_REQUEST = 200  # the reply repeats them, and has to fit one packet


class BenchError(Exception):
    """Something could not be measured."""


class BenchWorkspace(Workspace):
    """With its sockets and locks in memory, as a host has them under /run."""

    def __init__(self) -> None:
        super().__init__("openhook-bench-")
        self.run.rmdir()
        self.run = Path(tempfile.mkdtemp(prefix="openhook-bench-", dir="/dev/shm"))
        self.run.chmod(0o711)

    def remove(self) -> None:
        shutil.rmtree(self.run)
        super().remove()


def make_images(workspace: Workspace, count: int) -> list[Path]:
    """Files whose names look like real ones; the first is the one that is opened."""
    paths = [workspace.images / f"disk-{number:05}.qcow2" for number in range(count)]
    for path in paths:
        path.write_bytes(b"")
    paths[0].write_bytes(bytes(4096))
    # A disk is older than its grant. Of a file that was made just before, the broker also compares
    # the file handle at every open, because its birth time says little.
    time.sleep(_SETTLED)
    return paths


def make_chain(directory: Path, length: int) -> None:
    """length qcow2 images, each on top of the one before; the last is top.qcow2."""
    directory.mkdir()
    below: list[str] = []
    for depth in reversed(range(length)):
        name = "top.qcow2" if depth == 0 else f"snapshot-{depth}.qcow2"
        subprocess.run([settings.QEMU_IMG, "create", "-q", "-f", "qcow2", *below, name, "64M"],
                       cwd=directory, check=True)
        # -u: qemu-img would open the whole chain below for each new member.
        below = ["-u", "-F", "qcow2", "-b", name]


def grant_all(broker: Broker, paths: list[Path],
              access: int = client.GRANT_READ_WRITE) -> None:
    """Grants for all paths; several brokers may have the same."""
    with client.ControlConnection(str(broker.control_socket)) as connection:
        connection.greeted()
        for start in range(0, len(paths), _GRANTS_PER_REQUEST):
            specs = [{"path": os.fspath(path), "access": access,
                      "shareable": access != client.GRANT_READ}
                     for path in paths[start:start + _GRANTS_PER_REQUEST]]
            _grant(connection, {"lease": "domain", "grants": specs})


def _grant(connection: client.ControlConnection, request: dict[str, object]) -> None:
    reply = connection.call(grant=request)
    if reply["outcome"] != client.OK:
        raise BenchError(f"the broker refuses the grants: {reply['reason']}")


def job_image(workspace: Workspace, broker: Broker, role: str = "image") -> Path:
    """Of the disk that start_job_broker() makes, which the VM writes to."""
    return workspace.images / f"{broker.vm}-{role}.qcow2"


def start_job_broker(workspace: Workspace, paths: list[Path]) -> Broker:
    """A broker with as many grants for reading as there are paths: these, and a disk "bench" of two
    images in place of the last two."""
    broker = Broker(workspace)
    broker.start()
    grant_all(broker, paths[:-2], client.GRANT_READ)
    image, backing = (job_image(workspace, broker, role) for role in ("image", "backing"))
    # The broker reads the headers too, when it starts and when a job has ended.
    for path, below in ((backing, []), (image, ["-F", "qcow2", "-b", backing.name])):
        subprocess.run([settings.QEMU_IMG, "create", "-q", "-f", "qcow2", *below, path, "64M"],
                       check=True)
    common = {"format": "qcow2"}
    specs = [{"path": os.fspath(image), "depth": 0, "role": "image", **common,
              "access": client.GRANT_READ_WRITE},
             {"path": os.fspath(backing), "depth": 1, "role": "backing", **common,
              "access": client.GRANT_READ}]
    with client.ControlConnection(str(broker.control_socket)) as connection:
        _grant(connection.greeted(), {"lease": "device:bench", "grants": specs, "disk": "bench",
                                      "disk_writable": True})
    return broker


def settle() -> None:
    """Lets a process that has just started or worked come to rest."""
    time.sleep(0.3)

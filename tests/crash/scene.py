# SPDX-License-Identifier: LGPL-2.1-or-later
"""A broker with some grants and a disk, and the requests that tests here interrupt."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "protocol"))

from broker import Broker
from client import (GRANT_CREATE, GRANT_READ, GRANT_READ_WRITE, OK, READ, READ_WRITE, Closed,
                    ControlConnection, OpenConnection)

TOKEN = 0x1122334455667788
COMMIT, PIVOTED = 1, 3


def ask(request, scene):
    """The reply to a request; None when the broker ended before it."""
    try:
        reply = request(scene)
    except Closed:
        return None
    if reply.get("fd") is not None:
        os.close(reply["fd"])
    return reply


class Scene:
    """A broker with some grants, ready for one more request."""

    def __init__(self, prepare=lambda scene: None):
        self.broker = Broker()
        self.paths = [self.broker.write(name) for name in ("top.img", "middle.img", "base.img")]
        self.new_dir = self.broker.files / "new"
        self.new_dir.mkdir()
        self.created = self.new_dir / "created"
        os.symlink("top.img", self.broker.files / "link.img")
        with ControlConnection(self.broker.control_socket).greeted() as control:
            # The request below replaces one grant of its lease, and leaves another lease's alone.
            for path, access, lease in ((self.paths[0], GRANT_READ, "vda"),
                                        (self.paths[2], GRANT_READ, "other"),
                                        (str(self.new_dir), GRANT_CREATE, "new")):
                assert control.grant(path, access, lease=lease)["outcome"] == OK
        self.control = ControlConnection(self.broker.control_socket).greeted()
        self.data = OpenConnection(self.broker.open_socket).greeted()
        prepare(self)

    def close(self):
        self.control.close()
        self.data.close()
        self.broker.stop()

    def restart(self, under=()):
        """As systemd would after a crash: the same state, new connections. `under` as Broker's."""
        self.control.close()
        self.data.close()
        self.broker.process.wait()
        self.broker.start(under)
        self.control = ControlConnection(self.broker.control_socket).greeted()
        self.data = OpenConnection(self.broker.open_socket).greeted()

    def whitelist(self):
        """What is in force, in an order of its own and without the scene's random directory."""
        listed = self.control.call(list={})["list"]
        prefix = os.fsencode(self.broker.root)
        return sorted((g["lease"], g["path"].removeprefix(prefix),
                       sorted(alias.removeprefix(prefix) for alias in g["aliases"]), g["access"],
                       g["format"], g["depth"], g["stale"]) for g in listed["grants"])

    def count_created(self):
        return self.control.call(status={})["status"]["created_files"]

    def state(self):
        """All that a change can change, and what the VM is answered."""
        jobs = self.control.call(job_list={"all": True})["job_list"]["jobs"]
        chains = self.control.call(chain_list={})["chain_list"]["chains"]
        return {"grants": self.whitelist(), "created": self.count_created(),
                "jobs": sorted((job["id"], job["state"]) for job in jobs),
                "chains": {chain["disk"]: [os.path.basename(image["path"])
                                           for image in chain["images"]] for chain in chains},
                "opens": {path.name: [self.open_outcome(path, access)
                                      for access in (READ, READ_WRITE)]
                          for path in sorted(self.broker.files.glob("*.img"))}}

    def open_outcome(self, path, access):
        return ask(lambda scene: scene.data.open(str(path), access), self)["outcome"]

    # The requests that are interrupted.

    def grant(self):
        files = str(self.broker.files)
        specs = [{"path": path, "access": GRANT_READ_WRITE if depth == 0 else GRANT_READ,
                  "depth": depth, "format": "qcow2",
                  "aliases": [f"{files}/./new/../{os.path.basename(path)}"]}
                 for depth, path in enumerate(self.paths)]
        specs[0]["aliases"].append(f"{files}/link.img")
        return self.control.call(grant={"lease": "vda", "grants": specs})

    def revoke(self):
        return self.control.call(revoke={"lease": "vda"})

    def create(self, token=TOKEN):
        return self.data.open(str(self.created), READ_WRITE, create=True,
                              exclusive=True, mode=0o640, token=token)

    def chain(self):
        """A disk on a backing file, which jobs need."""
        self.disk = [str(self.broker.files / name) for name in ("disk.img", "below.img")]
        # The broker reads the headers itself, so they have to say the same.
        for path, backing in ((self.disk[1], []), (self.disk[0], ["-F", "qcow2", "-b",
                                                                  self.disk[1]])):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, path, "1M"],
                           check=True)
        specs = [{"path": path, "access": access, "role": role, "depth": depth, "format": "qcow2"}
                 for depth, (path, access, role) in enumerate(zip(
                     self.disk, (GRANT_READ_WRITE, GRANT_READ), ("image", "backing")))]
        return self.control.call(grant={"lease": "device:vdb", "grants": specs, "disk": "vdb",
                                        "disk_writable": True})

    def begin_job(self):
        return self.control.call(job_begin={"id": "c", "kind": COMMIT, "disk": "vdb",
                                            "base": self.disk[1]})

    def end_job(self):
        return self.control.call(job_end={"id": "c", "outcome": PIVOTED})

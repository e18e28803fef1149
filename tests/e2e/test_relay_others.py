# SPDX-License-Identifier: LGPL-2.1-or-later
"""The monitor relay beside the notifier of --mode=seccomp, and in front of the storage daemon.

test_relay.py has everything else about it.
"""

import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import settings
from lib.notifiers import Helpers
from lib.relay import RelayedStorageDaemon
from test_jobs import READ, WRITE
from test_relay import RelayCase


class Machine(RelayCase):
    """Also run behind --mode=seccomp: two helpers of one QEMU."""

    def test_snapshot_and_commit_while_all_helpers_die(self) -> None:
        self.start_vm()
        overlay = self.snapshot()
        self.kill_helpers()
        self.write(5, 0x66)
        self.vm.run_job("block-commit", {"device": "new", "base-node": "top"})
        self.kill_helpers()
        self.settle(base=READ, middle=READ, top=WRITE)
        self.assertTrue(overlay.exists())
        self.finish(self.chain.top)

    def snapshot(self) -> Path:
        overlay = self.image("overlay.qcow2")
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.expect(base=READ, middle=READ, top=READ, overlay=WRITE)
        return overlay

    def kill_helpers(self) -> None:
        """The relay's worker and the notifier, where there is one."""
        killed = Helpers(self.broker.open_socket).kill_notifier()
        self.assertEqual(killed, int(settings.SHIM == "seccomp"))
        os.kill(self.vm.worker(), signal.SIGKILL)
        self.vm.reconnect()


class Daemon(Machine):
    """qemu-storage-daemon, whose monitor has other options."""

    def make_vm(self) -> RelayedStorageDaemon:
        return RelayedStorageDaemon(self.access, self.workspace.logs / "storage-daemon.log",
                                    self.workspace.private / "nbd.sock")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The monitor relay on a real QEMU: a manager that knows nothing of openhook.

After the first grant of the disk nobody calls openhookctl but to look. After each operation the
whitelist is exactly what the disk consists of.
"""

import json
import os
import signal
import sys
import time
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images, settings
from lib.holders import held_files
from lib.qemu import blockdev, popen
from lib.qmp import Message, QmpClosed, QmpError
from lib.relay import Relayed, RelayedQemu
from test_jobs import READ, WRITE, JobCase


class RelayCase(JobCase):
    """A VM behind the relay, on a recorded disk."""

    vm: RelayedQemu

    def new_vm(self) -> RelayedQemu:
        self.access.stop()
        self.access = Relayed(self.workspace)
        self.addCleanup(self.access.stop)
        self.access.start()
        vm = self.make_vm()
        self.addCleanup(self.check_nothing_is_left, vm)
        return vm

    def make_vm(self) -> RelayedQemu:
        return RelayedQemu(self.access, self.workspace.logs / "qemu.log")

    def check_nothing_is_left(self, vm: RelayedQemu) -> None:
        images.wait_until(lambda: vm.keeper() is None, "the end of the relay")
        self.assertFalse(vm.monitor.exists(), "the relay's socket is left")

    def jobs(self) -> list[str]:
        """What runs, by kind."""
        listed = self.broker.control("job", "list")["jobs"]
        return sorted(one["kind"] for one in listed)

    def expect(self, **files: str) -> None:
        """The union of the live leases is exactly this, by layer or stem."""
        self.assertEqual({name.removeprefix("disk-"): how for name, how in
                          _stems(self.live()).items()}, files)
        self.check_descriptors()

    def settle(self, **files: str) -> None:
        """expect(), once no job runs and QEMU has closed what it may not have any more."""
        images.wait_until(lambda: not self.jobs(), "the end of all jobs")
        images.wait_until(lambda: not any(one.ended for one in self.broker.grants()),
                          "the files that QEMU has closed")
        self.expect(**files)

    def drop(self, *nodes: str) -> None:
        """blockdev-del of format nodes that are of no more use, and of what they stand on."""
        for node in nodes:
            self.vm.qmp.execute("blockdev-del", {"node-name": node})
            self.vm.qmp.execute("blockdev-del", {"node-name": f"{node}-file"})

    def prepared(self, name: str) -> Path:
        return images.create(self.image(name))


class RelayOperations(RelayCase):
    """Operations of a manager, unchanged."""

    def test_external_snapshot(self) -> None:
        self.start_vm()
        overlay = self.image("overlay.qcow2")
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.expect(base=READ, middle=READ, top=READ, overlay=WRITE)
        self.assertEqual(self.broker.chain("vda")[0], str(overlay))
        self.finish(overlay)

    def test_external_snapshot_on_a_prepared_image(self) -> None:
        self.start_vm()
        overlay = images.overlay(self.image("overlay.qcow2"), self.chain.top)
        for options in self.overlay_nodes(overlay, "new"):
            self.vm.blockdev_add(options)
        self.vm.qmp.execute("blockdev-snapshot", {"node": "top", "overlay": "new"})
        self.settle(base=READ, middle=READ, top=READ, overlay=WRITE)
        self.finish(overlay)

    def test_image_that_qemu_creates(self) -> None:
        self.start_vm()
        target = self.image("new.qcow2")
        self.vm.create_qcow2(target, images.SIZE)
        self.settle(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_active_commit(self) -> None:
        self.start_vm()
        self.vm.run_job("block-commit", {"device": "top", "base-node": "middle"})
        self.expect(base=READ, middle=WRITE)
        self.drop("top")
        self.settle(base=READ, middle=WRITE)
        self.finish(self.chain.middle)

    def test_active_commit_that_is_cancelled_when_ready(self) -> None:
        self.start_vm()
        self.vm.start_job("block-commit", {"device": "top", "base-node": "middle"})
        self.vm.qmp.wait_event("BLOCK_JOB_READY", lambda data: data["device"] == "job0")
        self.expect(base=READ, middle=WRITE, top=WRITE)
        self.vm.qmp.execute("block-job-cancel", {"device": "job0"})
        self.vm.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: data["status"] == "null")
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_intermediate_commit(self) -> None:
        self.start_vm()
        layers = {"top-node": "middle", "base-node": "base"}
        self.vm.run_job("block-commit", {"device": "top", **layers})
        self.expect(base=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_stream(self) -> None:
        self.start_vm()
        self.vm.run_job("block-stream", {"device": "top"})
        self.expect(top=WRITE)
        self.finish(self.chain.top)

    def test_stream_above_a_base(self) -> None:
        self.start_vm()
        self.vm.run_job("block-stream", {"device": "top", "base-node": "base"})
        self.expect(base=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_drive_mirror_and_pivot(self) -> None:
        self.start_vm()
        target = self.image("mirror.qcow2")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.run_job("drive-mirror", arguments)
        self.expect(mirror=WRITE)
        self.finish(target)

    def test_blockdev_mirror_and_pivot(self) -> None:
        self.start_vm()
        target = self.prepared("mirror.qcow2")
        for options in self.overlay_nodes(target, "new"):
            self.vm.blockdev_add(options)
        self.vm.run_job("blockdev-mirror", {"device": "top", "target": "new", "sync": "full"})
        self.drop("top", "middle", "base")
        self.settle(mirror=WRITE)
        self.finish(target)

    def test_backups(self) -> None:
        self.start_vm()
        before = dict(self.chain.contents)
        target = self.image("backup.qcow2")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.run_job("drive-backup", arguments)
        self.settle(base=READ, middle=READ, top=WRITE)
        second = self.prepared("second.qcow2")
        for options in self.overlay_nodes(second, "new"):
            self.vm.blockdev_add(options)
        self.vm.run_job("blockdev-backup", {"device": "top", "target": "new", "sync": "full"})
        self.drop("new")
        self.settle(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)
        images.verify(target, before)
        images.verify(second, before)

    def test_hotplug_commit_and_unplug(self) -> None:
        extra = images.make_chain(self.workspace.images, "extra")
        self.start_vm("-device", "virtio-scsi-pci,id=scsi")
        for options in self.nodes(extra, "extra-"):
            self.vm.blockdev_add(options)
        device = {"driver": "scsi-hd", "id": "sdb", "bus": "scsi.0", "drive": "extra-top"}
        self.vm.qmp.execute("device_add", device)
        self.assertEqual(self.broker.chain("sdb"), [str(one) for one in reversed(extra.files)])
        self.vm.write_device("sdb", 5, 0x66)
        layers = {"top-node": "extra-middle", "base-node": "extra-base"}
        self.vm.run_job("block-commit", {"device": "extra-top", **layers})
        self.assertEqual(self.broker.chain("sdb"), [str(extra.top), str(extra.base)])
        self.vm.qmp.execute("device_del", {"id": "sdb"})
        self.vm.qmp.wait_event("DEVICE_DELETED", lambda data: data.get("device") == "sdb")
        self.drop("extra-top", "extra-middle", "extra-base")
        self.settle(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_change_medium_twice_and_eject(self) -> None:
        first, second = (images.make_raw(self.image(name)) for name in ("a.iso", "b.iso"))
        self.start_vm("-device", "ide-cd,id=cd0")
        for medium, name in ((first, "a"), (second, "b")):
            arguments = {"id": "cd0", "filename": str(medium), "format": "raw", "force": True}
            self.vm.qmp.execute("blockdev-change-medium", arguments)
            self.expect(base=READ, middle=READ, top=WRITE, **{name: READ})
        self.vm.qmp.execute("eject", {"id": "cd0", "force": True})
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_reopen_and_back(self) -> None:
        self.start_vm("-device", "virtio-scsi-pci,id=scsi")
        extra = images.make_chain(self.workspace.images, "extra")
        for options in self.nodes(extra, "extra-"):
            self.vm.blockdev_add(options)
        names = {"extra-base": READ, "extra-middle": READ}
        for read_only, access in ((True, READ), (False, WRITE)):
            node = {"driver": "qcow2", "node-name": "extra-top", "file": "extra-top-file",
                    "backing": "extra-middle", "read-only": read_only}
            self.vm.qmp.execute("blockdev-reopen", {"options": [node]})
            self.assertEqual({one: how for one, how in _stems(self.live()).items()
                              if one.startswith("extra")}, {**names, "extra-top": access})
        self.finish(self.chain.top)

    def test_dumps_and_logs(self) -> None:
        self.start_vm("-m", "16", "-device", "VGA")
        for command, arguments in (
                ("screendump", {"filename": str(self.image("screen.ppm"))}),
                ("pmemsave", {"val": 0, "size": 4096, "filename": str(self.image("memory.bin"))}),
                ("dump-guest-memory", {"paging": False,
                                       "protocol": f"file:{self.image('memory.elf')}"})):
            self.vm.qmp.execute(command, arguments)
            self.expect(base=READ, middle=READ, top=WRITE)
        self.assertEqual(self.vm.qmp.hmp(f'pmemsave 0 4096 "{self.image("human.bin")}"'), "")
        self.expect(base=READ, middle=READ, top=WRITE)
        for name in ("screen.ppm", "memory.bin", "memory.elf", "human.bin"):
            self.assertGreater(self.image(name).stat().st_size, 0)
        backend = {"type": "file", "data": {"out": str(self.image("serial.log"))}}
        self.vm.qmp.execute("chardev-add", {"id": "late", "backend": backend})
        self.assertEqual(_stems(self.live())["serial"], WRITE)
        self.vm.qmp.execute("chardev-remove", {"id": "late"})
        memory = {"qom-type": "memory-backend-file", "id": "m", "size": 1 << 20, "share": True}
        self.vm.qmp.execute("object-add", {**memory, "mem-path": str(self.image("shared"))})
        self.vm.qmp.execute("object-del", {"id": "m"})
        self.settle(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_snapshots_of_a_transaction(self) -> None:
        self.start_vm()
        overlay, backup = self.image("overlay.qcow2"), self.image("backup.qcow2")
        snapshot = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2",
                    "snapshot-node-name": "new"}
        copy = {"device": "top", "job-id": "job0", "target": str(backup), "format": "qcow2",
                "sync": "full"}
        self.vm.qmp.execute("transaction", {"actions": [
            {"type": "drive-backup", "data": copy},
            {"type": "blockdev-snapshot-sync", "data": snapshot}]})
        self.vm.finish_job()
        self.settle(base=READ, middle=READ, top=READ, overlay=WRITE)
        self.finish(overlay)


class RelayAndALyingQemu(RelayCase):
    """QEMU's side is an attacker's; the manager is honest and believes it."""

    headers_change_by_jobs_alone = False  # it claims jobs, and leaves the headers as they were

    def start_vm(self, *extra: str) -> None:
        self.secret = images.create(self.image("secret.qcow2"))
        self.grant_disk("vda", self.chain.top)
        arguments = [part for node in self.nodes(self.chain) for part in blockdev(node)]
        script = Path(__file__).resolve().parent / "lib" / "fake_qemu.py"
        copy = self.workspace.private / "fake_qemu.py"
        copy.write_bytes(script.read_bytes())
        os.chown(copy, settings.VM_UID, settings.VM_UID)
        with open(self.workspace.logs / "qemu.log", "ab") as log:
            argv = ["/usr/bin/python3", "-B", "-I", str(copy), str(self.secret), *arguments]
            self.vm.adopt(popen(self.access.wrap(argv), log, []))
        self.manager = self.vm.connect()
        self.addCleanup(self.manager.close)
        self.manager.settimeout(settings.DEADLINE)
        self.lines = self.manager.makefile("rb")
        self.addCleanup(self.lines.close)
        self.number = 0
        self.ask("qmp_capabilities")

    def ask(self, command: str, arguments: Optional[Message] = None) -> Message:
        """Sends a command with an id of its own, and finds its answer among the lies."""
        self.number += 1
        asked = {"execute": command, "arguments": arguments or {}, "id": f"ask-{self.number}"}
        self.manager.sendall(json.dumps(asked).encode() + b"\n")
        mine = json.dumps(asked["id"]).encode()
        answer = next(line for line in self.lines if mine in line)
        return dict(json.loads(answer))

    def test_what_it_invents_gives_nothing(self) -> None:
        self.start_vm()
        before = self.broker.grants()
        for command in ("query-named-block-nodes", "query-jobs", "query-name"):
            self.ask(command)
        self.assertEqual(self.broker.grants(), before)
        self.assertEqual(self.jobs(), [])

    def test_names_that_it_tells_a_manager_are_refused(self) -> None:
        self.start_vm()
        (node,) = self.ask("query-named-block-nodes")["return"]
        for command, arguments in (
                ("blockdev-snapshot", {"node": "top", "overlay": node["node-name"]}),
                ("block-commit", {"job-id": "job0", "device": "top", "base-node": "s"}),
                ("block-commit", {"job-id": "job0", "device": "top", "base": str(self.secret)})):
            self.assertIn("error", self.ask(command, arguments))
        self.assert_secret()

    def test_jobs_that_it_only_claims_to_do_give_what_the_manager_asked_for(self) -> None:
        self.start_vm()
        overlay = self.prepared("overlay.qcow2")
        for options in self.overlay_nodes(overlay, "new"):
            self.assertIn("return", self.ask("blockdev-add", options))
        self.ask("blockdev-snapshot", {"node": "top", "overlay": "new"})
        self.ask("block-commit", {"job-id": "job0", "device": "new",
                                             "top-node": "middle", "base-node": "base"})
        self.ask("query-name")
        images.wait_until(lambda: not self.jobs(), "the end of all jobs")
        self.assertEqual(_stems(self.live()), {"overlay": WRITE, "disk-top": READ, "disk-base": READ})
        self.assert_secret()

    def assert_secret(self) -> None:
        self.assertNotIn("secret.qcow2", self.live())


class RelayTroubles(RelayCase):
    """Refusals, deaths and attacks."""

    def test_a_refused_command_has_the_brokers_reason_and_the_vm_goes_on(self) -> None:
        self.start_vm()
        node = {"driver": "file", "node-name": "shadow", "filename": "/etc/shadow"}
        with self.assertRaisesRegex(QmpError, "openhook has not passed on 'blockdev-add'.*/etc"):
            self.vm.blockdev_add(node)
        with self.assertRaisesRegex(QmpError, "no disk is called|is not in the chain"):
            self.vm.run_job("block-commit", {"device": "top", "base": "/nowhere"})
        with self.assertRaisesRegex(QmpError, "use the QMP command drive-backup"):
            self.vm.qmp.hmp(f"drive_backup vda {self.image('x')}")
        self.settle(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_names_that_qemu_made_up_are_not_believed(self) -> None:
        self.auto_read_only = False  # the nodes below the top are QEMU's own
        self.start_vm()
        base = self.vm.node_of(self.chain.base)
        with self.assertRaisesRegex(QmpError, "names that QEMU made up"):
            self.vm.start_job("block-commit", {"device": "top", "base-node": base})
        self.vm.run_job("block-commit", {"device": "top", "base": str(self.chain.middle)})
        self.expect(base=READ, middle=WRITE)
        self.finish(self.chain.middle)

    def test_descriptors_pass_through(self) -> None:
        self.start_vm()
        with open(self.image("passed"), "w+b") as file:
            self.send_with(file.fileno(), b'{"execute":"getfd","arguments":{"fdname":"f"}}')
            self.vm.qmp.answer("getfd")
            self.vm.qmp.execute("dump-guest-memory", {"paging": False, "protocol": "fd:f"})
            self.assertEqual(self.image("passed").read_bytes()[:4], b"\x7fELF")
            self.send_with(file.fileno(), b'{"execute":"add-fd"}')
            self.assertIn("fdset-id", self.vm.qmp.answer("add-fd"))
        self.assertEqual(_stems(self.live()), {"disk-base": READ, "disk-middle": READ,
                                               "disk-top": WRITE})

    def send_with(self, descriptor: int, line: bytes) -> None:
        self.vm.qmp.send_with_descriptor(line, descriptor)

    def test_a_second_manager_goes_on_where_the_first_one_was(self) -> None:
        self.start_vm()
        self.vm.start_job("block-commit", {"device": "top", "base-node": "middle"})
        self.vm.qmp.wait_event("BLOCK_JOB_READY", lambda data: data["device"] == "job0")
        self.vm.reconnect()
        self.vm.qmp.execute("job-complete", {"id": "job0"})
        self.vm.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: data["status"] == "null")
        self.expect(base=READ, middle=WRITE)
        self.finish(self.chain.middle)

    def test_a_job_that_ends_while_no_manager_is_there(self) -> None:
        self.start_vm()
        target = self.image("backup.qcow2")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full",
                     "speed": 8 << 20}
        self.vm.start_job("drive-backup", arguments)
        self.assertEqual(self.jobs(), ["backup"])
        self.vm.qmp.close()
        self.settle(base=READ, middle=READ, top=WRITE)
        self.vm.reconnect()
        self.finish(self.chain.top)

    def test_the_worker_killed_in_the_middle_of_a_job(self) -> None:
        self.start_vm()
        self.vm.start_job("block-commit", {"device": "top", "base-node": "middle"})
        self.vm.qmp.wait_event("BLOCK_JOB_READY", lambda data: data["device"] == "job0")
        self.kill_worker()
        self.assertEqual(self.jobs(), ["commit"])
        self.vm.qmp.execute("job-complete", {"id": "job0"})
        self.vm.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: data["status"] == "null")
        self.expect(base=READ, middle=WRITE)
        self.finish(self.chain.middle)

    def test_the_worker_killed_in_a_stream_of_commands(self) -> None:
        """At any moment of a snapshot: afterwards broker and QEMU agree on whether it was made."""
        self.start_vm()
        disk, node = self.chain.top, "top"
        for round_ in range(12):
            overlay = self.image(f"over{round_}.qcow2")
            name = f"over{round_}"
            arguments = {"node-name": node, "snapshot-file": str(overlay), "format": "qcow2"}
            self.vm.qmp.send("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": name})
            self.vm.qmp.send("query-name")
            self.kill_worker(delay=0.0008 * round_)
            images.wait_until(lambda: not self.jobs(), "the end of all jobs")
            made = self.vm.disk_node() == name
            if made:
                disk, node = overlay, name
            self.assertEqual(self.broker.chain("vda")[0], str(disk), f"round {round_}")
            self.write(5, 0x60 + round_)
        self.finish(disk)

    def kill_worker(self, delay: float = 0.0) -> None:
        worker = self.vm.worker()
        time.sleep(delay)
        os.kill(worker, signal.SIGKILL)
        with self.assertRaises((QmpClosed, ConnectionError)):
            while True:
                self.vm.qmp.execute("query-name")
        self.vm.reconnect()
        self.assertNotEqual(self.vm.worker(), worker)

    def test_the_broker_killed_and_restarted_in_the_middle(self) -> None:
        self.start_vm()
        self.vm.start_job("block-commit", {"device": "top", "base-node": "middle"})
        self.vm.qmp.wait_event("BLOCK_JOB_READY", lambda data: data["device"] == "job0")
        self.broker.kill()
        self.vm.qmp.execute("query-block")
        self.vm.qmp.send("screendump", {"filename": str(self.image("never"))})
        with self.assertRaisesRegex(QmpError, "start it again"):
            self.vm.qmp.answer("screendump")
        self.vm.qmp.execute("job-complete", {"id": "job0"})
        self.vm.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: data["status"] == "null")
        self.broker.start()
        images.wait_until(lambda: not self.jobs(), "the end of all jobs")
        self.expect(base=READ, middle=WRITE)
        self.finish(self.chain.middle)

    def test_qemu_killed_takes_the_relay_along(self) -> None:
        self.start_vm()
        self.vm.start_job("block-commit", {"device": "top", "base-node": "middle"})
        os.kill(self.vm.pid, signal.SIGKILL)
        images.wait_until(lambda: self.vm.keeper() is None, "the end of the relay")
        self.assertEqual(self.jobs(), [])
        self.assertEqual(_stems(self.live()), {"disk-base": READ, "disk-middle": READ,
                                               "disk-top": WRITE})
        self.assertEqual(self.broker.events()[-1]["verdict"], "allow")

    def test_the_relay_is_out_of_qemus_reach(self) -> None:
        self.start_vm()
        keeper, worker = self.vm.keeper(), self.vm.worker()
        children = Path(f"/proc/{self.vm.pid}/task/{self.vm.pid}/children").read_text().split()
        self.assertEqual(children, [])
        self.assertEqual(os.stat(self.vm.monitor).st_mode & 0o777, 0o600)
        for pid in (keeper, worker):
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, 0)
            probe = f"import os; os.kill({pid}, 0)"
            done = images.run_tool("/usr/bin/setpriv", "--reuid", str(settings.VM_UID),
                                   "--clear-groups", sys.executable, "-c", probe, check=False)
            self.assertIn("PermissionError", done.stderr)
        status = Path(f"/proc/{worker}/status").read_text()
        self.assertIn("CapEff:\t0000000000000000", status)
        self.assertEqual(held_files(worker, self.workspace.images), [])
        self.finish(self.chain.top)
        removed = [one for one in self.broker.events() if one["operation"] == "unlink"]
        self.assertEqual(removed, [], "QEMU's end does not ask for its monitors' sockets")
        self.assertNotIn("unlink", self.vm.words)


def _stems(files: dict[str, str]) -> dict[str, str]:
    return {Path(name).stem: how for name, how in files.items()}


if __name__ == "__main__":
    unittest.main()

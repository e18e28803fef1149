# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every kind of job on a real QEMU: what the whitelist is while it runs and after it has ended.

A job gives what its operation needs and nothing else, and when it is over the whitelist is exactly
what the disk consists of. Nothing that QEMU still holds is pulled from under it.
"""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images
from lib.access import Brokered
from lib.broker import Broker, RefusedError
from lib.case import VmCase
from lib.qemu import Qemu

READ, WRITE = "read", "read-write"


class JobCase(VmCase):
    """A VM whose disk vda is a granted and recorded chain three deep."""

    # Cases that rewrite headers themselves say so.
    headers_change_by_jobs_alone = True

    def tearDown(self) -> None:
        """After each job the broker has read the headers again, and found what the record says."""
        if self.headers_change_by_jobs_alone:
            self.assertEqual(self.refused_headers(), [])
        super().tearDown()

    def refused_headers(self) -> list[str]:
        return [event["reason"] for event in self.broker.events()
                if event["operation"] == "check-headers" or "no job explains" in event["reason"]]

    @property
    def broker(self) -> Broker:
        assert isinstance(self.access, Brokered), "jobs need a broker"
        return self.access.broker

    def start_vm(self, *extra: str) -> None:
        self.grant_disk("vda", self.chain.top)
        self.vm.start_disk(self.nodes(self.chain), *extra)
        self.write(3, 0x44)

    def grant_disk(self, disk: str, top: Path) -> None:
        options = ["--chain", "--format", "qcow2", "--write", "--disk", disk]
        self.broker.grant(top, *options, lease=f"device:{disk}")

    def live(self) -> dict[str, str]:
        """The union of the live leases: access by file name."""
        union: dict[str, str] = {}
        for grant in self.broker.grants():
            name = Path(grant.path).name
            if not grant.ended and union.get(name) != WRITE:
                union[name] = READ if grant.access == "read" else WRITE
        return union

    def expect(self, **files: str) -> None:
        """The whitelist is exactly this, by layer or stem; what QEMU has closed is forgotten soon."""
        self.expect_live(**files)
        images.wait_until(lambda: not any(one.ended for one in self.broker.grants()),
                          "the files that QEMU has closed")
        self.check_descriptors()

    def expect_live(self, **files: str) -> None:
        self.assertEqual({_short(name): how for name, how in self.live().items()}, files)

    def drop(self, *layers: str) -> None:
        """Deletes the nodes of images that left the chain; QEMU keeps those that were named."""
        named = [node for layer in layers for node in (layer, f"{layer}-file")]
        for node in named if self.auto_read_only else ["top"]:
            self.vm.qmp.execute("blockdev-del", {"node-name": node})

    def node(self, layer: str) -> str:
        return layer if self.auto_read_only else self.vm.node_of(getattr(self.chain, layer))


def _short(name: str) -> str:
    return Path(name).stem.removeprefix("disk-")


class Jobs(JobCase):
    """One operation each, with libvirt's style of -blockdev."""

    def test_active_commit(self) -> None:
        self.start_vm()
        job = self.broker.begin("commit", "vda", "--base", self.chain.middle)
        self.expect(base=READ, middle=WRITE, top=WRITE)
        self.vm.run_job("block-commit", {"device": "top", "base-node": self.node("middle")})
        self.broker.end(job, "pivoted")
        self.drop("top")
        self.expect(base=READ, middle=WRITE)
        self.finish(self.chain.middle)

    def test_intermediate_commit(self) -> None:
        self.start_vm()
        job = self.broker.begin("commit", "vda", "--base", self.chain.base, "--top",
                                self.chain.middle)
        self.expect(base=WRITE, middle=READ, top=WRITE)
        layers = {"top-node": self.node("middle"), "base-node": self.node("base")}
        self.vm.run_job("block-commit", {"device": "top", **layers})
        self.broker.end(job, "completed")
        if self.auto_read_only:
            self.drop("middle")
        self.expect(base=READ, top=WRITE)
        self.assertEqual(self.broker.chain("vda"), [str(self.chain.top), str(self.chain.base)])
        self.finish(self.chain.top)

    def test_commit_that_is_cancelled(self) -> None:
        self.start_vm()
        job = self.broker.begin("commit", "vda", "--base", self.chain.middle)
        self.vm.start_job("block-commit", {"device": "top", "base-node": self.node("middle")})
        self.vm.qmp.wait_event("BLOCK_JOB_READY", lambda data: data["device"] == "job0")
        self.vm.qmp.execute("block-job-cancel", {"device": "job0", "force": True})
        self.vm.qmp.wait_event("BLOCK_JOB_CANCELLED", lambda data: data["device"] == "job0")
        self.broker.end(job, "aborted")
        # QEMU 7.2 keeps its writable descriptor of the base of a commit that was cancelled. It may
        # not get another one, and the file stays known as held for writing, and locked.
        self.expect_live(base=READ, middle=READ, top=WRITE)
        (kept,) = [one for one in self.broker.grants() if one.ended]
        self.assertEqual((kept.path, kept.access), (str(self.chain.middle), WRITE))
        self.finish(self.chain.top)

    def test_commit_without_a_job_is_refused_and_the_vm_lives(self) -> None:
        self.start_vm()
        layers = {"top-node": self.node("middle"), "base-node": self.node("base")}
        with self.assertRaisesRegex(Exception, "Permission denied"):
            self.vm.run_job("block-commit", {"device": "top", **layers})
        self.finish(self.chain.top)

    def test_stream(self) -> None:
        self.start_vm()
        job = self.broker.begin("stream", "vda")
        self.vm.run_job("block-stream", {"device": "top"})
        self.broker.end(job, "completed")
        if self.auto_read_only:
            self.drop("middle", "base")
        self.expect(top=WRITE)
        self.finish(self.chain.top)

    def test_intermediate_stream(self) -> None:
        self.start_vm()
        job = self.broker.begin("stream", "vda", "--top", self.chain.middle)
        self.expect(base=READ, middle=WRITE, top=WRITE)
        self.vm.run_job("block-stream", {"device": self.node("middle")})
        self.broker.end(job, "completed")
        if self.auto_read_only:
            self.drop("base")
        self.expect(middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_snapshot_that_qemu_makes(self) -> None:
        self.start_vm()
        overlay = self.image("overlay.qcow2")
        job = self.broker.begin("snapshot", "vda", "--target", overlay, "--format", "qcow2")
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.broker.end(job, "completed")
        self.expect(base=READ, middle=READ, top=READ, overlay=WRITE)
        self.finish(overlay)

    def test_snapshot_on_a_prepared_image(self) -> None:
        self.start_vm()
        overlay = images.overlay(self.image("overlay.qcow2"), self.chain.top)
        job = self.broker.begin("snapshot", "vda", "--target", overlay, "--format", "qcow2",
                                "--existing")
        for options in self.overlay_nodes(overlay, "new"):
            self.vm.blockdev_add(options)
        self.vm.qmp.execute("blockdev-snapshot", {"node": "top", "overlay": "new"})
        self.broker.end(job, "completed")
        self.expect(base=READ, middle=READ, top=READ, overlay=WRITE)
        self.finish(overlay)

    def test_snapshot_then_commit_back_while_the_broker_dies_in_between(self) -> None:
        self.start_vm()
        overlay = self.image("overlay.qcow2")
        job = self.broker.begin("snapshot", "vda", "--target", overlay, "--format", "qcow2")
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.restart_broker()
        self.broker.end(job, "completed")
        job = self.broker.begin("commit", "vda", "--base", self.chain.top)
        self.restart_broker()
        self.vm.run_job("block-commit", {"device": "new", "base-node": "top"})
        self.broker.end(job, "pivoted")
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_mirror_and_pivot(self) -> None:
        self.start_vm()
        target = self.image("mirror.qcow2")
        job = self.broker.begin("mirror", "vda", "--target", target, "--format", "qcow2")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.run_job("drive-mirror", arguments)
        self.broker.end(job, "pivoted")
        self.drop("top", "middle", "base")
        self.expect(mirror=WRITE)
        self.finish(target)

    def test_shallow_mirror_and_pivot(self) -> None:
        self.start_vm()
        target = images.overlay(self.image("mirror.qcow2"), self.chain.middle)
        job = self.broker.begin("mirror", "vda", "--target", target, "--format", "qcow2",
                                "--existing", "--shallow")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "top",
                     "mode": "existing"}
        self.vm.run_job("drive-mirror", arguments)
        self.broker.end(job, "pivoted")
        self.drop("top")
        self.expect(base=READ, middle=READ, mirror=WRITE)
        self.finish(target)

    def test_mirror_that_is_given_up(self) -> None:
        self.start_vm()
        target = self.image("mirror.qcow2")
        job = self.broker.begin("mirror", "vda", "--target", target, "--format", "qcow2")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.start_job("drive-mirror", arguments)
        self.vm.qmp.wait_event("BLOCK_JOB_READY", lambda data: data["device"] == "job0")
        self.vm.qmp.execute("block-job-cancel", {"device": "job0"})
        self.vm.qmp.wait_event("BLOCK_JOB_COMPLETED", lambda data: data["device"] == "job0")
        self.broker.end(job, "completed")
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_backup(self) -> None:
        self.start_vm()
        before = dict(self.chain.contents)
        target = self.image("backup.qcow2")
        job = self.broker.begin("backup", "vda", "--target", target, "--format", "qcow2")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.run_job("drive-backup", arguments)
        self.broker.end(job, "completed")
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)
        images.verify(target, before)

    def test_change_of_a_medium(self) -> None:
        first, second = self.medium("a.iso", 0xA1), self.medium("b.iso", 0xB2)
        self.grant_medium(first)
        drive = ["-drive", f"file={first},format=raw,if=none,id=cd,readonly=on,media=cdrom"]
        self.start_vm(*drive, "-device", "ide-cd,id=cd0,drive=cd")
        job = self.broker.begin("change", "cd0", "--target", second, "--format", "raw")
        arguments = {"id": "cd0", "filename": str(second), "format": "raw", "force": True}
        self.vm.qmp.execute("blockdev-change-medium", arguments)
        self.broker.end(job, "completed")
        self.expect(base=READ, middle=READ, top=WRITE, b=READ)
        self.finish(self.chain.top)

    def test_attach_and_detach(self) -> None:
        extra = images.make_chain(self.workspace.images, "extra")
        self.start_vm("-device", "virtio-scsi-pci,id=scsi")
        job = self.broker.begin("attach", "sdb", "--target", extra.top, "--format", "qcow2",
                                "--write")
        for options in self.nodes(extra, "extra-"):
            self.vm.blockdev_add(options)
        device = {"driver": "scsi-hd", "id": "sdb", "bus": "scsi.0", "drive": "extra-top"}
        self.vm.qmp.execute("device_add", device)
        self.broker.end(job, "completed")
        self.vm.write_device("sdb", 5, 0x66)
        extra.contents[5] = 0x66
        self.broker.control("revoke", "--lease", "device:sdb")
        held = {Path(one.path).name for one in self.broker.grants() if one.ended}
        self.assertIn(extra.top.name, held, "the VM still has it: nothing is pulled away")
        self.vm.qmp.execute("device_del", {"id": "sdb"})
        self.vm.qmp.wait_event("DEVICE_DELETED", lambda data: data.get("device") == "sdb")
        for options in reversed(self.nodes(extra, "extra-")):
            self.vm.qmp.execute("blockdev-del", {"node-name": options["node-name"]})
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)
        images.verify(extra.top, extra.contents)

    def test_reopen_read_only_and_back(self) -> None:
        self.start_vm()
        extra = images.make_chain(self.workspace.images, "extra")
        self.grant_disk("vdb", extra.top)
        for options in self.nodes(extra, "extra-"):
            self.vm.blockdev_add(options)
        for write in (False, True):
            flags = ["--write"] if write else []
            job = self.broker.begin("reopen", "vdb", *flags)
            options = [{"driver": "qcow2", "node-name": "extra-top", "file": "extra-top-file",
                        "read-only": not write, "backing": "extra-middle"}]
            self.vm.qmp.execute("blockdev-reopen", {"options": options})
            self.broker.end(job, "completed")
            images.wait_until(lambda: not any(one.ended for one in self.broker.grants()),
                              "the descriptor that QEMU gives up")
            self.assertEqual(self.live()[extra.top.name], WRITE if write else READ)
        self.finish(self.chain.top)

    def test_save_of_the_memory_to_a_file(self) -> None:
        self.start_vm("-m", "16")
        state = self.image("state.elf")
        job = self.broker.begin("save", "--target", state)
        self.vm.qmp.execute("dump-guest-memory", {"paging": False, "protocol": f"file:{state}"})
        self.broker.end(job, "completed")
        self.expect(base=READ, middle=READ, top=WRITE)
        self.assertEqual(state.read_bytes()[:4], b"\x7fELF")
        self.finish(self.chain.top)

    def test_migration_out_and_back_in(self) -> None:
        self.start_vm()
        destination = Qemu(self.access, self.workspace.logs / "destination.log")
        self.addCleanup(destination.destroy)
        destination.start_incoming(self.nodes(self.chain))
        leaving = self.broker.begin("migrate-out")
        arriving = self.broker.begin("migrate-in")
        self.vm.migrate_to(destination, self.workspace.private / "migration.sock")
        self.vm.quit()
        self.broker.end(leaving, "completed")
        self.assertEqual(self.live()[self.chain.top.name], WRITE, "the arriving VM's")
        self.broker.end(arriving, "completed")
        self.vm = destination
        self.expect(base=READ, middle=READ, top=WRITE)
        self.finish(self.chain.top)

    def test_an_owner_that_vanished_is_reported(self) -> None:
        self.start_vm()
        owner = os.fork()
        if owner == 0:
            os.read(0, 1)
            os._exit(0)
        job = self.broker.begin("stream", "vda", "--owner-pid", owner)
        (shown,) = self.broker.control("job", "list")["jobs"]
        self.assertEqual((shown["id"], shown["owner_state"]), (job, "alive"))
        os.waitpid(owner, 0)
        (shown,) = self.broker.control("job", "list")["jobs"]
        self.assertEqual(shown["owner_state"], "gone")
        self.assertIn("GONE", self.broker.ctl("job", "list"))
        self.broker.end(job, "aborted")
        self.finish(self.chain.top)

    def test_waiting_for_a_file_names_who_has_it(self) -> None:
        self.start_vm()
        (holder,) = self.broker.control("holders", str(self.chain.top))["holders"]
        self.assertEqual((holder["pid"], holder["access"]), (self.vm.pid, WRITE))
        with self.assertRaisesRegex(RefusedError, f"pid {self.vm.pid}"):
            self.broker.ctl("revoke", "--lease", "device:vda", "--wait", "--timeout", "0.3")
        self.vm.quit()
        images.wait_until(lambda: not self.broker.grants(), "the end of all grants")

    def restart_broker(self) -> None:
        self.broker.kill()
        self.broker.start()

    def medium(self, name: str, byte: int) -> Path:
        path = images.make_raw(self.image(name))
        images.fill(path, {0: byte}, "raw")
        return path

    def grant_medium(self, path: Path) -> None:
        self.broker.grant(path, "--chain", "--format", "raw", "--disk", "cd0", lease="device:cd0")


class JobsByHand(Jobs):
    """The same with implicit backing nodes and auto-read-only off."""

    auto_read_only = False

    # Without auto-read-only a node stays as it was opened, whatever its file could be.
    test_reopen_read_only_and_back = None  # type: ignore[assignment]
    test_snapshot_on_a_prepared_image = None  # type: ignore[assignment]


if __name__ == "__main__":
    unittest.main()

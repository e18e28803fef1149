# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every operation of libvirt on disks: after each, the whitelist is what the definition says."""

import signal
import threading
import unittest
from pathlib import Path

import images
from case import LibvirtCase
from domain import Domain

EXTERNAL = ["snapshot-create-as", "--no-metadata"]


class Operations(LibvirtCase):
    def setUp(self) -> None:
        super().setUp()
        self.vm = self.started()
        self.check(self.vm)

    def file(self, name: str) -> Path:
        return self.vm.directory / name

    def do(self, command: str, *words: str) -> None:
        """The operation, and the check."""
        try:
            self.vm.virsh(command, *words)
        except Exception as error:
            raise AssertionError(f"{error}\n{self.vm.story()}\n{self.vm.qemu_log()}") from error
        self.check(self.vm)

    def snapshot(self, name: str, *words: str) -> None:
        self.do(*EXTERNAL, name, "--disk-only", *words)

    def test_a_disk_with_its_own_chain_is_attached_and_detached(self) -> None:
        chain = images.make_chain(self.vm.directory, "data-")
        self.vm.attach(chain[0], "sdb")
        self.check(self.vm)
        self.assertIn(str(chain[2]), self.vm.whitelist())
        self.do("detach-disk", "sdb")
        self.assertNotIn(str(chain[0]), self.vm.whitelist())

    def test_a_raw_disk_is_attached_and_detached(self) -> None:
        raw = images.create(self.file("data.raw"), kind="raw")
        self.vm.attach(raw, "sdb", kind="raw")
        self.check(self.vm)
        self.do("detach-disk", "sdb")

    def test_a_medium_is_changed_and_ejected(self) -> None:
        for name in ("one.iso", "two.iso"):
            images.create(self.file(name), kind="raw")
        self.do("change-media", "sda", str(self.file("one.iso")))
        self.assertEqual(self.vm.whitelist()[str(self.file("one.iso"))], "read")
        self.do("change-media", "sda", str(self.file("two.iso")))
        self.do("change-media", "sda", "--eject")
        self.assertNotIn(str(self.file("two.iso")), self.vm.whitelist())

    def test_snapshots_are_taken_and_committed_into_what_is_below(self) -> None:
        self.snapshot("s1")
        self.snapshot("s2")
        self.do("blockcommit", "vda", "--active", "--pivot", "--wait", "--shallow")
        self.do("blockcommit", "vda", "--active", "--pivot", "--wait")

    def test_a_prepared_overlay_is_used(self) -> None:
        overlay = images.create(self.file("prepared.qcow2"), self.vm.top)
        self.snapshot("s1", "--reuse-external", "--diskspec", f"vda,file={overlay}")

    def test_a_snapshot_with_memory(self) -> None:
        self.do(*EXTERNAL, "s1", "--memspec", f"file={self.file('memory')},snapshot=external",
                "--diskspec", "vda,snapshot=external")

    def test_internal_snapshots_change_nothing(self) -> None:
        self.do("snapshot-create-as", "i1")
        self.do("snapshot-revert", "i1")
        self.do("snapshot-delete", "i1")

    def test_an_inner_commit_takes_the_images_between_out(self) -> None:
        self.snapshot("s1")
        self.snapshot("s2")
        self.do("blockcommit", "vda", "--top", str(self.vm.chain[1]), "--base",
                str(self.vm.chain[2]), "--wait")
        self.assertNotIn(str(self.vm.chain[1]), self.vm.whitelist())

    def test_an_inner_commit_of_several_images(self) -> None:
        self.snapshot("s1")
        self.do("blockcommit", "vda", "--top", str(self.vm.chain[0]), "--base",
                str(self.vm.chain[2]), "--wait")

    def test_a_commit_that_qemu_begins_late(self) -> None:
        """As where libvirt's helper for AppArmor takes its time between the word and the command."""
        self.snapshot("s1")
        qemu = self.host.pid_of("qemu-system-x86")
        self.host.kill(qemu, signal.SIGSTOP)
        waking = threading.Timer(12, self.host.kill, (qemu, signal.SIGCONT))
        waking.start()
        self.addCleanup(waking.join)
        self.do("blockcommit", "vda", "--active", "--pivot", "--wait", "--shallow")

    def test_bitmaps_are_merged_when_a_commit_has_ended(self) -> None:
        self.do("checkpoint-create-as", "c1")
        self.snapshot("s1")
        self.do("checkpoint-create-as", "c2")
        self.do("blockcommit", "vda", "--top", str(self.vm.chain[0]), "--base",
                str(self.vm.chain[1]), "--wait")
        self.snapshot("s2")
        self.do("blockcommit", "vda", "--active", "--pivot", "--wait")
        self.assertNotIn("blockdev-reopen", self.libvirt.log())

    def test_snapshots_of_a_paused_machine_are_its_disk(self) -> None:
        """libvirt releases the new image with the old one, and has not detached anything."""
        self.vm.virsh("suspend")
        self.snapshot("s1")
        self.snapshot("s2")
        self.do("blockcommit", "vda", "--top", str(self.file("top.s1")), "--base",
                str(self.vm.top), "--wait")
        self.do("resume")
        self.snapshot("s3")

    def test_a_disk_is_detached_after_a_snapshot_of_the_paused_machine(self) -> None:
        chain = images.make_chain(self.vm.directory, "data-")
        self.vm.attach(chain[0], "sdb")
        self.vm.virsh("suspend")
        self.do(*EXTERNAL, "s1", "--disk-only", "--diskspec", "vda,snapshot=no")
        self.vm.virsh("resume")
        self.do("detach-disk", "sdb")
        self.assertNotIn(str(chain[0]), self.vm.whitelist())

    def test_an_active_commit_is_aborted(self) -> None:
        """libvirt does not say so, and QEMU keeps the base open for writing: the whitelist says it."""
        self.snapshot("s1")
        base = str(self.vm.top)
        self.vm.virsh("blockcommit", "vda", "--active", "--wait", "--shallow")
        self.assertEqual(self.vm.whitelist()[base], "read-write")
        self.vm.virsh("blockjob", "vda", "--abort")
        self.wait_for_no_job()
        holders = self.vm.ctl("holders", base)["holders"]
        self.assertTrue(any(holder["access"] == "read-write" for holder in holders), holders)
        self.assertEqual(self.vm.whitelist()[base], "read-write")
        self.do("blockcommit", "vda", "--active", "--wait", "--shallow", "--pivot")

    def test_a_disk_is_detached_after_its_commit_was_aborted(self) -> None:
        """QEMU has closed the base with the disk; nothing of it stays."""
        chain = images.make_chain(self.vm.directory, "data-")
        self.vm.attach(chain[0], "sdb")
        self.vm.virsh("blockcommit", "sdb", "--active", "--wait", "--shallow")
        self.vm.virsh("blockjob", "sdb", "--abort")
        self.do("detach-disk", "sdb")
        self.assertNotIn(str(chain[1]), self.vm.whitelist())

    def test_a_pull_of_everything(self) -> None:
        self.do("blockpull", "vda", "--wait")
        self.assertNotIn(str(self.vm.chain[2]), self.vm.whitelist())

    def test_a_pull_down_to_a_base(self) -> None:
        self.do("blockpull", "vda", "--wait", "--base", str(self.vm.chain[2]))

    def test_a_copy_takes_the_disk_over(self) -> None:
        self.do("blockcopy", "vda", str(self.file("copy.qcow2")), "--transient-job", "--wait",
                "--pivot")
        self.assertNotIn(str(self.vm.top), self.vm.whitelist())

    def test_a_shallow_copy_takes_the_disk_over(self) -> None:
        self.do("blockcopy", "vda", str(self.file("copy.qcow2")), "--transient-job", "--wait",
                "--pivot", "--shallow")
        self.assertIn(str(self.vm.chain[2]), self.vm.whitelist())

    def test_a_copy_is_aborted(self) -> None:
        self.vm.virsh("blockcopy", "vda", str(self.file("copy.qcow2")), "--transient-job", "--wait")
        self.check(self.vm)
        self.do("blockjob", "vda", "--abort")
        self.assertNotIn(str(self.file("copy.qcow2")), self.vm.whitelist())

    def test_a_backup_is_pushed(self) -> None:
        definition = self.host.root / "backup.xml"
        definition.write_text(
            "<domainbackup mode='push'><disks><disk name='vda' type='file'>"
            f"<target file='{self.file('backup.qcow2')}'/><driver type='qcow2'/></disk></disks>"
            "</domainbackup>")
        self.do("backup-begin", str(definition))
        self.wait_for_no_job()
        self.check(self.vm)
        self.assertNotIn(str(self.file("backup.qcow2")), self.vm.whitelist())

    def wait_for_no_job(self) -> None:
        while "None" not in self.vm.virsh("domjobinfo"):
            pass

    def test_a_pause_and_a_resume_change_nothing(self) -> None:
        self.do("suspend")
        self.do("resume")
        self.assertEqual(self.vm.state(), "running")

    def test_a_machine_is_saved_and_restored(self) -> None:
        self.vm.virsh("save", str(self.file("saved")))
        self.assertNotIn("openhookd", self.host.processes().values())
        self.libvirt.virsh("restore", str(self.file("saved")))
        self.check(self.vm)
        self.assertEqual(self.vm.state(), "running")

    def test_a_managed_save_is_started_again(self) -> None:
        self.vm.virsh("managedsave")
        self.do("start")
        self.assertEqual(self.vm.state(), "running")

    def test_two_disks_at_once(self) -> None:
        chain = images.make_chain(self.vm.directory, "data-")
        self.vm.attach(chain[0], "sdb")
        self.snapshot("s1")
        self.vm.virsh("blockcommit", "vda", "--active", "--shallow", "--wait")
        self.vm.virsh("blockcommit", "sdb", "--active", "--shallow", "--wait")
        self.do("blockjob", "sdb", "--pivot")
        self.do("blockjob", "vda", "--pivot")

    def test_a_machine_that_is_destroyed_leaves_no_broker(self) -> None:
        self.vm.virsh("destroy")
        self.assertNotIn("openhookd", self.host.processes().values())


class Refusals(LibvirtCase):
    def setUp(self) -> None:
        super().setUp()
        self.vm = self.started()

    def still_right(self, said: str) -> None:
        self.assertIn("openhook: ", said)
        self.assertEqual(self.vm.state(), "running")
        self.check(self.vm)

    def test_a_file_of_the_system(self) -> None:
        said = self.vm.attach_refused(Path("/etc/shadow"), "sdb", kind="raw")
        self.still_right(said)
        explained = self.vm.ctl("explain", "/etc/shadow")
        self.assertTrue(any(one["operation"] == "announced" or one["verdict"] == "fail"
                            for one in explained["recent"]), explained)

    def test_a_disk_of_another_machine(self) -> None:
        other: Domain = self.started("vm2")
        said = self.vm.attach_refused(other.top, "sdb")
        self.still_right(said)
        self.check(other)

    def test_a_disk_whose_header_leads_outside(self) -> None:
        secret = self.host.root / "secret"
        secret.mkdir(mode=0o711)
        outside = images.create(secret / "outside.qcow2")
        leading = images.create(self.vm.directory / "leading.qcow2", outside)
        said = self.vm.attach_refused(leading, "sdb")
        self.still_right(said)
        self.assertNotIn(str(leading), self.vm.whitelist())


if __name__ == "__main__":
    unittest.main()

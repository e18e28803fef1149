# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything a real qemu-system does with files while it runs, each with the data verified.

Every grant is made just before the operation that needs it, as a management layer would. The whole
list runs twice: with libvirt's style of -blockdev (auto-read-only, all nodes named) and with a
hand-written one.
"""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import chain_operations, images
from lib.case import VmCase, format_node, implicit_chain
from lib.holders import held_files
from lib.qemu import Qemu, blockdev


class DiskOperations(chain_operations.ChainOperations[Qemu], VmCase):
    """Operations on the disk's chain, and those that need a machine."""

    def test_reopen_read_only_and_back(self) -> None:
        extra = self.new_chain("extra")
        self.start_vm()
        self.access.grant_chain(extra.top, lease="device:extra")
        for options in self.nodes(extra, "extra-"):
            self.vm.blockdev_add(options)
        self.reopen(extra, read_only=True)
        self.check_closed_for_writing(extra.top)
        self.reopen(extra, read_only=False)
        self.vm.qemu_io("extra-top", "write -P 0x66 5M 1M")
        extra.contents[5] = 0x66
        self.finish(self.chain.top)
        images.verify(extra.top, extra.contents)

    def test_internal_snapshot_save_and_load(self) -> None:
        self.start_vm()
        which = {"tag": "s1", "vmstate": "top", "devices": ["top"]}
        self.vm.run_job("snapshot-save", which)
        self.vm.write(6, 0x77)  # undone by the load
        self.vm.run_job("snapshot-load", which)
        self.finish(self.chain.top)

    def test_hotplug_of_a_disk_with_its_own_chain(self) -> None:
        extra = self.new_chain("extra")
        self.start_vm("-device", "virtio-scsi-pci,id=scsi")
        self.access.grant_chain(extra.top, lease="device:sdb")
        for options in self.nodes(extra, "extra-"):
            self.vm.blockdev_add(options)
        device = {"driver": "scsi-hd", "id": "sdb", "bus": "scsi.0", "drive": "extra-top"}
        self.vm.qmp.execute("device_add", device)
        self.vm.write_device("sdb", 5, 0x66)
        extra.contents[5] = 0x66
        self.check_descriptors()
        self.unplug("sdb", extra)
        self.access.revoke("device:sdb")
        self.finish(self.chain.top)
        images.verify(extra.top, extra.contents)

    def test_restart_after_a_snapshot(self) -> None:
        self.start_vm()
        overlay = self.image("overlay.qcow2")
        self.access.grant_create(overlay, lease="job:snapshot")
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.write(5, 0x66)
        self.vm.quit()
        self.access.revoke("job:snapshot")
        self.access.revoke("domain")
        # The header that QEMU wrote is a JSON object when the nodes below were named.
        self.access.grant_chain(overlay)
        self.vm.start_disk([implicit_chain(overlay, "top")])
        self.finish(overlay)

    def test_migration_to_another_qemu_on_the_same_disk(self) -> None:
        self.start_vm()
        destination = Qemu(self.access, self.workspace.logs / "destination.log")
        self.addCleanup(destination.destroy)
        destination.start_incoming(self.nodes(self.chain))
        self.vm.migrate_to(destination, self.workspace.private / "migration.sock")
        if self.auto_read_only:  # otherwise QEMU keeps its descriptor, without the image's locks
            self.check_closed_for_writing(self.chain.top)
        self.vm.quit()
        self.vm = destination
        self.finish(self.chain.top)

    def unplug(self, device: str, chain: images.Chain) -> None:
        """Removes the device and its nodes; afterwards QEMU must not hold any of its files."""
        self.vm.qmp.execute("device_del", {"id": device})
        self.vm.qmp.wait_event("DEVICE_DELETED", lambda data: data.get("device") == device)
        for options in reversed(self.nodes(chain, "extra-")):
            self.vm.qmp.execute("blockdev-del", {"node-name": options["node-name"]})
        held = {one.path for one in held_files(self.vm.pid, self.workspace.images)}
        self.assertEqual(held & {str(path) for path in chain.files}, set())

    def reopen(self, chain: images.Chain, *, read_only: bool) -> None:
        """blockdev-reopen of the top of `chain`; without auto-read-only of its file node too."""
        backing = "extra-middle" if self.auto_read_only else self.vm.node_of(chain.middle)
        options = [format_node("extra-top", backing, read_only=read_only)]
        if not self.auto_read_only:
            file = {"driver": "file", "node-name": "extra-top-file", "filename": str(chain.top)}
            options.insert(0 if not read_only else 1, {**file, "read-only": read_only})
        self.vm.qmp.execute("blockdev-reopen", {"options": options})

    def new_chain(self, name: str) -> images.Chain:
        return images.make_chain(self.workspace.images, name)


class BlockDevices(VmCase):
    """A disk that is a device node: QEMU looks at its type before it chooses a driver."""

    def setUp(self) -> None:
        super().setUp()
        if not Path("/dev/loop-control").exists():
            self.skipTest("this kernel has no loop devices")
        self.file = images.make_raw(self.image("device"))
        attached = images.run_tool("/sbin/losetup", "--find", "--show", str(self.file))
        self.device = Path(attached.stdout.strip())
        self.addCleanup(images.run_tool, "/sbin/losetup", "--detach", str(self.device))
        self.addCleanup(self.vm.destroy)

    def test_named_as_a_device(self) -> None:
        self.access.grant_write(self.device)
        node = {"driver": "host_device", "filename": str(self.device), "node-name": "device"}
        self.start_vm(*blockdev(node))
        self.check_writes("device")

    def test_found_out_by_qemu(self) -> None:
        self.access.grant_write(self.device)
        self.start_vm("-drive", f"file={self.device},format=raw,if=none,id=device")
        self.check_writes("device")

    def check_writes(self, node: str) -> None:
        self.vm.qemu_io(node, "write -P 0x66 2M 1M")
        self.vm.qemu_io(node, "flush")
        self.finish(self.chain.top)
        images.verify(self.device, {2: 0x66}, "raw")


class OtherFiles(VmCase):
    """Files that are no disks: media, dumps, logs, guest memory."""

    def test_change_medium(self) -> None:
        first, second = self.medium("a.iso", 0xA1), self.medium("b.iso", 0xB2)
        self.start_vm("-device", "ide-cd,id=cd0")
        for medium in (first, second):
            self.access.grant_read(medium, lease="device:cd0")
            arguments = {"id": "cd0", "filename": str(medium), "format": "raw"}
            self.vm.qmp.execute("blockdev-change-medium", {**arguments, "force": True})
            self.assertIn(str(medium), self.held())
        self.assertNotIn(str(first), self.held())
        self.finish(self.chain.top)

    def test_temporary_overlay_of_a_disk_granted_for_reading(self) -> None:
        master = images.create(self.image("master.qcow2"))
        self.access.grant_read(master)
        self.start_vm("-drive", f"file={master},if=none,id=throwaway,snapshot=on")
        self.vm.qemu_io("throwaway", "write -P 0x66 0 1M")
        self.check_descriptors()
        self.finish(self.chain.top)
        images.verify(master, {})

    def test_screendump(self) -> None:
        self.start_vm("-device", "VGA")
        picture = self.image("screen.ppm")
        self.access.grant_create(picture)
        self.vm.qmp.execute("screendump", {"filename": str(picture)})
        self.assertEqual(picture.read_bytes()[:2], b"P6")
        self.finish(self.chain.top)

    def test_dump_guest_memory(self) -> None:
        self.start_vm("-m", "16")
        dump = self.image("memory.elf")
        self.access.grant_create(dump)
        self.vm.qmp.execute("dump-guest-memory", {"paging": False, "protocol": f"file:{dump}"})
        self.assertEqual(dump.read_bytes()[:4], b"\x7fELF")
        self.assertGreater(dump.stat().st_size, 16 << 20)
        self.finish(self.chain.top)

    def test_pmemsave_twice_to_the_same_file(self) -> None:
        self.start_vm("-m", "16")
        saved = self.image("memory.bin")
        self.access.grant_create(saved)
        for size in (8192, 4096):  # the second one truncates
            self.vm.qmp.execute("pmemsave", {"val": 0, "size": size, "filename": str(saved)})
            self.assertEqual(saved.stat().st_size, size)
        self.finish(self.chain.top)

    def test_character_device_to_a_file(self) -> None:
        log = self.image("firmware.log")
        self.access.grant_create(log)
        port = "isa-debugcon,iobase=0x402,chardev=log"
        self.start_vm("-chardev", f"file,id=log,path={log}", "-device", port)
        self.vm.qmp.execute("cont")
        images.wait_until(lambda: b"SeaBIOS" in log.read_bytes(), "the firmware's log")
        self.vm.qmp.execute("stop")
        self.finish(self.chain.top)

    def test_character_device_added_later_appends(self) -> None:
        log = images.make_raw(self.image("append.log"), size=0)
        log.write_text("kept\n", encoding="ascii")
        self.start_vm()
        self.access.grant_write(log)
        data = {"out": str(log), "append": True}
        backend = {"type": "file", "data": data}
        self.vm.qmp.execute("chardev-add", {"id": "late", "backend": backend})
        self.check_descriptors()
        self.assertIn(str(log), self.held())
        self.vm.qmp.execute("chardev-remove", {"id": "late"})
        self.assertEqual(log.read_text(encoding="ascii"), "kept\n")
        self.finish(self.chain.top)

    def test_character_device_on_two_fifos(self) -> None:
        pipe = self.image("pipe")
        for direction in ("in", "out"):
            fifo = self.image(f"pipe.{direction}")
            os.mkfifo(fifo, 0o600)
            self.access.grant_write(fifo)
        port = "isa-debugcon,iobase=0x402,chardev=pipe"
        self.start_vm("-chardev", f"pipe,id=pipe,path={pipe}", "-device", port)
        self.vm.qmp.execute("cont")
        with open(f"{pipe}.out", "rb") as reader:
            self.assertIn(b"SeaBIOS", reader.read(64))
        self.vm.qmp.execute("stop")
        self.finish(self.chain.top)

    def test_guest_memory_in_an_existing_file(self) -> None:
        memory = images.make_raw(self.image("memory"), size=32 << 20)
        self.access.grant_write(memory)
        self.check_guest_memory(memory)

    def test_guest_memory_in_a_new_file(self) -> None:
        memory = self.image("memory")
        self.access.grant_create(memory)
        self.check_guest_memory(memory)

    def check_guest_memory(self, memory: Path) -> None:
        """What the firmware does in guest memory is in the file afterwards."""
        backend = f"memory-backend-file,id=ram,size=32M,share=on,mem-path={memory}"
        machine = ["-machine", "memory-backend=ram", "-m", "32"]
        self.start_vm("-object", backend, *machine)
        self.vm.qmp.execute("cont")
        images.wait_until(lambda: any(memory.read_bytes()[:1024]), "the firmware's first stores")
        self.vm.qmp.execute("stop")
        self.finish(self.chain.top)

    def test_sockets_and_pid_file_in_the_private_directory(self) -> None:
        private = self.workspace.private
        socket, pid_file = private / "monitor.sock", private / "qemu.pid"
        self.start_vm("-qmp", f"unix:{socket},server=on,wait=off", "-pidfile", str(pid_file))
        self.assertTrue(socket.is_socket())
        self.assertEqual(int(pid_file.read_text(encoding="ascii")), self.vm.pid)
        self.finish(self.chain.top)
        self.assertFalse(socket.exists() or pid_file.exists(), "QEMU removes both at its end")

    def medium(self, name: str, byte: int) -> Path:
        path = images.make_raw(self.image(name))
        images.fill(path, {0: byte}, "raw")
        return path

    def held(self) -> list[str]:
        return [one.path for one in held_files(self.vm.pid, self.workspace.images)]


class DiskOperationsByHand(DiskOperations):
    """The same with implicit backing nodes and auto-read-only off."""

    auto_read_only = False


class OtherFilesByHand(OtherFiles):
    """The same with implicit backing nodes and auto-read-only off."""

    auto_read_only = False


if __name__ == "__main__":
    unittest.main()

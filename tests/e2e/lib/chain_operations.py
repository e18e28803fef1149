# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations on a disk's chain that every program with QEMU's block layer knows.

Every grant is made just before the operation that needs it, as a management layer would.
"""

from pathlib import Path

from lib import images
from lib.case import ChainCase, Vm
from lib.holders import held_files


class ChainOperations(ChainCase[Vm]):
    """Inherited by the test classes of each program."""

    def test_start_on_a_three_deep_chain(self) -> None:
        self.start_vm()
        self.finish(self.chain.top)

    def test_external_snapshot(self) -> None:
        self.start_vm()
        overlay = self.image("overlay.qcow2")
        self.access.grant_create(overlay)
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.check_closed_for_writing(self.chain.top)
        self.finish(overlay)

    def test_external_snapshot_on_a_prepared_image(self) -> None:
        self.start_vm()
        overlay = self.new_image("overlay.qcow2")
        for options in self.overlay_nodes(overlay, "new"):
            self.vm.blockdev_add(options)
        self.vm.qmp.execute("blockdev-snapshot", {"node": "top", "overlay": "new"})
        self.check_closed_for_writing(self.chain.top)
        self.write(4, 0x55)
        self.check_descriptors()
        self.vm.quit()
        images.rewrite_backing(overlay, str(self.chain.top), "qcow2")
        images.verify(overlay, self.chain.contents)

    def test_active_commit(self) -> None:
        self.start_vm()
        self.access.grant_write(self.chain.middle, lease="job:commit")
        self.vm.run_job("block-commit", {"device": "top", "base-node": self.node("middle")})
        self.finish(self.chain.middle)

    def test_intermediate_commit(self) -> None:
        self.start_vm()
        self.access.grant_write(self.chain.base, lease="job:commit")
        layers = {"top-node": self.node("middle"), "base-node": self.node("base")}
        self.vm.run_job("block-commit", {"device": "top", **layers})
        self.check_closed_for_writing(self.chain.base)
        self.access.revoke("job:commit")
        self.finish(self.chain.top)

    def test_stream(self) -> None:
        self.start_vm()
        self.vm.run_job("block-stream", {"device": "top"})
        self.finish(self.chain.top)
        self.assertIsNone(images.backing_of(self.chain.top))

    def test_stream_above_a_base(self) -> None:
        self.start_vm()
        self.vm.run_job("block-stream", {"device": "top", "base-node": self.node("base")})
        self.finish(self.chain.top)

    def test_drive_mirror_and_pivot(self) -> None:
        self.start_vm()
        target = self.image("mirror.qcow2")
        self.access.grant_create(target, lease="job:mirror")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.run_job("drive-mirror", arguments)
        self.finish(target)

    def test_blockdev_mirror_and_pivot(self) -> None:
        self.start_vm()
        target = self.new_image("mirror.qcow2")
        for options in self.overlay_nodes(target, "new"):
            self.vm.blockdev_add(options)
        self.vm.run_job("blockdev-mirror", {"device": "top", "target": "new", "sync": "full"})
        self.finish(target)

    def test_drive_backup(self) -> None:
        self.start_vm()
        before = dict(self.chain.contents)
        target = self.image("backup.qcow2")
        self.access.grant_create(target, lease="job:backup")
        arguments = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.run_job("drive-backup", arguments)
        self.finish(self.chain.top)
        images.verify(target, before)

    def test_blockdev_backup(self) -> None:
        self.start_vm()
        before = dict(self.chain.contents)
        target = self.new_image("backup.qcow2")
        for options in self.overlay_nodes(target, "new"):
            self.vm.blockdev_add(options)
        self.vm.run_job("blockdev-backup", {"device": "top", "target": "new", "sync": "full"})
        self.finish(self.chain.top)
        images.verify(target, before)

    def node(self, layer: str) -> str:
        """Node name of a layer, which QEMU made up when nobody named it."""
        return layer if self.auto_read_only else self.vm.node_of(getattr(self.chain, layer))

    def new_image(self, name: str) -> Path:
        """An empty image, created by QEMU itself under a create grant."""
        path = self.image(name)
        self.access.grant_create(path)
        self.vm.create_qcow2(path, images.SIZE)
        return path

    def check_closed_for_writing(self, path: Path) -> None:
        """QEMU has given up its writable descriptor (it keeps it when the new open is refused)."""
        writable = [one for one in held_files(self.vm.pid, path.parent) if one.writable]
        self.assertNotIn(str(path), [one.path for one in writable])

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The base of every end-to-end test: a workspace, an access, and the checks made after each."""

import os
import unittest
from pathlib import Path
from typing import Generic, TypeVar

from lib import images
from lib.access import Access, make_access
from lib.images import Chain
from lib.qemu import BlockProcess, Options, Qemu
from lib.workspace import Workspace

Vm = TypeVar("Vm", bound=BlockProcess)


class EndToEndCase(unittest.TestCase):
    """One workspace and one way of opening files for each test."""

    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.fail("this test needs root: it owns images that QEMU's user may not open")
        self.workspace = self.new_workspace()
        self.addCleanup(self.workspace.remove)
        self.access = self.new_access()
        self.addCleanup(self.access.stop)
        self.access.start()

    def new_workspace(self) -> Workspace:
        return Workspace()

    def new_access(self) -> Access:
        return make_access(self.workspace)

    def image(self, name: str) -> Path:
        return self.workspace.images / name


class ChainCase(EndToEndCase, Generic[Vm]):
    """A program whose disk is a granted chain three deep."""

    # Style of -blockdev: libvirt names every node and sets auto-read-only; a person at a shell
    # names the top and lets QEMU find the rest in the headers.
    auto_read_only = True

    def setUp(self) -> None:
        super().setUp()
        self.chain = images.make_chain(self.workspace.images)
        self.vm = self.new_vm()
        self.addCleanup(self.vm.destroy)

    def new_vm(self) -> Vm:
        raise NotImplementedError

    def start_vm(self, *extra: str) -> None:
        """Grants the chain, starts on it and writes slot 3."""
        self.access.grant_chain(self.chain.top)
        self.vm.start_disk(self.nodes(self.chain), *extra)
        self.write(3, 0x44)

    def nodes(self, chain: Chain, prefix: str = "") -> list[Options]:
        """Block nodes for a chain, bottom first; the top one is called `prefix`top."""
        if not self.auto_read_only:
            return [implicit_chain(chain.top, f"{prefix}top")]
        layers = [("base", chain.base), ("middle", chain.middle), ("top", chain.top)]
        nodes: list[Options] = []
        backing = None
        for name, path in layers:
            nodes += [storage_node(path, f"{prefix}{name}-file"),
                      format_node(f"{prefix}{name}", backing, read_only=name != "top")]
            backing = f"{prefix}{name}"
        return nodes

    def overlay_nodes(self, path: Path, name: str) -> list[Options]:
        """Nodes for a fresh image that is not attached to its backing file yet."""
        storage = storage_node(path, f"{name}-file")
        storage["auto-read-only"] = self.auto_read_only
        return [storage, format_node(name, None, read_only=False)]

    def write(self, slot: int, byte: int) -> None:
        """The VM writes to its disk; the chain's expected contents follow."""
        self.vm.write(slot, byte)
        self.chain.contents[slot] = byte

    def check_descriptors(self) -> None:
        """QEMU holds only what was granted, and the broker kept nothing."""
        self.assertEqual(self.access.complaints(self.vm.pid), [])

    def finish(self, disk: Path) -> None:
        """One more write, then: descriptors, orderly end, every byte of `disk`."""
        self.write(4, 0x55)
        self.check_descriptors()
        self.vm.quit()
        images.verify(disk, self.chain.contents)


class VmCase(ChainCase[Qemu]):
    """The program is qemu-system."""

    def new_vm(self) -> Qemu:
        return Qemu(self.access, self.workspace.logs / "qemu.log")


def implicit_chain(top: Path, name: str) -> Options:
    """Only the top is described; QEMU reads the headers and opens the rest."""
    file: Options = {"driver": "file", "node-name": f"{name}-file", "filename": str(top)}
    file["auto-read-only"] = False
    return {"driver": "qcow2", "node-name": name, "auto-read-only": False, "file": file}


def storage_node(path: Path, name: str) -> Options:
    """libvirt's storage node: opened for reading, reopened when somebody wants to write."""
    options = {"driver": "file", "node-name": name, "filename": str(path)}
    return {**options, "auto-read-only": True, "discard": "unmap"}


def format_node(name: str, backing: object, read_only: bool) -> Options:
    options = {"driver": "qcow2", "node-name": name, "file": f"{name}-file"}
    return {**options, "read-only": read_only, "backing": backing}

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Four jobs at a time on two chains, with the broker killed at random moments; with
--mode=seccomp the notifier too.

Each round has a seed of its own; a failure names it. OPENHOOK_STORM_ROUNDS sets how many there are
(20 unless told; ./run long: 200), OPENHOOK_STORM_SEED the first.
"""

import os
import random
import shutil
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Callable, Optional, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images, settings
from lib.access import Brokered
from lib.broker import Broker, BrokerError, RefusedError
from lib.case import EndToEndCase, format_node, storage_node
from lib.notifiers import Helpers
from lib.qemu import Options, Qemu, blockdev
from lib.qmp import QmpError

T = TypeVar("T")

ROUNDS = int(os.environ.get("OPENHOOK_STORM_ROUNDS", "20"))
FIRST_SEED = int(os.environ.get("OPENHOOK_STORM_SEED", "1"))
DEPTH = 8
SPEED = 2 << 20  # bytes a second: slow enough for a broker to die in the middle


class Disk:
    """A chain eight deep; layer 0 is the active image. Slot i was written through layer i."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.files: list[Path] = []
        self.contents: images.Contents = {}
        for layer in reversed(range(DEPTH)):
            path = directory / f"{name}{layer}.qcow2"
            if not self.files:
                images.create(path)
            else:
                images.overlay(path, self.files[0])
            self.files.insert(0, path)
            images.fill(path, {layer: 0x10 + layer})
            self.contents[layer] = 0x10 + layer

    def node(self, layer: int) -> str:
        return f"{self.name}{layer}"

    def nodes(self) -> list[Options]:
        """Bottom first, all named, libvirt's style."""
        found: list[Options] = []
        for layer in reversed(range(DEPTH)):
            backing = self.node(layer + 1) if layer + 1 < DEPTH else None
            found += [storage_node(self.files[layer], f"{self.node(layer)}-file"),
                      format_node(self.node(layer), backing, read_only=layer != 0)]
        return found


class Operation:
    """One job of QEMU with its job of the broker."""

    def __init__(self, disk: Disk, kind: str, top: int, base: int, seed: int) -> None:
        self.disk, self.kind, self.top, self.base = disk, kind, top, base
        self.id = f"{disk.name}-{kind}-{top}-{seed}"
        # What leaves the chain when it succeeds.
        self.leaving = range(top, base) if kind == "commit" else range(top + 1, base)

    def begin_words(self) -> list[str]:
        top, base = self.disk.files[self.top], self.disk.files[self.base]
        return [self.disk.name, "--id", self.id, "--top", str(top), "--base", str(base)]

    def start(self, vm: Qemu) -> None:
        if self.kind == "commit":
            where = {"device": self.disk.node(0), "top-node": self.disk.node(self.top)}
        else:
            where = {"device": self.disk.node(self.top)}
        where["base-node"] = self.disk.node(self.base)
        vm.start_job(f"block-{self.kind}", {**where, "speed": SPEED}, self.id)


class Killer(threading.Thread):
    """Kills the broker and starts it again, at moments that the seed decides, until told to end.
    Where there is a notifier, it is killed in a third of the cases instead; its keeper starts it."""

    def __init__(self, broker: Broker, random_: random.Random) -> None:
        super().__init__()
        self.deaths = self.notifier_deaths = 0
        self.failure: Optional[BrokerError] = None
        self._broker, self._random = broker, random_
        self._helpers = Helpers(broker.open_socket) if settings.SHIM == "seccomp" else None
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._random.uniform(0.02, 0.25)):
            if self._helpers and self._random.random() < 1 / 3:
                self.notifier_deaths += self._helpers.kill_notifier()
                continue
            self._broker.kill()
            time.sleep(self._random.uniform(0, 0.1))
            try:
                self._broker.start()
            except BrokerError as error:
                self.failure = error
                return
            self.deaths += 1

    def end(self) -> None:
        self._over.set()
        self.join()


class Storm(EndToEndCase):
    """Rounds of four jobs."""

    def test_commits_and_streams_while_the_broker_dies(self) -> None:
        deaths = notifier_deaths = 0
        for seed in range(FIRST_SEED, FIRST_SEED + ROUNDS):
            try:
                killer = self.round(random.Random(seed), seed)
            except Exception as error:
                error.add_note(f"seed {seed}")
                raise
            deaths += killer.deaths
            notifier_deaths += killer.notifier_deaths
        print(f"seeds {FIRST_SEED} to {FIRST_SEED + ROUNDS - 1}: the broker died {deaths} times, "
              f"the notifier {notifier_deaths} times")
        self.assertGreater(deaths, ROUNDS / 2, "the broker was hardly ever killed")
        if settings.SHIM == "seccomp":
            self.assertGreater(notifier_deaths, ROUNDS / 4, "the notifier was hardly ever killed")

    @property
    def broker(self) -> Broker:
        assert isinstance(self.access, Brokered), "jobs need a broker"
        return self.access.broker

    def round(self, dice: random.Random, seed: int) -> Killer:
        """Returns the killer, who knows how often."""
        directory = self.workspace.images / f"round-{seed}"
        directory.mkdir(mode=0o700)
        disks = [Disk(directory, "a"), Disk(directory, "b")]
        for disk in disks:
            options = ["--chain", "--format", "qcow2", "--write", "--disk", disk.name]
            self.broker.grant(disk.files[0], *options, lease=f"device:{disk.name}")
        vm = Qemu(self.access, self.workspace.logs / f"qemu-{seed}.log")
        try:
            vm.start(["-S", *self.arguments(disks)])
            operations = [one for disk in disks for one in self.operations(disk, dice, seed)]
            dice.shuffle(operations)
            killer = Killer(self.broker, dice)
            killer.start()
            try:
                succeeded = self.run_all(vm, operations, dice)
            finally:
                killer.end()
            self.assertIsNone(killer.failure)
            self.check_whitelist(disks, succeeded)
            vm.quit()
        finally:
            vm.destroy()
        for disk in disks:
            images.verify(disk.files[0], disk.contents)
            self.broker.control("revoke", "--lease", f"device:{disk.name}")
        shutil.rmtree(directory)
        return killer

    def arguments(self, disks: list[Disk]) -> list[str]:
        words: list[str] = []
        for disk in disks:
            for node in disk.nodes():
                words += blockdev(node)
            words += ["-device", f"virtio-blk-pci,drive={disk.node(0)}"]
        return words

    def operations(self, disk: Disk, dice: random.Random, seed: int) -> list[Operation]:
        """One in the upper half and one in the lower. QEMU runs one commit a disk at a time."""
        kinds = dice.choice([("stream", "commit"), ("commit", "stream"), ("stream", "stream")])
        upper = Operation(disk, kinds[0], 1, 3, seed)
        return [upper, Operation(disk, kinds[1], 5, dice.choice([6, 7]), seed)]

    def run_all(self, vm: Qemu, operations: list[Operation],
                dice: random.Random) -> list[Operation]:
        for one in operations:
            self.until_answered(lambda one=one: self.broker.begin(one.kind, *one.begin_words()))
            one.start(vm)
        succeeded = []
        for one in operations:
            if dice.random() < 0.25:
                cancelled = self.cancel(vm, one)
            else:
                vm.finish_job(one.id)
                cancelled = False
            if not cancelled:
                succeeded.append(one)
            outcome = "aborted" if cancelled else "completed"
            self.until_answered(lambda: self.broker.end(one.id, outcome))
        return succeeded

    def cancel(self, vm: Qemu, one: Operation) -> bool:
        """Cancels a job that may be over already; tells whether it was in time."""
        running = [job["id"] for job in vm.qmp.execute("query-jobs")]
        if one.id not in running:
            vm.finish_job(one.id)
            return False
        try:
            vm.qmp.execute("block-job-cancel", {"device": one.id, "force": True})
        except QmpError:  # it ended just now
            vm.finish_job(one.id)
            return False
        event = vm.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: data["id"] == one.id
                                  and data["status"] in ("aborting", "concluded", "null"))
        cancelled = event["status"] == "aborting"
        if event["status"] != "null":
            vm.qmp.wait_event("JOB_STATUS_CHANGE", lambda data: data["id"] == one.id
                              and data["status"] == "null")
        return cancelled

    def until_answered(self, ask: Callable[[], T]) -> T:
        """Asks again while there is no broker: repeating a request of a job does no harm."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return ask()
            except RefusedError as error:
                gone = ("no broker", "has ended", "closed the connection", "cannot send")
                if not any(word in str(error) for word in gone) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def check_whitelist(self, disks: list[Disk], succeeded: list[Operation]) -> None:
        """Each access is exactly what the disks consist of now."""
        expected = {}
        for disk in disks:
            gone = {layer for one in succeeded if one.disk is disk for layer in one.leaving}
            left = [layer for layer in range(DEPTH) if layer not in gone]
            for layer in left:
                expected[str(disk.files[layer])] = "read-write" if layer == 0 else "read"
            self.assertEqual(self.broker.chain(disk.name),
                             [str(disk.files[layer]) for layer in left])
        live = {one.path: one.access for one in self.broker.grants() if not one.ended}
        self.assertEqual(live, expected)
        self.assertEqual(self.broker.control("job", "list")["jobs"], [])


if __name__ == "__main__":
    unittest.main()

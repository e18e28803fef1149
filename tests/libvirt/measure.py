# SPDX-License-Identifier: LGPL-2.1-or-later
"""What openhook costs libvirt: start, attach, snapshot, commit, each on an adopted machine and on one
that is not, in turns. Not a test: prints in milliseconds the medians, and the least of each, which
other work on the machine disturbs less.
"""

import statistics
import sys
import time
from typing import Callable

import images
from domain import Domain
from host import Host
from libvirt import Libvirt


def timed(operation: Callable[[], object]) -> float:
    begun = time.monotonic()
    operation()
    return (time.monotonic() - begun) * 1000


def one_life(vm: Domain, number: int, times: dict[str, list[float]]) -> None:
    data = images.create(vm.directory / f"data{number}.qcow2")
    times.setdefault("start", []).append(timed(lambda: vm.virsh("start")))
    times.setdefault("attach", []).append(timed(lambda: vm.attach(data, "sdb")))
    times.setdefault("snapshot", []).append(timed(lambda: vm.virsh(
        "snapshot-create-as", "--no-metadata", "--disk-only", f"s{number}", "--diskspec",
        "sdb,snapshot=no")))
    times.setdefault("commit", []).append(timed(lambda: vm.virsh(
        "blockcommit", "vda", "--active", "--pivot", "--wait", "--shallow")))
    times.setdefault("destroy", []).append(timed(lambda: vm.virsh("destroy")))


def main(rounds: int) -> None:
    host = Host()
    try:
        host.start()
        libvirt = Libvirt(host)
        libvirt.install_hook()
        libvirt.start()
        adopted, stock = Domain(host, libvirt, "vm1"), Domain(host, libvirt, "vm2")
        adopted.define()
        stock.define(adopted=False)
        with_openhook: dict[str, list[float]] = {}
        without: dict[str, list[float]] = {}
        for number in range(rounds):
            one_life(adopted, number, with_openhook)
            one_life(stock, number, without)
        for word, one_of in (("median", statistics.median), ("least", min)):
            print(f"{word:10}{'with':>8}{'without':>9}{'more':>7}")
            for name, times in with_openhook.items():
                mine, other = one_of(times), one_of(without[name])
                print(f"{name:10}{mine:8.0f}{other:9.0f}{mine - other:7.0f}")
    finally:
        host.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)

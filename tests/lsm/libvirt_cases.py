# SPDX-License-Identifier: LGPL-2.1-or-later
"""What administrators and backup tools do to a running VM. Each case is a function on a Machine that
is defined and not started; it raises Broken with what does not hold."""

import socket
import threading

import libvirtd
from machine import MACVTAP, SLOW, Machine, make_chain

CASES = {}


def case(name, **machine):
    """Registers a case; `machine` makes its Machine's arguments from the VM's name."""
    def register(function):
        CASES[name] = (function, machine)
        return function
    return register


def make_machine(name, vm_name):
    return Machine(vm_name, **{key: make(vm_name) for key, make in CASES[name][1].items()})


def two_disks(name):
    return {"vda": make_chain(f"{name}-a", ("base", "top")), "vdb": make_chain(f"{name}-b", ("base", "top"))}


@case("a2")
def commits_into_an_image_that_was_a_backing_file_at_the_start(vm):
    base, middle, top = vm.disks["vda"]
    vm.start()
    vm.commit("vda", middle, base, "--bandwidth", SLOW, "--bytes")
    vm.expect_allowed(base, "rwk")
    vm.hurry("vda")
    vm.expect_chain("vda", top, base)
    vm.expect_settled()
    vm.commit_active("vda", base)
    vm.expect_chain("vda", base)
    vm.expect_settled()


@case("a4")
def commits_a_snapshot_after_an_unrelated_disk_came_and_went(vm):
    base, middle, top = vm.disks["vda"]
    vm.start()
    vm.snapshot("s2")
    vm.attach_and_detach("unrelated")
    vm.commit_active("vda", top)
    vm.expect_chain("vda", top, middle, base)
    vm.expect_settled()


@case("b")
def commits_into_one_base_again_and_again(vm):
    base, middle, top = vm.disks["vda"]
    vm.start()
    first, second = vm.snapshot("s5"), vm.snapshot("s6")
    vm.commit("vda", first, top, "--wait")
    vm.expect_chain("vda", second, top, middle, base)
    third = vm.snapshot("s7")
    vm.commit("vda", second, top, "--wait")
    vm.expect_chain("vda", third, top, middle, base)
    vm.expect_settled()


@case("c5")
def keeps_the_target_of_a_copy_while_another_disk_goes(vm):
    base, middle, top = vm.disks["vda"]
    vm.start()
    copy = vm.image("copy")
    vm.virsh("blockcopy", "vda", copy, "--transient-job")
    vm.await_ready("vda")
    vm.attach_and_detach("other")
    vm.expect_allowed(copy, "rwk")
    vm.virsh("blockjob", "vda", "--pivot")
    vm.expect_chain("vda", copy)
    vm.expect_settled()
    overlay = vm.snapshot("after")
    vm.expect_chain("vda", overlay, copy)
    vm.expect_allowed(overlay, "rwk")


@case("c6", disks=two_disks, more=lambda _: MACVTAP)
def ends_two_commits_one_after_the_other_with_checkpoints(vm):
    (a_base, a_top), (b_base, b_top) = vm.disks.values()
    vm.start("--paused")
    vm.virsh("checkpoint-create-as", "cp1")
    a_first, b_first = vm.snapshot("s1", "vda", "vdb")
    vm.write("vda")
    a_active, b_active = vm.snapshot("s2", "vda", "vdb")
    vm.commit("vda", a_first, a_top, "--bandwidth", SLOW, "--bytes")
    vm.commit("vdb", b_first, b_top, "--wait")
    vm.expect_chain("vdb", b_active, b_top, b_base)
    vm.expect_allowed(a_top, "rwk")
    vm.hurry("vda")
    vm.expect_chain("vda", a_active, a_top, a_base)
    vm.expect_tap()
    vm.expect_settled()


@case("c8", disks=two_disks)
def may_write_to_its_disk_that_became_active_while_another_job_ended(vm):
    (_, a_top), (_, b_top) = vm.disks.values()
    vm.start()
    vm.snapshot("s1", "vda")
    b_first, _ = vm.snapshot("t1", "vdb"), vm.snapshot("t2", "vdb")
    vm.virsh("blockcommit", "vda", "--active", "--shallow", "--base", a_top)
    vm.await_ready("vda")
    vm.commit("vdb", b_first, b_top, "--wait")
    vm.virsh("blockjob", "vda", "--pivot")
    vm.expect_allowed(a_top, "rwk")
    fail_a_migration(vm)
    vm.virsh("resume")
    vm.snapshot("s2", "vda")
    vm.commit_active("vda", a_top)
    vm.expect_settled()


def fail_a_migration(vm):
    """To a host that takes the state and never runs it: QEMU gives up its images, and has to get
    them back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = threading.Thread(target=swallow, args=(server,))
        sink.start()
        vm.monitor("migrate", uri=f"tcp:127.0.0.1:{server.getsockname()[1]}")
        libvirtd.until(lambda: vm.monitor("query-status")["return"]["status"] == "postmigrate",
                       libvirtd.PATIENCE, "QEMU has sent its state")
        sink.join()


def swallow(server):
    connection, _ = server.accept()
    with connection:
        while connection.recv(1 << 20):
            pass


@case("d", more=lambda _: MACVTAP)
def keeps_its_macvtap_device_when_a_disk_goes_before_the_first_packet(vm):
    vm.start("--paused")
    vm.attach_and_detach("other")
    vm.expect_tap()
    vm.virsh("resume")
    vm.expect_settled()


@case("p")
def starts_again_after_a_snapshot_on_a_chain_of_three(vm):
    base, middle, top = vm.disks["vda"]
    vm.start()
    overlay = vm.snapshot("s4")
    vm.virsh("destroy")
    vm.start()
    vm.expect_chain("vda", overlay, top, middle, base)
    vm.expect_settled()


@case("f")
def loses_the_images_that_left_its_chains(vm):
    base, middle, top = vm.disks["vda"]
    vm.start()
    overlay = vm.snapshot("s2")
    vm.commit_active("vda", top)
    vm.expect_allowed(overlay, "")
    copy = vm.image("copy")
    vm.virsh("blockcopy", "vda", copy, "--transient-job", "--wait", "--pivot")
    vm.expect_chain("vda", copy)
    vm.expect_settled()

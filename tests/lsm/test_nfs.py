# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NFS server that goes away: its files are answered for at the deadline, all others at once.

Runs in a guest of the kernel lab, as root, with what nfs_server.py needs.
"""

import errno
import os
import pathlib
import select
import subprocess
import sys
import time
import unittest

import nfs_server
from nfs_server import CachedNfsServer3, NfsServer, NfsServer3
from silent import EVENTUALLY, SilentCase, build_dir, wait_until
from client import DENIED, FAILED, OK  # found where silent.py says


def setUpModule():
    nfs_server.set_up()


class NfsCase(SilentCase):
    file_system = NfsServer
    # Many times what other requests take in an emulated guest.
    io_deadline = 10

    def setUp(self):
        super().setUp()
        # Everything has been used once, so nothing that follows waits for a first time.
        self.open_works(self.remote)
        self.everything_else_works()

    def is_unanswered(self, client):
        return not select.select([client.socket], [], [], 0)[0]

    def expect_deadline(self, client):
        reply = client.receive_reply()
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.ETIMEDOUT))
        self.assertIsNone(reply["fd"])

    def hang(self):
        """A request for the file that a worker has begun."""
        client = self.ask_for(self.remote)
        wait_until(lambda: self.status()["busy"] == 1, "a busy worker")
        return client

    def opens_once_more(self):
        """The server is back: no broken request is in the way of the next."""
        wait_until(lambda: self.status()["stuck"] == 0, "no stuck worker")
        self.open_works(self.remote)
        self.no_zombies()

    def time_of_a_local_open(self):
        client = self.client()
        begin = time.monotonic()
        for _ in range(50):
            reply = client.open(self.local, 3)
            self.assertEqual(reply["outcome"], OK)
            os.close(reply["fd"])
        return (time.monotonic() - begin) / 50

    def check_silence(self, break_down):
        """Several requests wait for a server that is gone, and hold up nothing but themselves."""
        second = self.fs.write("second.img")
        self.grant(second)
        before = self.time_of_a_local_open()
        break_down()
        begin = time.monotonic()
        clients = [self.ask_for(path) for path in (self.remote, second, self.remote, self.remote)]
        wait_until(lambda: self.status()["waiting"] == 2, "two at work and two that wait")
        during = self.time_of_a_local_open()
        self.everything_else_works()
        self.assertTrue(all(map(self.is_unanswered, clients)), "answered before its deadline")
        for client in clients:
            self.expect_deadline(client)
        waited = time.monotonic() - begin
        print(f"NFS {self.fs.version}: a local open {before * 1000:.2f} ms before, {during * 1000:.2f} ms "
              f"while 4 requests hang; these end after {waited:.1f} s")
        self.assertLess(during, 10 * before)
        reason = self.last_event(self.remote)["reason"]
        for word in ("no answer within", str(self.fs.where), "nfs", "--io-deadline"):
            self.assertIn(word, reason)
        self.fs.go_on()
        self.opens_once_more()
        self.open_works(second, clients[0])


class ServerThatIsGone(NfsCase):
    def test_stalls_requests_for_its_files_until_the_deadline_and_nothing_else(self):
        self.check_silence(self.fs.stop)

    def test_that_cannot_be_reached_does_the_same(self):
        self.check_silence(self.fs.cut_off)

    def test_does_not_keep_the_broker_from_ending_and_starting_again(self):
        granted = self.ctl("list")["grants"]
        self.fs.stop()
        hanging = self.hang()
        begin = time.monotonic()
        self.broker.process.terminate()
        self.assertEqual(self.broker.process.wait(timeout=EVENTUALLY), 0, self.broker.log())
        self.broker.start()
        self.assertLess(time.monotonic() - begin, self.io_deadline - 1)
        hanging.close()
        self.assertEqual(self.ctl("list")["grants"], granted)
        hanging = self.ask_for(self.remote)
        self.everything_else_works()
        self.expect_deadline(hanging)
        self.fs.go_on()
        self.opens_once_more()

    def test_does_not_keep_a_grant_from_being_revoked(self):
        held = self.client().open(self.remote, 3)["fd"]
        self.fs.stop()
        hanging = self.hang()
        begin = time.monotonic()
        reply = self.control.call(revoke={"paths": [self.remote]})
        self.assertEqual((reply["outcome"], len(reply["change"]["still_held"])), (OK, 1))
        self.assertEqual(self.client().open(self.remote, 3)["outcome"], DENIED)
        self.assertLess(time.monotonic() - begin, self.io_deadline - 1)
        # Given up at the deadline, then decided anew: there is no grant any more.
        self.assertTrue(self.is_unanswered(hanging))
        self.assertEqual(hanging.receive_reply()["outcome"], DENIED)
        self.fs.go_on()
        os.close(held)
        self.assertEqual(self.client().open(self.remote, 3)["outcome"], DENIED)
        self.grant(self.remote)
        self.opens_once_more()

    def test_holds_up_the_reading_of_headers_but_not_the_start_that_begins_it(self):
        base, top = self.fs.backing / "base.img", self.broker.files / "top.img"
        seen = self.fs.where / "base.img"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "8M"], check=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", seen, "-F", "qcow2", top],
                       check=True)
        self.ctl("grant", str(top), "--chain", "--format", "qcow2", "--write", "--disk", "vda")
        recorded = self.ctl("chain", "list")["chains"]
        self.assertEqual(len(recorded[0]["images"]), 2)
        self.broker.kill()
        self.fs.stop()
        begin = time.monotonic()
        self.broker.start()
        self.everything_else_works()
        self.assertLess(time.monotonic() - begin, self.io_deadline - 1)
        wait_until(lambda: self.last_event()["operation"] == "check-headers", "the end of the reading")
        for words in ("could not be compared", f"mounted on '{self.fs.where}'"):
            self.assertIn(words, self.last_event()["reason"])
        self.assertEqual(self.ctl("chain", "list")["chains"], recorded)
        self.fs.go_on()
        self.opens_once_more()
        self.open_works(str(top))

    def test_makes_a_grant_of_its_files_fail_at_the_deadline(self):
        new = self.fs.write("new.img")
        self.fs.stop()
        control = self.controller()
        control.send_request(grant={"lease": "test", "grants": [{"path": new, "access": 2}]})
        self.everything_else_works()
        reply = control.receive_reply()
        self.assertEqual(reply["outcome"], FAILED)
        self.assertIn("no answer within", reply["reason"])
        self.fs.go_on()
        self.grant(new)
        self.open_works(new)

    def test_makes_a_real_qemu_fail_and_work_again_later(self):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.fs.backing / "disk.img", "8M"],
                       check=True)
        disk = str(self.fs.where / "disk.img")
        self.grant(disk)
        self.assertEqual(self.qemu_io(disk, "write -P 7 0 64k").returncode, 0)
        self.fs.stop()
        done = self.qemu_io(disk, "read 0 64k")
        self.assertIn(os.strerror(errno.ETIMEDOUT), done.stderr + done.stdout)
        self.assertNotEqual(done.returncode, 0)
        self.fs.go_on()
        done = self.qemu_io(disk, "read -P 7 0 64k")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("read 65536/65536", done.stdout)

    def qemu_io(self, disk, command):
        argv = [build_dir() / "bin/openhook-qemu", "--vm", self.broker.vm, "--run-dir",
                self.broker.run_dir, "--", "qemu-io", "-c", command, disk]
        return subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                              timeout=4 * EVENTUALLY, check=False)


class Nfs3ServerThatIsGone(NfsCase):
    file_system = NfsServer3

    def test_stalls_requests_for_its_files_until_the_deadline_and_nothing_else(self):
        self.check_silence(self.fs.stop)

    def test_that_cannot_be_reached_does_the_same(self):
        self.check_silence(self.fs.cut_off)


class UnwrittenData(NfsCase):
    """The VM's data is on its way to a server that is gone: whoever asks for the attributes of its
    file then waits for that in the kernel, where even SIGKILL does not end it."""

    file_system = CachedNfsServer3
    vm_script = pathlib.Path(__file__).with_name("vm_process.py")

    def write_in_a_process(self, text):
        argv = [sys.executable, "-B", str(self.vm_script), self.broker.open_socket, self.remote, text]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(self.fs.go_on)
        self.assertEqual(process.stdout.readline(), "written\n", self.broker.log())

    def test_keeps_two_workers_and_no_more_and_the_broker_ends_and_starts_without_them(self):
        self.write_in_a_process("new content")
        self.fs.stop()
        for client in [self.ask_for(self.remote), self.ask_for(self.remote)]:
            self.expect_deadline(client)
        wait_until(lambda: self.status()["stuck"] == 2, "stuck workers")
        begin = time.monotonic()
        reply = self.client().open(self.remote, 3)
        self.assertLess(time.monotonic() - begin, self.io_deadline - 1)
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.EIO))
        self.assertIn("hang in the kernel", self.last_event(self.remote)["reason"])
        self.everything_else_works()
        begin = time.monotonic()
        self.broker.process.terminate()
        self.assertEqual(self.broker.process.wait(timeout=EVENTUALLY), 0, self.broker.log())
        self.broker.start()
        self.assertLess(time.monotonic() - begin, self.io_deadline - 1)
        self.fs.go_on()
        self.opens_once_more()
        wait_until(lambda: (self.fs.backing / "remote.img").read_bytes() == b"new content",
                   "the VM's data")


if __name__ == "__main__":
    unittest.main()

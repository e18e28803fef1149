# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file whose file system does not answer stalls its own request until the deadline, and nothing
else."""

import errno
import os
import pathlib
import signal
import time
import unittest

from silent import IO_DEADLINE, PROMPT, SilentCase, SilentFs, wait_until
from client import DENIED, FAILED, OK  # found where silent.py says


class SilentFileSystem(SilentCase):
    def expect_deadline(self, client):
        reply = client.receive_reply()
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.ETIMEDOUT))
        self.assertIsNone(reply["fd"])

    def test_a_file_on_fuse_is_opened_and_the_broker_holds_nothing_of_it(self):
        reply = self.client().open(self.remote, 3)
        self.assertEqual(reply["outcome"], OK, self.last_event())
        with os.fdopen(reply["fd"], "r+b") as file:
            self.assertEqual(file.read(), b"content")
        wait_until(lambda: self.status()["busy"] == 0, "idle workers")
        self.assertEqual(self.holders(), [])

    def test_broker_and_workers_keep_few_rights(self):
        self.open_works(self.remote)
        self.assertNotEqual(self.workers(), [])
        for pid in [self.broker.process.pid, *self.workers()]:
            status = dict(line.split(":\t") for line in
                          pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            # dac_override, dac_read_search, fowner, sys_ptrace
            self.assertEqual(int(status["CapEff"], 16), 1 << 1 | 1 << 2 | 1 << 3 | 1 << 19)
            self.assertEqual(int(status["CapBnd"], 16), 0)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]),
                             ("1", "2", "1"))

    def test_an_open_ends_at_the_deadline_and_stalls_nothing_else(self):
        self.fs.silence("open")
        client = self.ask_for(self.remote)
        self.everything_else_works()
        self.expect_deadline(client)
        event = self.last_event(self.remote)
        self.assertEqual(event["verdict"], "fail")
        for word in (self.remote, "fuse.silent", f"{IO_DEADLINE} s"):
            self.assertIn(word, event["reason"])
        # The server has the request: the kernel lets nobody go.
        wait_until(lambda: self.status()["stuck"] == 1, "a stuck worker")
        self.fs.speak()
        wait_until(lambda: self.status()["stuck"] == 0, "its end")
        self.open_works(self.remote, client)
        self.no_zombies()

    def test_a_second_silence_ends_like_the_first(self):
        for _ in range(2):
            self.fs.stop()
            client = self.ask_for(self.remote)
            self.everything_else_works()
            self.expect_deadline(client)
            self.fs.go_on()
            self.open_works(self.remote)
        self.assertEqual(self.status()["stuck"], 0)

    def test_stat_access_and_explain_end_too(self):
        self.fs.silence("getattr")
        clients = [self.client(), self.client()]
        clients[0].send_request(stat={"path": self.remote})
        control = self.controller()
        control.send_request(explain={"path": self.remote})
        self.everything_else_works()
        self.expect_deadline(clients[0])
        self.assertFalse(control.receive_reply()["explain"].get("allow"))

    def test_what_waits_is_bounded_and_the_rest_is_refused_at_once(self):
        # Two are at work and sixteen wait. All are connected before the first one's deadline begins.
        clients = [self.client() for _ in range(18)]
        late = self.client()
        self.fs.stop()
        for client in clients:
            self.ask(client, self.remote)
        wait_until(lambda: self.status()["waiting"] == 16, "a full queue")
        begin = time.monotonic()
        reply = late.open(self.remote, 3)
        self.assertLess(time.monotonic() - begin, PROMPT)
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.EBUSY))
        self.everything_else_works()
        for client in clients:
            self.expect_deadline(client)
        self.fs.go_on()
        self.open_works(self.remote, clients[0])

    def test_a_file_system_with_two_stuck_workers_is_given_up_and_others_are_not(self):
        other = SilentFs()
        self.addCleanup(other.end)
        elsewhere = other.write("elsewhere.img")
        self.grant(elsewhere)
        self.fs.silence("open")
        for client in [self.ask_for(self.remote), self.ask_for(self.remote)]:
            self.expect_deadline(client)
        wait_until(lambda: self.status()["stuck"] == 2, "stuck workers")
        begin = time.monotonic()
        reply = self.client().open(self.remote, 3)
        self.assertLess(time.monotonic() - begin, PROMPT)
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.EIO))
        self.assertIn("hang in the kernel", self.last_event(self.remote)["reason"])
        self.open_works(elsewhere)
        self.everything_else_works()
        self.fs.speak()
        wait_until(lambda: self.status()["stuck"] == 0, "their end")
        self.open_works(self.remote)

    def test_who_holds_a_file_is_told_without_its_file_system(self):
        reply = (client := self.client()).open(self.remote, 3)
        self.assertEqual(reply["outcome"], OK)
        self.fs.stop()
        begin = time.monotonic()
        control = self.controller()
        held = control.call(holders={"path": self.remote})["holders"]["holders"]
        self.assertEqual([one["pid"] for one in held], [os.getpid()])
        kept = control.call(revoke={"paths": [self.remote]})["change"]["still_held"]
        self.assertEqual(len(kept), 1)
        # No child may be started here: it would close its copy of the file, and hang.
        local = self.client().open(self.local, 3)
        self.assertEqual(local["outcome"], OK)
        os.close(local["fd"])
        self.assertLess(time.monotonic() - begin, PROMPT)
        self.fs.go_on()
        os.close(reply["fd"])
        wait_until(lambda: control.call(holders={"path": self.remote})["outcome"] == FAILED,
                   "the file to be forgotten")
        self.assertEqual(client.open(self.remote, 1)["outcome"], DENIED)

    def test_a_worker_that_is_killed_is_replaced_and_its_request_fails(self):
        self.fs.stop()
        client = self.ask_for(self.remote)
        wait_until(lambda: self.status()["busy"] == 1, "a busy worker")
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
        reply = client.receive_reply()
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.EIO))
        self.fs.go_on()
        self.open_works(self.remote, client)
        self.no_zombies()

    def test_a_client_that_leaves_leaves_nothing_behind(self):
        self.open_works(self.remote)
        before = self.broker_descriptors()
        # Once with an answer that comes when the client is gone, once without one.
        for answered in (True, False):
            self.fs.silence("open")
            self.ask_for(self.remote).close()
            wait_until(lambda: self.status()["busy"] == 1, "a busy worker")
            if answered:
                self.fs.speak()
            wait_until(lambda: self.status()["busy"] == 0, "idle workers")
            self.fs.speak()
            wait_until(lambda: self.status()["stuck"] == 0, "no stuck worker")
        # A worker that was killed is gone a moment later.
        wait_until(lambda: self.holders() == [], "no file that is held")
        wait_until(lambda: self.broker_descriptors() <= before, "closed descriptors")
        self.no_zombies()

    def test_a_close_that_nobody_answers_holds_up_a_worker_only(self):
        self.fs.silence("flush")
        client = self.ask_for(self.remote)
        # The descriptor stays in the client's socket meanwhile: to close it would hang us too.
        wait_until(lambda: self.status()["busy"] == 1, "a worker that closes")
        self.everything_else_works()
        self.assertEqual([pid for pid, _ in self.holders() if pid == self.broker.process.pid], [])
        self.fs.speak()
        reply = client.receive_reply()
        self.assertEqual(reply["outcome"], OK)
        os.close(reply["fd"])
        self.open_works(self.remote, client)

    def test_a_grant_that_is_revoked_meanwhile_gives_nothing(self):
        self.fs.silence("open")
        client = self.ask_for(self.remote)
        wait_until(lambda: self.status()["busy"] == 1, "a busy worker")
        self.ctl("revoke", self.remote)
        self.fs.speak()
        reply = client.receive_reply()
        self.assertEqual((reply["outcome"], reply["fd"]), (DENIED, None))
        wait_until(lambda: self.status()["busy"] == 0, "idle workers")
        self.assertEqual(self.holders(), [])

    def test_a_grant_of_a_path_that_hangs_ends_at_the_deadline(self):
        hanging = self.fs.write("hanging.img")
        self.fs.silence("getattr")
        control = self.controller()
        control.send_request(grant={"lease": "x", "grants": [{"path": hanging, "access": 1}]})
        self.everything_else_works()
        reply = control.receive_reply()
        self.assertEqual((reply["outcome"], reply["code"]), (FAILED, "io"))
        self.assertIn("fuse.silent", reply["reason"])
        self.fs.speak()
        wait_until(lambda: self.status()["stuck"] == 0, "no stuck worker")
        self.assertEqual(control.grant(hanging, 1)["outcome"], OK)

    def test_a_broker_with_workers_that_hang_ends_promptly(self):
        self.fs.silence("open")
        self.ask_for(self.remote)
        wait_until(lambda: self.status()["busy"] == 1, "a busy worker")
        self.broker.process.terminate()
        self.broker.process.wait(timeout=PROMPT)
        self.assertEqual(self.broker.process.returncode, 0)
        self.fs.speak()


if __name__ == "__main__":
    unittest.main()

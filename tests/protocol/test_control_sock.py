# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a manager can see of docs/protocol.md on control.sock, against a real openhookd."""

import errno
import os
import time
import unittest

from broker_test import BrokerTest
from client import (DENIED, GRANT_READ, GRANT_READ_WRITE, OK, READ_WRITE, ControlConnection,
                    OpenConnection)


class Control(BrokerTest):
    def test_a_grant_is_listed_and_a_revoke_ends_it(self):
        path = self.broker.write("listed.img")
        info = os.stat(path)
        change = self.grant(path, GRANT_READ_WRITE, lease="device:vda", source="disk vda",
                            format="raw", role="image")
        grant, = change["grants"]
        self.assertEqual((grant["lease"], grant["path"], grant["access"], grant["kind"]),
                         ("device:vda", path.encode(), GRANT_READ_WRITE, 1))
        self.assertEqual((grant["source"], grant["format"], grant["role"]),
                         ("disk vda", "raw", "image"))
        self.assertEqual((grant["dev"], grant["ino"]), (info.st_dev, info.st_ino))
        self.assertIn(grant, self.control.call(list={})["list"]["grants"])

        revoked = self.control.call(revoke={"lease": "device:vda", "paths": [path]})
        self.assertEqual(revoked["outcome"], OK)
        self.assertGreater(revoked["change"]["generation"], change["generation"])
        self.assertEqual([g["path"] for g in revoked["change"]["grants"]], [path.encode()])
        self.assert_answer(self.data.open(path), DENIED, errno.EACCES)

    def test_another_lease_keeps_what_it_gave(self):
        path = self.granted("shared.img", lease="device:vda")
        self.grant(path, GRANT_READ, lease="device:vdb")
        self.assertEqual(self.control.call(revoke={"lease": "device:vda"})["outcome"], OK)
        self.take(self.data.open(path))

    def test_a_job_gives_and_takes_and_may_be_repeated(self):
        commit, pivoted, aborted = 1, 3, 4
        top, base = self.broker.write("top.img"), self.broker.write("base.img")
        specs = [{"path": path, "access": access, "role": role, "depth": depth}
                 for depth, (path, access, role) in enumerate(
                     ((top, GRANT_READ_WRITE, "image"), (base, GRANT_READ, "backing")))]
        granted = self.control.call(grant={"lease": "device:vda", "grants": specs, "disk": "vda",
                                           "disk_writable": True})
        self.assertEqual(granted["outcome"], OK, granted["reason"])
        chain, = self.control.call(chain_list={})["chain_list"]["chains"]
        self.assertEqual([image["path"] for image in chain["images"]],
                         [top.encode(), base.encode()])
        begin = {"id": "c", "kind": commit, "disk": "vda", "base": base}
        for _ in range(2):
            reply = self.control.call(job_begin=begin)
            self.assertEqual((reply["outcome"], reply["job"]["job"]["state"]), (OK, 1))
        self.take(self.data.open(base, READ_WRITE))
        self.assertEqual(self.control.call(job_begin={**begin, "base": top})["code"], "conflict")
        job, = self.control.call(job_list={})["job_list"]["jobs"]
        self.assertEqual((job["id"], job["base"]), ("c", base.encode()))
        for _ in range(2):
            reply = self.control.call(job_end={"id": "c", "outcome": pivoted})
            self.assertEqual((reply["outcome"], reply["job"]["job"]["state"]), (OK, pivoted))
        self.assertEqual(self.control.call(job_end={"id": "c", "outcome": aborted})["code"],
                         "conflict")
        self.take(self.data.open(base, READ_WRITE))
        self.assert_answer(self.data.open(top), DENIED, errno.EACCES)
        self.assertEqual(self.control.call(job_end={"id": "x", "outcome": aborted})["code"],
                         "not-found")

    def test_what_a_client_still_holds_can_be_read_again_and_not_written(self):
        path = self.granted("held.img", GRANT_READ_WRITE)
        held = self.data.open(path, READ_WRITE)
        with os.fdopen(held["fd"], "r+b"):
            holders = self.control.call(holders={"path": path})["holders"]["holders"]
            self.assertEqual([(one["pid"], one["write"]) for one in holders],
                             [(os.getpid(), True)])
            change = self.control.call(revoke={"paths": [path]})["change"]
            self.assertEqual([one["path"] for one in change["still_held"]], [path.encode()])
            self.assertNotEqual(change["still_held"][0]["ended_unix"], 0)
            again = self.data.open(path)
            self.assert_answer(again, OK)
            os.close(again["fd"])
            self.assert_answer(self.data.open(path, READ_WRITE), DENIED, errno.EACCES)
        self.assert_forgotten(path)
        self.assert_answer(self.data.open(path), DENIED, errno.EACCES)

    def test_a_reply_that_is_not_read_holds_its_own_file_only(self):
        unread, closed = (self.granted(name, GRANT_READ_WRITE) for name in ("unread", "closed"))
        with OpenConnection(self.broker.open_socket).greeted() as client:
            reply = client.open(closed, READ_WRITE)
            self.assert_answer(reply, OK)
            os.close(reply["fd"])
            client.send_request(open={"path": unread, "access": READ_WRITE})
            client.send_packet(b"not a request")  # after which the broker closes its end
            time.sleep(0.2)
            change = self.control.call(revoke={"paths": [unread, closed]})["change"]
            self.assertEqual([one["path"] for one in change["still_held"]], [unread.encode()])
            os.close(client.receive_reply()["fd"])
            self.assert_closed(client)
            self.assert_forgotten(unread)

    def assert_forgotten(self, path):
        deadline = time.monotonic() + 10
        while any(grant["path"] == path.encode()
                  for grant in self.control.call(list={})["list"]["grants"]):
            self.assertLess(time.monotonic(), deadline, "what was closed is not forgotten")
            time.sleep(0.02)

    def test_a_list_can_be_read_page_by_page(self):
        for number in range(5):
            self.granted(f"page{number}.img", lease="pages")
        everything = self.control.call(list={})["list"]["grants"]
        pages, after = [], 0
        while True:
            page = self.control.call(list={"after_id": after, "limit": 2})["list"]
            self.assertLessEqual(len(page["grants"]), 2)
            pages += page["grants"]
            if not page["more"]:
                break
            after = page["grants"][-1]["id"]
        self.assertEqual(pages, everything)

    def test_a_different_file_than_expected_refuses_the_whole_request(self):
        first, second = self.broker.write("first.img"), self.broker.write("second.img")
        seen = os.stat(first)
        reply = self.control.call(grant={"lease": "test", "grants": [
            {"path": first, "access": GRANT_READ},
            {"path": second, "access": GRANT_READ, "expected_dev": seen.st_dev,
             "expected_ino": seen.st_ino}]})
        self.assertNotEqual(reply["outcome"], OK)
        self.assertTrue(reply["code"] and reply["reason"])
        self.assert_answer(self.data.open(first), DENIED, errno.EACCES)

    def test_bad_grants_are_refused_with_a_reason(self):
        good = self.broker.write("good.img")
        for reason, spec in {
                "relative path": {"path": "good.img", "access": GRANT_READ},
                "no access": {"path": good},
                "unknown access": {"path": good, "access": 17},
                "absent file": {"path": good + ".absent", "access": GRANT_READ},
                "directory to read": {"path": str(self.broker.files), "access": GRANT_READ},
                "NUL byte": {"path": b"/a\0b", "access": GRANT_READ},
                "source too long": {"path": good, "access": GRANT_READ, "source": "x" * 257},
        }.items():
            with self.subTest(reason):
                reply = self.control.call(grant={"lease": "test", "grants": [spec]})
                self.assertNotEqual(reply["outcome"], OK)
                self.assertTrue(reply["reason"])
        for reason, lease in {"no lease": "", "lease too long": "x" * 129}.items():
            with self.subTest(reason):
                self.assertNotEqual(self.control.grant(good, lease=lease)["outcome"], OK)

    def test_explain_says_what_open_would_do(self):
        path = self.granted("explained.img", lease="device:vdc")
        allowed = self.control.call(explain={"path": path})["explain"]
        self.assertTrue(allowed["allow"])
        self.assertEqual([g["lease"] for g in allowed["grants"]], ["device:vdc"])
        for question in ({"path": path, "write": True}, {"path": path + ".other"}):
            denied = self.control.call(explain=question)["explain"]
            self.assertFalse(denied["allow"])
            self.assertTrue(denied["rule"] and denied["reason"] and denied["remedy"])

    def test_explain_remembers_the_last_decisions(self):
        path = self.broker.write("remembered.img")
        self.data.open(path)
        recent = self.control.call(explain={"path": path})["explain"]["recent"]
        self.assertEqual([(e["operation"], e["verdict"]) for e in recent], [("open", "deny")])

    def test_status_counts(self):
        before = self.control.call(status={})["status"]
        path = self.granted("counted.img", lease="counted")
        self.take(self.data.open(path))
        self.data.open(path + ".denied")
        after = self.control.call(status={})["status"]
        self.assertEqual(after["vm"], self.broker.vm)
        self.assertEqual(after["pid"], self.broker.process.pid)
        self.assertEqual(after["grants"], before["grants"] + 1)
        self.assertEqual(after["leases"], before["leases"] + 1)
        self.assertGreater(after["generation"], before["generation"])
        self.assertGreater(after["allowed"], before["allowed"])
        self.assertGreater(after["denied"], before["denied"])
        self.assertIn(after["openat2"], ("openat2", "component walk"))
        self.assertEqual(after["run_dir"], str(self.broker.run_dir))
        self.assertEqual(after["peer_label"], "")
        self.assertEqual(after["label_level"], "uid")


class Watching(BrokerTest):
    def test_the_past_ends_without_follow(self):
        path = self.broker.write("past.img")
        self.data.open(path)
        events, end = [], False
        self.control.send_request(watch={"last": 1000})
        while not end:
            reply = self.control.receive_reply()
            self.assertEqual(reply["outcome"], OK)
            events += reply["watch"]["events"]
            end = reply["watch"]["end"]
        self.assertIn((path.encode(), "deny"), [(e["path"], e["verdict"]) for e in events])
        numbers = [event["seq"] for event in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_a_past_that_fits_no_packet_is_cut_at_its_old_end(self):
        for number in range(700):  # different names: equal events would be folded into one
            self.data.open(f"/srv/long-past/{number}")
        events, end = [], False
        self.control.send_request(watch={"last": 700})
        while not end:
            watch = self.control.receive_reply()["watch"]
            events += watch["events"]
            end = watch["end"]
        numbers = [event["seq"] for event in events]
        self.assertGreaterEqual(len(numbers), 100)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertEqual(events[-1]["path"], b"/srv/long-past/699")

    def test_follow_shows_a_decision_as_it_happens(self):
        path = self.broker.write("live.img")
        with ControlConnection(self.broker.control_socket).greeted() as watcher:
            sent = watcher.send_request(watch={"follow": True})
            self.data.open(path)
            events = []
            while not any(event["path"] == path.encode() for event in events):
                reply = watcher.receive_reply()
                self.assertEqual(reply["id"], sent)
                self.assertFalse(reply["watch"]["end"])
                events += reply["watch"]["events"]
        event = events[-1]
        self.assertEqual((event["operation"], event["verdict"], event["uid"], event["pid"]),
                         ("open", "deny", os.getuid(), os.getpid()))
        self.assertTrue(event["rule"] and event["reason"])


if __name__ == "__main__":
    unittest.main()

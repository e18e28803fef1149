# SPDX-License-Identifier: LGPL-2.1-or-later
"""A VM rewrites the header of its own image. No job explains where it leads now, and it gets nothing."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images
from lib.access import Brokered
from lib.broker import RefusedError
from lib.case import implicit_chain
from lib.qemu import StartError
from test_jobs import JobCase


class RewrittenHeaders(JobCase):
    """The VM is off; whoever starts it next reads what it wrote."""

    auto_read_only = False
    headers_change_by_jobs_alone = False

    def setUp(self) -> None:
        super().setUp()
        self.grant_disk("vda", self.chain.top)

    def rewrite(self, name: str, format: str = "raw") -> None:
        images.rewrite_backing(self.chain.top, name, format)

    def check_refused(self, *words: str) -> None:
        """The record is compared, nothing follows, and a QEMU does not start on it."""
        before = self.broker.control("list")["grants"]
        with self.assertRaises(RefusedError) as refused:
            self.broker.ctl("chain", "check", "vda")
        for word in words:
            self.assertIn(word, str(refused.exception))
        self.assertEqual(self.broker.control("list")["grants"], before)
        with self.assertRaisesRegex(StartError, "Permission denied"):
            self.vm.start_disk([implicit_chain(self.chain.top, "top")])

    def test_to_a_file_of_the_system(self) -> None:
        self.rewrite("/etc/shadow")
        self.check_refused("/etc/shadow")

    def test_to_a_file_of_the_system_as_json(self) -> None:
        self.rewrite('json:{"driver":"raw","file":{"driver":"file","filename":"/etc/shadow"}}')
        self.check_refused("/etc/shadow")

    def test_to_a_file_outside_of_every_pool(self) -> None:
        elsewhere = self.workspace.private / "elsewhere.raw"
        images.make_raw(elsewhere)
        self.rewrite(str(elsewhere))
        self.check_refused(str(elsewhere), str(self.chain.middle), "chain accept 'vda'")

    def other_disk(self) -> tuple[Brokered, Path]:
        """The disk of another VM, in the same directory: a pool, were it nobody's."""
        other = Brokered(self.workspace)
        self.addCleanup(other.stop)
        other.start()
        secret = images.make_raw(self.image("secret.raw"))
        other.broker.grant(secret, "--write")
        return other, secret

    def test_to_the_disk_of_another_vm(self) -> None:
        other, secret = self.other_disk()
        self.rewrite(str(secret))
        self.check_refused(str(secret), other.broker.vm)

    def test_to_the_disk_of_another_vm_whose_broker_does_not_run(self) -> None:
        for ending in ("stop", "kill"):
            with self.subTest(ending):
                other, secret = self.other_disk()
                getattr(other.broker, ending)()
                self.rewrite(f'json:{{"driver":"raw","file.filename":"{secret}","file.driver":"file"}}')
                self.check_refused(str(secret), other.broker.vm)
                secret.unlink()

    def test_to_a_new_file_beside_the_others_it_is_followed(self) -> None:
        beside = images.make_raw(self.image("beside.raw"))
        self.rewrite(str(beside))
        (chain,) = self.broker.control("chain", "check", "vda")["chains"]
        self.assertTrue(chain["changed"])
        self.assertEqual(self.broker.chain("vda"), [str(self.chain.top), str(beside)])
        self.expect_live(top="read-write", beside="read")

    def test_what_an_administrator_accepts_is_granted(self) -> None:
        elsewhere = images.make_raw(self.workspace.private / "elsewhere.raw")
        self.rewrite(str(elsewhere))
        with self.assertRaises(RefusedError):
            self.broker.ctl("chain", "check")
        self.broker.ctl("chain", "accept", "vda")
        self.expect_live(top="read-write", elsewhere="read")
        (chain,) = self.broker.control("chain", "check")["chains"]
        self.assertFalse(chain["changed"])

    def test_a_repeated_grant_of_the_chain_is_a_check_too(self) -> None:
        elsewhere = images.make_raw(self.workspace.private / "elsewhere.raw")
        self.rewrite(str(elsewhere))
        with self.assertRaisesRegex(RefusedError, "no job explains it"):
            self.grant_disk("vda", self.chain.top)
        self.expect_live(top="read-write", middle="read", base="read")

    def test_a_running_vm_is_not_touched(self) -> None:
        self.vm.start_disk([implicit_chain(self.chain.top, "top")])
        self.write(3, 0x44)
        self.rewrite("/etc/shadow")
        with self.assertRaises(RefusedError):
            self.broker.ctl("chain", "check", "vda")
        self.rewrite(str(self.chain.middle), "qcow2")
        self.finish(self.chain.top)

    def restart_broker(self) -> None:
        self.broker.stop()
        self.broker.start()

    def test_is_noticed_when_the_broker_starts(self) -> None:
        elsewhere = images.make_raw(self.workspace.private / "elsewhere.raw")
        before = self.broker.control("list")["grants"]
        self.rewrite(str(elsewhere))
        self.restart_broker()
        images.wait_until(lambda: bool(self.refused_headers()), "the headers to be read")
        (reason,) = self.refused_headers()
        for word in (str(elsewhere), str(self.chain.middle), "chain accept 'vda'"):
            self.assertIn(word, reason)
        self.assertEqual(self.broker.control("list")["grants"], before)

    def test_is_followed_by_the_start_where_the_policy_lets(self) -> None:
        beside = images.make_raw(self.image("beside.raw"))
        self.rewrite(str(beside))
        self.restart_broker()
        images.wait_until(
            lambda: self.broker.chain("vda") == [str(self.chain.top), str(beside)],
            "the record to follow")
        self.expect_live(top="read-write", beside="read")

    def test_a_chain_that_only_ends_earlier_is_reported_and_nothing_is_taken(self) -> None:
        images.rewrite_backing(self.chain.top)
        self.restart_broker()
        images.wait_until(lambda: bool(self.refused_headers()), "the headers to be read")
        (reason,) = self.refused_headers()
        self.assertIn(f"they end before '{self.chain.middle}'", reason)
        self.expect_live(top="read-write", middle="read", base="read")
        self.broker.ctl("chain", "check", "vda")
        self.expect_live(top="read-write")

    def test_to_a_file_of_the_system_is_noticed_by_the_start(self) -> None:
        self.rewrite("/etc/shadow")
        self.restart_broker()
        images.wait_until(lambda: bool(self.refused_headers()), "the headers to be read")
        self.expect_live(top="read-write", middle="read", base="read")

    def test_is_noticed_when_a_job_ends_and_not_while_it_runs(self) -> None:
        elsewhere = images.make_raw(self.workspace.private / "elsewhere.raw")
        jobs = [self.broker.begin("reopen", "vda") for _ in range(2)]
        self.rewrite(str(elsewhere))
        self.broker.end(jobs[0], "aborted")
        self.broker.ctl("status")
        self.assertEqual(self.refused_headers(), [])
        self.broker.end(jobs[1], "aborted")
        images.wait_until(lambda: bool(self.refused_headers()), "the headers to be read")
        self.expect_live(top="read-write", middle="read", base="read")


if __name__ == "__main__":
    unittest.main()

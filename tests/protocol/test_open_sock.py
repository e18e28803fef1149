# SPDX-License-Identifier: LGPL-2.1-or-later
"""What QEMU's side can see of docs/protocol.md on open.sock, against a real openhookd."""

import errno
import fcntl
import os
import pathlib
import resource
import stat
import unittest

from broker_test import BrokerTest
from client import (BAD_REQUEST, DENIED, FAILED, GRANT_CREATE, GRANT_READ, GRANT_READ_WRITE,
                    NOT_MINE, OK, READ, READ_WRITE, WRITE, OpenConnection)


class Opening(BrokerTest):
    def test_gives_a_descriptor_that_reads_the_granted_file(self):
        path = self.granted("read.img", content=b"the bytes of the disk")
        fd = self.take(self.data.open(path))
        self.assertEqual(os.read(fd, 100), b"the bytes of the disk")
        self.assertEqual(os.get_inheritable(fd), False)
        with self.assertRaises(OSError):
            os.write(fd, b"x")

    def test_every_descriptor_is_a_description_of_its_own(self):
        path = self.granted("twice.img")
        first, second = (self.take(self.data.open(path)) for _ in range(2))
        os.read(first, 3)
        self.assertEqual(os.lseek(second, 0, os.SEEK_CUR), 0)

    def test_a_read_write_grant_serves_every_access(self):
        path = self.granted("rw.img", GRANT_READ_WRITE)
        for access in (READ, WRITE, READ_WRITE):
            with self.subTest(access):
                self.take(self.data.open(path, access))

    def test_intent_reaches_the_descriptor(self):
        path = self.granted("flags.img", GRANT_READ_WRITE)
        fd = self.take(self.data.open(path, READ_WRITE, append=True, sync=True))
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        self.assertTrue(flags & os.O_APPEND and flags & os.O_SYNC)

    def test_a_full_descriptor_table_shows_as_a_dropped_descriptor(self):
        path = self.granted("full.img")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            with self.assertRaises(PermissionError):
                self.data.open(path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.take(self.data.open(path))  # the connection is still usable

    def test_what_is_not_granted_looks_the_same_whether_it_exists_or_not(self):
        existing = self.broker.write("secret.img")
        replies = [self.data.open(path) for path in (existing, existing + ".absent")]
        for reply in replies:
            self.assert_answer(reply, DENIED, errno.EACCES)
            self.assertTrue(reply["reason"])
            self.assertLessEqual(len(reply["reason"]), 255)

    def test_a_read_grant_does_not_serve_writing(self):
        path = self.granted("ro.img")
        for access in (WRITE, READ_WRITE):
            self.assert_answer(self.data.open(path, access), DENIED, errno.EACCES)

    def test_bits_that_the_broker_does_not_do_are_refused(self):
        path = self.granted("bits.img", GRANT_READ_WRITE)
        self.assert_answer(self.data.open(path, READ, other_flags=os.O_NOATIME), DENIED,
                           errno.EINVAL)
        self.assert_answer(self.data.open(path, READ_WRITE, truncate=True), DENIED, errno.EACCES)

    def test_an_unknown_access_is_a_bad_request(self):
        path = self.granted("unknown-access.img", GRANT_READ_WRITE)
        for access in (0, 4, 99):
            connection = OpenConnection(self.broker.open_socket).greeted()
            with self.subTest(access), connection:
                self.assert_answer(connection.open(path, access), BAD_REQUEST, errno.EINVAL)
                self.assert_closed(connection)

    def test_a_system_file_that_nobody_granted_is_not_ours(self):
        self.assertEqual(self.data.open("/usr/share/qemu/x.rom")["outcome"], NOT_MINE)

    def test_a_granted_file_that_went_away_is_absent(self):
        path = self.granted("gone.img")
        os.unlink(path)
        self.assert_answer(self.data.open(path), FAILED, errno.ENOENT)

    def test_a_different_file_under_the_granted_name_is_refused(self):
        path = self.granted("swapped.img")
        other = self.broker.write("other.img")
        os.rename(other, path)
        self.assert_answer(self.data.open(path), DENIED, errno.EACCES)

    def test_a_symlink_under_the_granted_name_is_refused(self):
        path = self.granted("linked.img")
        os.rename(path, path + ".moved")
        os.symlink(path + ".moved", path)
        self.assert_answer(self.data.open(path), DENIED, errno.EACCES)

    def test_a_granted_directory_is_not_opened(self):
        directory = self.broker.files / "create-here"
        directory.mkdir()
        self.grant(str(directory), GRANT_CREATE)
        self.assert_answer(self.data.open(str(directory)), DENIED, errno.EISDIR)
        fd = self.take(self.data.open(str(directory / "new"), WRITE, create=True, mode=0o600,
                                      token=3))
        os.write(fd, b"x")

    def test_a_relative_path_is_taken_below_the_working_directory(self):
        path = self.granted("relative.img")
        directory, name = os.path.split(path)
        self.take(self.data.open(name, cwd=directory))
        self.take(self.data.open("./" + name, cwd=directory))
        self.take(self.data.open(f"{directory}//.//{name}"))

    def test_a_relative_path_without_a_working_directory_is_refused(self):
        self.assert_answer(self.data.open("relative.img"), DENIED, errno.EINVAL)

    def test_an_alias_is_served_as_it_was_spelled(self):
        path = self.broker.write("real.img")
        (self.broker.files / "sub").mkdir()
        spelled = str(self.broker.files / "sub" / ".." / "real.img")
        self.grant(path, GRANT_READ, aliases=[spelled])
        self.take(self.data.open(spelled))


class OtherRequests(BrokerTest):
    def test_stat_tells_what_the_kernel_tells(self):
        path = self.granted("stat.img", content=b"x" * 1234)
        reply = self.data.call(stat={"path": path})
        self.assert_answer(reply, OK)
        expected = os.stat(path)
        for field in ("dev", "ino", "mode", "nlink", "uid", "gid", "size", "blksize", "blocks"):
            self.assertEqual(reply["stat"][field], getattr(expected, "st_" + field), field)
        self.assertEqual(reply["stat"]["mtime_sec"] * 10**9 + reply["stat"]["mtime_nsec"],
                         expected.st_mtime_ns)
        self.assertTrue(stat.S_ISREG(reply["stat"]["mode"]))

    def test_stat_of_a_foreign_file_is_denied(self):
        self.assert_answer(self.data.call(stat={"path": "/srv/elsewhere"}), DENIED, errno.EACCES)

    def test_access_answers_by_the_grant(self):
        path = self.granted("access.img")
        for wanted, outcome in (({}, OK), ({"read": True}, OK), ({"write": True}, DENIED),
                                ({"execute": True}, DENIED)):
            with self.subTest(wanted):
                self.assertEqual(self.data.call(access={"path": path, **wanted})["outcome"],
                                 outcome)

    def test_a_created_file_belongs_to_the_vm(self):
        path = str(self.broker.files / "new.bin")
        self.grant(path, GRANT_CREATE)
        self.assert_answer(self.data.open(path), FAILED, errno.ENOENT)
        fd = self.take(self.data.open(path, READ_WRITE, create=True, exclusive=True, mode=0o600,
                                      token=1))
        os.write(fd, b"written by the VM")
        self.assertEqual(pathlib.Path(path).read_bytes(), b"written by the VM")
        self.take(self.data.open(path, READ_WRITE, truncate=True))
        self.assertEqual(pathlib.Path(path).read_bytes(), b"")
        self.assert_answer(self.data.call(unlink={"path": path}), OK)
        self.assertFalse(os.path.exists(path))

    def test_a_create_is_repeated_by_its_token_alone(self):
        path = str(self.broker.files / "token.bin")
        self.grant(path, GRANT_CREATE)
        create = {"create": True, "exclusive": True, "mode": 0o600}
        self.take(self.data.open(path, READ_WRITE, token=0x5EED, **create))
        self.take(self.data.open(path, READ_WRITE, token=0x5EED, **create))
        for token in (0x07E4, 0):
            self.assert_answer(self.data.open(path, READ_WRITE, token=token, **create), FAILED,
                               errno.EEXIST)

    def test_create_without_a_create_grant_is_denied(self):
        path = str(self.broker.files / "uninvited.bin")
        reply = self.data.open(path, READ_WRITE, create=True, mode=0o600, token=2)
        self.assert_answer(reply, DENIED, errno.EACCES)
        self.assertFalse(os.path.exists(path))

    def test_only_what_the_vm_created_can_be_unlinked(self):
        path = self.granted("kept.img", GRANT_READ_WRITE)
        self.assertEqual(self.data.call(unlink={"path": path})["outcome"], DENIED)
        self.assertTrue(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()

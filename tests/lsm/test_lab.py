# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel lab itself: what it promises to the tests that use it."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["OPENHOOK_BUILD"])

PROFILE = """
profile lab {
  /** mrix,
  deny /secret r,
}
"""


def lab(*arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [str(HERE / "lab"), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=600)


def in_shell(script: str, *options: object) -> subprocess.CompletedProcess[str]:
    return lab(*options, "--", "sh", "-c", script)


class Status(unittest.TestCase):
    def test_of_the_command_comes_back_with_both_of_its_outputs(self) -> None:
        done = in_shell("echo said; echo complained >&2; exit 42")
        self.assertEqual((done.returncode, done.stdout), (42, "said\n"), done.stderr)
        self.assertEqual(done.stderr, "complained\n")

    def test_of_a_guest_that_died_is_125_and_its_last_words_are_shown(self) -> None:
        done = in_shell("echo c > /proc/sysrq-trigger")
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertIn("Kernel panic", done.stderr)

    def test_of_a_command_that_does_not_end_is_124_and_its_output_is_shown(self) -> None:
        done = in_shell("echo waiting; exec sleep 1000", "-t", 15)
        self.assertEqual((done.returncode, done.stdout), (124, "waiting\n"), done.stderr)

    def test_without_the_kernel_or_a_file_is_77_and_says_what_is_missing(self) -> None:
        for missing, options in (("2.4", ("-k", "2.4")), ("/none", ("-k", "/none")),
                                 ("/nowhere", ("-f", "/nowhere")), ("nosuch", ("-M", "nosuch")),
                                 ("roots/other", ("--root", "other"))):
            done = lab(*options, "--", "true")
            self.assertEqual(done.returncode, 77, options)
            self.assertIn(missing, done.stderr)


class Guest(unittest.TestCase):
    def test_keeps_results_and_has_the_disks_that_were_asked_for(self) -> None:
        script = """
        set -e
        dd if=/dev/zero of="$LAB_BLK" bs=1M count=1
        echo kept > /data/file
        mv /data/file /out/file
        """
        with tempfile.TemporaryDirectory() as outcome:
            done = in_shell(script, "-b", "-o", outcome)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(Path(outcome, "file").read_text(), "kept\n")
            self.assertIn("Linux version", Path(outcome, "dmesg").read_text())

    def test_runs_what_was_built_here_with_its_libraries(self) -> None:
        program = os.path.relpath(BUILD / "test-bin/unit_whitelist")
        done = lab("--", program, "--gtest_filter=Decide.*")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED", done.stdout)

    def test_gets_files_directories_and_links_where_they_were_asked_for(self) -> None:
        with tempfile.TemporaryDirectory() as here:
            inner = Path(here, "inner")
            inner.mkdir()
            (inner / "file").write_text("text")
            (inner / "link").symlink_to("file")
            done = in_shell("cat /there/inner/link /copy; readlink /there/inner/link",
                            "-f", f"{here}:/there", "-f", f"{inner / 'link'}:/copy")
        self.assertEqual((done.returncode, done.stdout), (0, "texttextfile\n"), done.stderr)

    def test_runs_the_kernel_that_was_asked_for_with_its_modules(self) -> None:
        for series in ("6.1", "6.12"):
            done = in_shell("uname -r; grep overlay /proc/filesystems", "-k", series, "-M", "overlay")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout.split(".")[:2], series.split("."))


class Debian(unittest.TestCase):
    def test_has_python_and_qemu_and_forgets_what_a_run_changed(self) -> None:
        script = """
        python3 -c 'import sqlite3, unittest'
        qemu-system-x86_64 --version
        [ ! -e /etc/changed ] && echo anew
        touch /etc/changed
        """
        for _ in range(2):
            done = in_shell(script, "--root", "debian")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("version 7.2", done.stdout)
            self.assertIn("anew", done.stdout)


class SecurityModule(unittest.TestCase):
    def read_under_profile(self, *options: object) -> subprocess.CompletedProcess[str]:
        script = """
        set -e
        echo open > /open; echo secret > /secret
        cat /sys/module/apparmor/parameters/enabled
        apparmor_parser -r /profile
        aa-exec -p lab -- cat /open
        aa-exec -p lab -- cat /secret
        """
        with tempfile.NamedTemporaryFile("w", suffix=".profile") as profile:
            profile.write(PROFILE)
            profile.flush()
            return in_shell(script, *options, "-l", "apparmor", "-f", f"{profile.name}:/profile")

    def test_apparmor_is_in_force(self) -> None:
        for root in ((), ("--root", "debian")):
            done = self.read_under_profile(*root)
            self.assertEqual((done.returncode, done.stdout), (1, "Y\nopen\n"), done.stderr)
            self.assertIn("Permission denied", done.stderr)

    def test_is_the_one_that_was_asked_for(self) -> None:
        for name, other in (("apparmor", "selinux"), ("selinux", "apparmor")):
            listed = in_shell("cat /sys/kernel/security/lsm", "-l", name).stdout
            self.assertIn(name, listed)
            self.assertNotIn(other, listed)
        listed = in_shell("cat /sys/kernel/security/lsm").stdout
        self.assertNotIn("selinux", listed)
        self.assertNotIn("apparmor", listed)

    def test_says_what_it_denied_when_a_command_fails(self) -> None:
        script = "echo 'profile lab { /** mrix, }' > /p; apparmor_parser -r /p; aa-exec -p lab -- touch /new"
        done = in_shell(script, "-l", "apparmor")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, 'apparmor="DENIED".*name="/new"')


if __name__ == "__main__":
    unittest.main()

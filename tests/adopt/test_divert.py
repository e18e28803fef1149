# SPDX-License-Identifier: LGPL-2.1-or-later
"""policy/install/divert-aa-helper with Debian's dpkg-divert, interrupted and across upgrades of libvirt.

That the profile is loaded first, and what the helpers then do, is tested where AppArmor is in force (tests/lsm).
"""

import os
import subprocess
import unittest
from pathlib import Path

from libvirt_host import BIN, run_tests

SCRIPT = Path(__file__).resolve().parents[2] / "policy/install/divert-aa-helper"
HELPER = Path("/usr/lib/libvirt/virt-aa-helper")
ORIGINAL = Path(f"{HELPER}.distrib")
OURS = str(BIN / "openhook-aa-helper")
STUBS = Path("/run/stubs")


def make_stubs() -> None:
    """Programs that kill their process group instead of the real one's run number OPENHOOK_DIES_AT."""
    STUBS.mkdir(exist_ok=True)
    # This kernel need not have AppArmor.
    for name, real in (("apparmor_parser", "true"), *((name, name) for name in ("dpkg-divert", "cp", "ln", "mv", "rm"))):
        stub = STUBS / name
        stub.write_text(f"#!/bin/sh\necho >> {STUBS}/calls\n"
                        f'[ "$(wc -l < {STUBS}/calls)" != "${{OPENHOOK_DIES_AT:-}}" ] || kill -KILL 0\n'
                        f'exec /usr/bin/{real} "$@"\n', encoding="utf-8")
        stub.chmod(0o755)


def run(command: str, dies_at: str = "") -> subprocess.CompletedProcess:
    (STUBS / "calls").unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{STUBS}:{os.environ['PATH']}", "OPENHOOK_AA_HELPER": OURS,
                   "OPENHOOK_DIES_AT": dies_at}
    return subprocess.run([str(SCRIPT), command], env=environment, capture_output=True, text=True, check=False,
                          start_new_session=True)


def where_dpkg_unpacks() -> Path:
    return Path(subprocess.run(["dpkg-divert", "--truename", str(HELPER)], check=True, capture_output=True,
                               text=True).stdout.strip())


def install_libvirt(version: str) -> None:
    """As dpkg does: a new file, renamed over what is there."""
    new = Path(f"{HELPER}.dpkg-new")
    new.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
    new.chmod(0o755)
    new.rename(where_dpkg_unpacks())


class Divert(unittest.TestCase):
    def setUp(self) -> None:
        make_stubs()
        Path("/etc/apparmor.d/openhook-aa-helper").touch()
        for path in (HELPER, ORIGINAL):
            path.unlink(missing_ok=True)
        subprocess.run(["dpkg-divert", "--local", "--no-rename", "--remove", str(HELPER)], check=True,
                       capture_output=True)
        install_libvirt("1")

    def assert_replaced(self, version: str) -> None:
        self.assertEqual(os.readlink(HELPER), OURS)
        self.assertIn(f"echo {version}", ORIGINAL.read_text(encoding="utf-8"))
        self.assertEqual(where_dpkg_unpacks(), ORIGINAL)

    def assert_restored(self, version: str) -> None:
        self.assertFalse(HELPER.is_symlink())
        self.assertIn(f"echo {version}", HELPER.read_text(encoding="utf-8"))
        self.assertFalse(ORIGINAL.exists())
        self.assertEqual(where_dpkg_unpacks(), HELPER)

    def must(self, command: str) -> None:
        done = run(command)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_either_command_may_be_repeated(self) -> None:
        for _ in range(2):
            self.must("replace")
            self.assert_replaced("1")
        self.must("restore")
        self.assert_restored("1")
        done = run("restore")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing was replaced", done.stderr)
        self.assert_restored("1")

    def test_an_upgrade_changes_the_original_alone(self) -> None:
        self.must("replace")
        install_libvirt("2")
        self.assert_replaced("2")
        self.must("restore")
        self.assert_restored("2")

    def test_without_libvirt_nothing_is_left(self) -> None:
        self.must("replace")
        ORIGINAL.unlink()
        self.assertIn("there is no", run("replace").stderr, "our own link is no original")
        self.must("restore")
        self.assertFalse(HELPER.is_symlink())
        self.assertEqual(where_dpkg_unpacks(), HELPER)

    def test_an_interrupted_one_is_put_right_by_either(self) -> None:
        deaths = 0
        for command in ("replace", "restore"):
            for number in range(1, 20):
                for upgraded in (False, True):
                    for then in ("replace", "restore"):
                        self.setUp()
                        if command == "restore":
                            self.must("replace")
                        died = run(command, str(number)).returncode != 0
                        deaths += died
                        if upgraded:
                            install_libvirt("2")
                        if died or then != command:
                            with self.subTest(command=command, number=number, upgraded=upgraded, then=then):
                                self.settle(then, "2" if upgraded else "1")
                if not died:
                    break
        self.assertGreater(deaths, 20)

    def settle(self, then: str, version: str) -> None:
        done = run(then)
        if done.returncode != 0:
            self.assertIn("nothing was replaced", done.stderr)
        if then == "replace":
            self.assert_replaced(version)
        else:
            self.assert_restored(version)


if __name__ == "__main__":
    run_tests("/usr/lib/libvirt")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands of docs/operations.md, as they are printed there."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from libvirt_host import BIN, DEADLINE, QEMU, Host, definition, disk, run_tests, virsh

SOURCE = Path(__file__).resolve().parents[2]
PAGE = SOURCE / "docs" / "operations.md"


def blocks(title: str) -> list[list[str]]:
    """The lines of each code block of one section."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [block.splitlines() for block in re.findall(r"^```\n(.*?)^```", section, re.DOTALL | re.MULTILINE)]


def run(line: str) -> str:
    line = line.replace("cmake --install build", f"cmake --install {BIN.parent}")
    done = subprocess.run(["/bin/bash", "-c", line], cwd=SOURCE, capture_output=True, text=True, check=False,
                          timeout=DEADLINE * 2)
    if done.returncode != 0:
        raise AssertionError(f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Operations(unittest.TestCase):
    def setUp(self) -> None:
        self.host = Host()
        self.addCleanup(self.host.stop)
        self.directory = Path(tempfile.mkdtemp(prefix="operations-", dir="/var/lib"))
        self.directory.chmod(0o711)
        self.addCleanup(shutil.rmtree, self.directory)
        for name, more in (("base", []), ("disk", ["-b", "base.qcow2", "-F", "qcow2"])):
            path = self.directory / f"{name}.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *more, str(path), "1M"], check=True)
            path.chmod(0o600)
        self.host.define(definition("vm1", disk(self.directory / "disk.qcow2")))

    def restart(self, said: str) -> None:
        """There is no systemd here."""
        self.assertIn("Restart libvirtd now", said)
        self.host.restart()

    def test_three_commands_adopt_a_domain_and_two_take_it_back(self) -> None:
        before = self.host.xml("vm1")
        conf = Path("/etc/libvirt/qemu.conf").read_text(encoding="utf-8")
        (install, enable, adopt), (start, lists, doctor) = blocks("Three commands")
        run(install)
        self.restart(run(enable))
        self.assertIn("Adopted 'vm1'", run(adopt))
        run(start)
        self.assertIn(str(self.directory / "base.qcow2"), run(lists))
        self.assertNotIn("problem", run(doctor))
        self.check_confined()
        virsh("destroy", "vm1")
        run(blocks("Images")[0][0])
        (release, disable), = blocks("And back")
        self.assertIn("byte for byte", run(release))
        self.restart(run(disable))
        self.assertEqual(self.host.xml("vm1"), before)
        self.assertEqual(Path("/etc/libvirt/qemu.conf").read_text(encoding="utf-8"), conf)
        virsh("start", "vm1")
        self.assertEqual(os.readlink(f"/proc/{self.qemu()}/exe"), QEMU)
        virsh("destroy", "vm1")

    @staticmethod
    def qemu() -> int:
        return int(Path("/run/libvirt/qemu/vm1.pid").read_text(encoding="utf-8"))

    def check_confined(self) -> None:
        """QEMU has its images open, which are root's alone."""
        opened = {os.readlink(entry) for entry in Path(f"/proc/{self.qemu()}/fd").iterdir()}
        for name in ("disk", "base"):
            path = self.directory / f"{name}.qcow2"
            self.assertIn(str(path), opened)
            self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o777), (0, 0o600))


if __name__ == "__main__":
    run_tests("/usr")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README's commands for the life of a VM, as they are printed there."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import settings

README = Path(__file__).resolve().parents[2] / "README.md"
DIRECTORY = "/srv/openhook-life"


def commands(title: str) -> str:
    """All that stands in code blocks of one section."""
    text = README.read_text(encoding="utf-8")
    section = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return "\n".join(re.findall(r"^```\n(.*?)^```", section, re.DOTALL | re.MULTILINE))


class LifeOfAVm(unittest.TestCase):
    def test_snapshot_two_commits_and_a_crash(self) -> None:
        script = commands("The life of a VM").replace("$PWD/build/bin", str(settings.BIN_DIR))
        self.addCleanup(subprocess.run, ["rm", "-rf", DIRECTORY, f"{DIRECTORY}.qemu"])
        done = subprocess.run(["/bin/bash", "-e", "-c", script], capture_output=True, text=True,
                              timeout=settings.DEADLINE * 3)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn('"error"', done.stdout)
        for job in ("snap: snapshot, completed", "c1: commit, pivoted", "c2: commit, pivoted"):
            self.assertIn(f"Job {job}.", done.stdout)
        last = done.stdout.rsplit("ID  ACCESS", 1)[1]
        self.assertNotIn("ENDED", last, "QEMU is over")
        self.assertEqual(re.findall(r"(\S+) +file .*/(\S+)\.qcow2", last),
                         [("read", "vda-base"), ("read-write", "vda"), ("read-write", "vdb-base")])


if __name__ == "__main__":
    unittest.main()

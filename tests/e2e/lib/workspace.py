# SPDX-License-Identifier: LGPL-2.1-or-later
"""The temporary directories of one VM, with the ownership that the broker exists for."""

import os
import shutil
import tempfile
from pathlib import Path

from lib import settings


class Workspace:
    """
    images/   root:root 0700, every file in it 0600: the VM's user cannot even look inside
    private/  belongs to the VM's user: its sockets and temporary files
    state/    the broker's database and audit log
    run/      the broker's sockets
    logs/     what the programs wrote to standard error
    """

    def __init__(self, prefix: str = "openhook-e2e-") -> None:
        self.root = Path(tempfile.mkdtemp(prefix=prefix))
        self.root.chmod(0o711)
        self.images = self._directory("images", 0o700)
        self.state = self._directory("state", 0o700)
        self.logs = self._directory("logs", 0o700)
        self.run = self._directory("run", 0o711)
        self.private = self._directory("private", 0o700)
        os.chown(self.private, settings.VM_UID, settings.VM_UID)

    def _directory(self, name: str, mode: int) -> Path:
        path = self.root / name
        path.mkdir()
        path.chmod(mode)
        return path

    def remove(self) -> None:
        """Deletes everything. Processes that use it must have ended."""
        shutil.rmtree(self.root)

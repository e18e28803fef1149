# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where programs are, which user a VM runs as, and which way of opening files is under test.

Three environment variables change it:
    OPENHOOK_BIN_DIR   directory with openhookd, openhookctl, openhook-qemu (default: build/bin)
    OPENHOOK_E2E_MODE  "broker" (default), or "native": QEMU runs as root and opens files itself.
                       A test that fails natively too says nothing about the broker.
    OPENHOOK_E2E_SHIM  "preload" (default) or "seccomp": openhook-qemu --mode
"""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BIN_DIR = Path(os.environ.get("OPENHOOK_BIN_DIR", REPOSITORY / "build" / "bin"))
GUEST_DIR = Path(os.environ.get("OPENHOOK_GUEST_DIR", REPOSITORY / "build" / "guest"))
NATIVE = os.environ.get("OPENHOOK_E2E_MODE", "broker") == "native"
SHIM = os.environ.get("OPENHOOK_E2E_SHIM", "preload")

# A user that owns nothing on any Debian system: what QEMU can open, the broker opened for it.
VM_UID = 64777

QEMU_SYSTEM = "/usr/bin/qemu-system-x86_64"
QEMU_STORAGE_DAEMON = "/usr/bin/qemu-storage-daemon"
QEMU_IMG = "/usr/bin/qemu-img"
QEMU_IO = "/usr/bin/qemu-io"
QEMU_NBD = "/usr/bin/qemu-nbd"

# What libvirt passes. It also sets no_new_privs, so nothing can raise its rights afterwards.
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
# The part of it with which QEMU 7.2 can still go into the background.
SANDBOX_FORKING = "on,obsolete=deny"

# Patience, in seconds, for anything that takes milliseconds on an idle machine.
DEADLINE = 30.0


def program(name: str) -> str:
    """Path of one of the project's own programs; a missing one is an error, not a skip."""
    return _existing(BIN_DIR / name)


def test_program(name: str) -> str:
    """Path of a program that only tests use."""
    return _existing(BIN_DIR.parent / "test-bin" / name)


def _existing(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: build the project, or set OPENHOOK_BIN_DIR")
    return str(path)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that a compiler does not make: which room may include which, and who may call what.

Run as a test, and by the build itself (an upward include fails it). Each finding is one line:
FILE:LINE: rule. The rules are those of docs/architecture.md and docs/developing.md.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[2]

# What each room may include beside itself. A room that is not here may not be included at all.
LAYERS: dict[str, set[str]] = {
    "broker/base": set(),
    "proto": {"broker/base"},
    "policy/profile": {"broker/base"},
    "broker/sandbox": {"broker/base"},
    "policy/label": {"broker/base"},
    "broker/fs": {"broker/base"},
    "broker/program": {"broker/base"},
    "broker/worker": {"broker/base", "proto", "broker/sandbox", "broker/fs", "broker/chain"},
    "broker/image": {"broker/base"},
    "broker/chain": {"broker/base", "proto", "broker/sandbox", "broker/fs", "broker/image"},
    "broker/whitelist": {"broker/base"},
    "broker/store": {"broker/base", "broker/fs", "broker/whitelist"},
    "broker/audit": {"broker/base", "broker/fs"},
    "broker/server": {"broker/base", "proto", "broker/sandbox", "broker/fs", "broker/worker", "broker/whitelist",
                      "broker/store", "broker/audit", "policy/profile", "policy/label"},
    "policy/loader": {"broker/base", "proto", "broker/fs", "broker/program", "policy/profile", "policy/label"},
    "broker/client": {"broker/base", "proto", "broker/fs"},
    "broker/domain": {"broker/base"},
    "broker/plan": {"broker/base", "proto", "broker/domain", "broker/sandbox", "policy/profile"},
    "broker/libvirt": {"broker/base", "proto", "broker/fs", "broker/program", "broker/client"},
    "broker/adopt": {"broker/base", "broker/fs", "broker/program", "broker/domain"},
    "broker/doctor": {"broker/base", "proto", "broker/fs", "broker/client", "broker/domain", "broker/adopt",
                      "policy/profile", "policy/label"},
    "broker/ctl": {"broker/base", "proto", "broker/fs", "broker/program", "broker/image", "broker/chain", "broker/client",
                   "broker/domain", "broker/plan", "broker/libvirt", "broker/adopt", "broker/doctor",
                   "policy/profile"},
    "broker/aa_helper": {"broker/base", "proto", "broker/fs", "broker/image", "broker/chain", "broker/client",
                         "broker/domain", "broker/plan", "broker/ctl", "policy/profile", "policy/label",
                         "policy/loader"},
    "broker/relay": {"broker/base", "proto", "broker/client", "policy/profile"},
    "qemu-shim/client": {"broker/base", "proto"},
    "qemu-shim/preload": {"broker/base", "proto", "qemu-shim/client"},
    "qemu-shim/seccomp": {"broker/base", "proto", "qemu-shim/client"},
    "qemu-shim/launcher": {"broker/base", "proto", "policy/profile", "qemu-shim/seccomp"},
}

# Calls that touch a path (or a packet), and the places whose subject they are. Everywhere else they
# go round the checks: every hole of the path-safety libraries was a call site beside them.
PATH_CALLS = re.compile(
    r"(?<![\w>.])::(open|openat|creat|fopen|stat|lstat|fstatat|access|faccessat|realpath|readlink|"
    r"unlinkat|rename|renameat|mkdir|opendir|truncate|chmod|link|symlink|mknod)\s*\(|"
    r"std::filesystem|std::[io]?fstream|std::fopen|"
    r"(?<![\w:>.])(system|popen|fopen|realpath|opendir)\s*\(")
PATH_ROOMS = ("broker/fs/", "qemu-shim/", "policy/profile/landlock",
              "policy/loader/kernel_policy", "tests/")
# Sockets have to be unlinked, owned and given a mode by name, in the directory made for them.
# What the kernel says of itself and of a process is read where it is understood: constant names in
# /sys and /proc, and /proc/PID with the number of a peer, never a name from outside.
PATH_EXCEPTIONS = {"broker/server/listener.cc": {"chmod"}, "broker/relay/sockets.cc": {"chmod"},
                   "policy/label/detect.cc": {"open"}, "policy/label/peer_process.cc": {"open"}}
PACKET_CALLS = re.compile(r"\b(sendmsg|recvmsg|sendmmsg|recvmmsg)\s*\(")
PACKET_ROOMS = ("proto/bundle.cc", "proto/stream.cc", "tests/")

MAX_LINES = 450
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
INCLUDE = re.compile(r'#include "([^"]+)"')


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows, or all below the project's folders where there is no git."""
    try:
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", *patterns],
                                capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]
    except (OSError, subprocess.CalledProcessError):
        folders = ("broker", "proto", "policy", "qemu-shim", "tests")
        return [path for folder in folders for pattern in patterns
                for path in (ROOT / folder).rglob(pattern)]


def room_of(name: str) -> str | None:
    """The room that a path belongs to, e.g. broker/fs for broker/fs/open.h."""
    matching = [room for room in LAYERS if name.startswith(room + "/")]
    return max(matching, key=len) if matching else None


def layer_fault(room: str, included: str) -> str | None:
    target = room_of(included)
    if target is None or target == room or target in LAYERS[room]:
        return None
    return f"{room} must not include {included}: dependencies go downward only"


def line_faults(name: str, line: str) -> Iterator[str]:
    """Findings of one line, comments left out."""
    code = line.split("//", 1)[0]
    room = room_of(name)
    include = INCLUDE.match(code)
    if include and room is not None:
        fault = layer_fault(room, include.group(1))
        if fault:
            yield fault
    call = PATH_CALLS.search(code)
    if call and not name.startswith(PATH_ROOMS):
        word = next((group for group in call.groups() if group), call.group(0))
        if word not in PATH_EXCEPTIONS.get(name, set()):
            yield f"{word} outside of broker/fs"
    if PACKET_CALLS.search(code) and not name.startswith(PACKET_ROOMS):
        yield "a packet is sent or received outside of proto/bundle.cc and proto/stream.cc"
    if UNFINISHED.search(line):
        yield "unfinished work"


def file_faults(path: Path) -> Iterator[str]:
    name = str(path.relative_to(ROOT))
    lines = path.read_text(errors="replace").splitlines()
    if not any("SPDX-License-Identifier" in line for line in lines[:3]):
        yield f"{name}:1: no SPDX-License-Identifier in the first lines"
    if len(lines) > MAX_LINES:
        yield f"{name}:{len(lines)}: longer than {MAX_LINES} lines"
    for number, line in enumerate(lines, start=1):
        for fault in line_faults(name, line):
            yield f"{name}:{number}: {fault}"


def main() -> int:
    paths = tracked("*.cc", "*.h", "*.c")
    if not paths:
        print("no source files found")
        return 1
    faults = [fault for path in paths for fault in file_faults(path)]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

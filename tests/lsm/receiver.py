# SPDX-License-Identifier: LGPL-2.1-or-later
"""receiver.py SOCKET PATH ACCESS: a client that asks its broker for a file, started under a profile.

Prints one JSON object: whether the descriptor came, and what can be done with it. For each line on
standard input it tries once more what it can do with what it has.
"""

import fcntl
import json
import os
import struct
import sys

from client import OpenConnection  # found where PYTHONPATH says

F_OFD_SETLK = 37


def attempt(call):
    """"ok", or the error's name."""
    try:
        call()
        return "ok"
    except OSError as error:
        return os.strerror(error.errno)


def lock(descriptor):
    fcntl.fcntl(descriptor, F_OFD_SETLK, struct.pack("hhqqixxxx", fcntl.F_RDLCK, 0, 100, 1, 0))


def abilities(descriptor):
    return {
        "read": attempt(lambda: os.pread(descriptor, 1, 0)),
        "write": attempt(lambda: os.pwrite(descriptor, b"x", 0)),
        "truncate": attempt(lambda: os.ftruncate(descriptor, 7)),
        "lock": attempt(lambda: lock(descriptor)),
        "reopen": attempt(lambda: os.close(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY))),
    }


def main():
    socket, path, access = sys.argv[1], sys.argv[2], int(sys.argv[3])
    connection = OpenConnection(socket).greeted()
    try:
        reply = connection.open(path, access)
    except PermissionError:
        print(json.dumps({"arrived": False}), flush=True)
        return
    descriptor = reply["fd"]
    if descriptor is None:
        print(json.dumps({"refused": reply["reason"]}), flush=True)
        return
    print(json.dumps({"arrived": True, **abilities(descriptor)}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(abilities(descriptor)), flush=True)


if __name__ == "__main__":
    main()

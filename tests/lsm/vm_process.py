# SPDX-License-Identifier: LGPL-2.1-or-later
"""vm_process.py SOCKET PATH TEXT: a process that opens a file through its broker, writes TEXT to it
without waiting for a server, and keeps it open until its input ends.

A process of its own, because one that closes such a file hangs while the server is gone.
"""

import os
import sys

from client import READ_WRITE, OpenConnection  # found where PYTHONPATH says


def main():
    descriptor = OpenConnection(sys.argv[1]).greeted().open(sys.argv[2], READ_WRITE)["fd"]
    os.pwrite(descriptor, sys.argv[3].encode(), 0)
    print("written", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

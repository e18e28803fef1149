# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small modules that the end-to-end tests and the demonstration share.

    settings   where programs are, which user a VM runs as, native or brokered
    workspace  the temporary directories of one VM
    broker     openhookd and openhookctl: grants
    access     how a QEMU program reaches files: natively as root, or through the broker
    qmp        the QEMU Machine Protocol
    qemu       start and stop QEMU programs
    relay      QEMU behind the monitor relay
    images     images with known contents
    holders    which files a process holds open
    notifiers  keeper and notifier of the seccomp mode
    guest      the Linux guest of the demonstration
    case       the unittest base class that ties these together
"""

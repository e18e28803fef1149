# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small modules that make up the kernel lab; ../lab is its command line.

    cache    what is made once and kept
    archive  packages of a Debian release, downloaded and unpacked without being installed
    kernel   Debian's kernels and their modules
    root     a whole Debian as an ext4 image
    initramfs  the first, small user space of the guest
    payload  what one run brings along: files, their libraries, the command
    guest    QEMU: boots, waits, fetches the results
"""

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's libvirt with its stock profiles, started without systemd."""

import pathlib
import subprocess
import time

IMAGES = pathlib.Path("/var/lib/libvirt/images")
PROFILES = ("usr.sbin.libvirtd", "usr.lib.libvirt.virt-aa-helper")
# What libvirt and its helper say comes back with the run.
LOG = pathlib.Path("/out/libvirtd.log")
# An emulated machine takes its time to ask a QEMU for its capabilities.
PATIENCE = 120


def run(*argv, **options):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False,
                          timeout=PATIENCE, **options)
    return done.returncode, done.stdout + done.stderr


def must(*argv, **options):
    status, told = run(*argv, **options)
    if status != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {told}")
    return told


def until(true_now, seconds, what):
    end = time.monotonic() + seconds
    while not true_now():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def start():
    """The profiles come first: libvirtd only confines VMs when it is confined itself."""
    for profile in PROFILES:
        must("apparmor_parser", "-r", f"/etc/apparmor.d/{profile}")
    must("virtlogd", "-d")
    with open("/etc/libvirt/libvirtd.conf", "a", encoding="ascii") as settings:
        settings.write(f'log_outputs="1:file:{LOG}"\nlog_filters="1:util.command 1:security.security_apparmor"\n')
    go()


def restart():
    """As systemd would; VMs run on."""
    must("kill", *must("pidof", "libvirtd").split())
    until(lambda: run("pidof", "libvirtd")[0] != 0, PATIENCE, "libvirtd ends")
    go()


def go():
    must("libvirtd", "-d")
    until(lambda: run("virsh", "version")[0] == 0, PATIENCE, "libvirtd answers")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's libvirt with its stock profiles, started without systemd, and a VM without a guest system."""

import pathlib
import subprocess
import time

IMAGES = pathlib.Path("/var/lib/libvirt/images")
PROFILES = ("usr.sbin.libvirtd", "usr.lib.libvirt.virt-aa-helper")
# An emulated machine takes its time to ask a QEMU for its capabilities.
PATIENCE = 120

DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
"""


def run(*argv, **options):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False,
                          timeout=PATIENCE, **options)
    return done.returncode, done.stdout + done.stderr


def must(*argv, **options):
    status, told = run(*argv, **options)
    if status != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {told}")
    return told


def start():
    """The profiles come first: libvirtd only confines VMs when it is confined itself."""
    for profile in PROFILES:
        must("apparmor_parser", "-r", f"/etc/apparmor.d/{profile}")
    must("virtlogd", "-d")
    must("libvirtd", "-d")
    end = time.monotonic() + PATIENCE
    while run("virsh", "version")[0] != 0:
        if time.monotonic() > end:
            raise RuntimeError("libvirtd does not answer")
        time.sleep(0.2)


def make_chain(name):
    """base <- middle <- top; gives them in this order."""
    chain = [IMAGES / f"{name}-{layer}.qcow2" for layer in ("base", "middle", "top")]
    must("qemu-img", "create", "-q", "-f", "qcow2", chain[0], "8M")
    for below, image in zip(chain, chain[1:]):
        must("qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", image)
    return chain


def define(name, uuid, disk):
    must("virsh", "define", "/dev/stdin", input=DOMAIN.format(name=name, uuid=uuid, disk=disk))

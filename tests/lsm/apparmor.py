# SPDX-License-Identifier: LGPL-2.1-or-later
"""Profiles for a guest that has AppArmor in force: loaded as text, and seen in the kernel's log."""

import os
import pathlib
import subprocess


# What any dynamically linked program and a Python client need, and no image.
PROGRAM = """
  /usr/** mrix, /lib/** mr, /lib64/** mr, /etc/** r, /proc/** r, /sys/** r, /dev/null rw,
  network, signal,
"""


def profile(name, rules, attachment="", flags=""):
    return f"profile {name} {attachment} {flags and f'flags=({flags})'} {{\n{rules}\n}}\n"


def load(text):
    """Loads a profile, in place of the one that had its name."""
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache"], input=text, text=True,
                   check=True)


def remove(name):
    subprocess.run(["apparmor_parser", "--remove"], input=profile(name, ""), text=True, check=True)


def label_of(pid):
    return pathlib.Path(f"/proc/{pid}/attr/current").read_text().strip()


def log_everything():
    """The kernel drops lines that come too fast, unless told."""
    pathlib.Path("/proc/sys/kernel/printk_ratelimit").write_text("0")


def denials(**fields):
    """Lines of the kernel's log on what was denied, that have all these fields."""
    lines = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout.splitlines()
    words = ['apparmor="DENIED"', *(f'{name}="{value}"' for name, value in fields.items())]
    return [line for line in lines if all(word in line for word in words)]


ACCESS = {"r": 0x4, "w": 0x2, "k": 0x8000}


def allowed(profile, path):
    """What the kernel would allow on the path at this moment, as in "rwk"; None: no such profile."""
    question = b"label\0" + os.fsencode(profile) + b"\0\2" + os.fsencode(path)
    kernel = os.open("/sys/kernel/security/apparmor/.access", os.O_RDWR)
    try:
        os.write(kernel, question)
        words = os.read(kernel, 4096).decode().split()
    except FileNotFoundError:
        return None
    finally:
        os.close(kernel)
    allow, deny = (int(words[words.index(word) + 1], 16) for word in ("allow", "deny"))
    return "".join(letter for letter, bit in ACCESS.items() if allow & ~deny & bit)

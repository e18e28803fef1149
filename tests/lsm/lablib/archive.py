# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages of a Debian release, with package lists of their own.

Nothing is installed and the machine's apt is left as it is: the lab also needs packages of a release
that the machine does not run.
"""

import re
import subprocess
from pathlib import Path

from lablib.cache import Cache, MissingError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ANY_MIRROR = "http://deb.debian.org"


def mirror() -> str:
    """Where this machine gets Debian's packages from; it may reach nothing else."""
    repositories = run("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
    debian = [uri.rstrip("/") for uri in repositories if uri.rstrip("/").endswith("/debian")]
    return debian[0].removesuffix("/debian") if debian else ANY_MIRROR


def sources(release: str) -> str:
    """The release with its corrections, as lines for sources.list."""
    host = mirror()
    suites = [("debian", release)]
    if not release.endswith("-backports"):
        suites += [("debian", f"{release}-updates"), ("debian-security", f"{release}-security")]
    return "".join(f"deb [signed-by={KEYRING}] {host}/{place} {suite} main\n"
                   for place, suite in suites)


class Archive:
    def __init__(self, cache: Cache, release: str) -> None:
        self._release = release
        self._lists = cache.once(f"lists-{release}", self._fetch_lists)

    def newest(self, metapackage: str, prefix: str) -> str:
        """The versioned package, named `prefix`..., that one without contents stands for today."""
        told = self._apt("apt-cache", "depends", metapackage)
        found = re.search(rf"^ *Depends: ({prefix}\S+)$", told, re.MULTILINE)
        if found is None:
            raise MissingError(f"{metapackage} of {self._release} depends on nothing")
        return found.group(1)

    def unpack(self, package: str, into: Path) -> None:
        """Downloads a package and unpacks it below `into`."""
        try:
            self._download(package, into)
        except MissingError:
            # The kept lists may be older than what the mirror has now.
            self._apt("apt-get", "-q", "-q", "update")
            self._download(package, into)
        (file,) = into.glob("*.deb")
        run("dpkg-deb", "-x", str(file), str(into))
        file.unlink()

    def _download(self, package: str, into: Path) -> None:
        self._apt("apt-get", "-q", "-q", "download", package, cwd=into)

    def _fetch_lists(self, where: Path) -> None:
        (where / "sources.list").write_text(sources(self._release))
        (where / "status").touch()
        (where / "partial").mkdir()
        self._lists = where
        self._apt("apt-get", "-q", "-q", "update")

    def _apt(self, program: str, *arguments: str, cwd: Path = Path("/")) -> str:
        """apt with nothing of the machine's but its proxies. Its own download user is not used: it
        cannot write below a private checkout."""
        settings = {
            "Dir::Etc::SourceList": self._lists / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": self._lists,
            "Dir::State::Status": self._lists / "status",
            "Dir::Cache": self._lists,
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return run(program, *options, *arguments, cwd=cwd)


def run(*argv: str, cwd: Path = Path("/"), stdin: str = "") -> str:
    """Runs a tool and gives its output. Without the tool, or when it fails, something is missing."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, cwd=cwd)
    except FileNotFoundError:
        raise MissingError(f"{argv[0]} is missing; ./run build installs what the lab needs") from None
    if done.returncode != 0:
        raise MissingError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return done.stdout

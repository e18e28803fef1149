# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints FILE:Class.method for every test in the given files, one a line, for CMake."""

import sys
import unittest
from importlib import import_module
from pathlib import Path
from typing import Iterator


def cases(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """The single tests of a suite, however deep they are nested."""
    for member in suite:
        if isinstance(member, unittest.TestSuite):
            yield from cases(member)
        else:
            yield member


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    for name in sys.argv[1:]:
        module = import_module(Path(name).stem)
        for case in cases(unittest.defaultTestLoader.loadTestsFromModule(module)):
            print(f"{module.__name__}:{case.id().removeprefix(module.__name__ + '.')}")


if __name__ == "__main__":
    main()

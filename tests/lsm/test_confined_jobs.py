# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every kind of job that the end-to-end tests know, on a QEMU in the profile that openhook keeps; what
they expect of the whitelist is expected of the kernel.

Runs in a guest of the kernel lab with AppArmor in force; by ./run long.
"""

import unittest

import confined
import test_confined
import test_jobs  # found where PYTHONPATH says


def setUpModule():
    confined.set_up()


class ConfinedJobs(test_confined.ConfinedCase, test_jobs.Jobs):
    pass


if __name__ == "__main__":
    unittest.main()

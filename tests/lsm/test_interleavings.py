# SPDX-License-Identifier: LGPL-2.1-or-later
"""Grants, revokes and jobs of four clients at a time, while other programs load their idea of the VM's
profile and broker and loader are killed, the loader also between compiling, file, kernel and answer.
After each round the kernel gives what the whitelist gives, and that is what was acknowledged: no rule
is lost and none is left over.

Each round has a seed, which a failure names; it gives the same choices again, not the same moments.
OPENHOOK_INTERLEAVINGS sets how many rounds there are (6 unless told; ./run long: 200),
OPENHOOK_INTERLEAVING the first seed. Runs in a guest of the kernel lab.
"""

import os
import random
import unittest
from collections import Counter

import apparmor
import confined
from interleaving import Actor, Foreigners, Killer, World
from lib import images

ROUNDS = int(os.environ.get("OPENHOOK_INTERLEAVINGS", "6"))
FIRST_SEED = int(os.environ.get("OPENHOOK_INTERLEAVING", "1"))
ACTORS = 4

# Compiles in a tenth of the time, so that there are more interleavings in it. The shipped template is
# in the other tests.
TEMPLATE = """
profile OPENHOOK_TEMPLATE flags=(attach_disconnected) {
  network unix,
  signal,
  ptrace (readby) peer=openhookd,
}
"""


def setUpModule():
    confined.set_up()
    place = confined.ETC / "openhook/TEMPLATE.qemu"
    unittest.addModuleCleanup(place.write_text, place.read_text())
    place.write_text(TEMPLATE)


class Interleavings(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.world = World(confined.Workspace())
        self.addCleanup(self.world.stop)
        self.actors = [Actor(self.world, number) for number in range(ACTORS)]

    def test_no_rule_is_lost_and_none_is_left_over(self):
        happened = Counter()
        for seed in range(FIRST_SEED, FIRST_SEED + ROUNDS):
            try:
                happened += self.round(seed)
            except BaseException as error:
                error.add_note((self.world.workspace.logs / "loader.log").read_text()[-2000:])
                error.add_note(f"seed {seed}: OPENHOOK_INTERLEAVING={seed} OPENHOOK_INTERLEAVINGS=1")
                raise
        print(f"seeds {FIRST_SEED} to {FIRST_SEED + ROUNDS - 1}:",
              ", ".join(f"{count} {what}" for what, count in sorted(happened.items())))
        for what in ("changes", "foreign loads", "kills of the broker", "kills of the loader"):
            self.assertGreater(happened[what], ROUNDS / 5, "that was hardly a test")

    def round(self, seed):
        """What happened in it."""
        dice = random.Random(seed)
        threads = [Foreigners(self.world, random.Random(dice.random())),
                   Killer(self.world, random.Random(dice.random()))]
        threads += [actor.thread(random.Random(dice.random())) for actor in self.actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for thread in threads:
            if thread.failure:
                raise thread.failure
        self.check()
        return sum((thread.happened for thread in threads), Counter())

    def check(self):
        acknowledged = self.world.expected(self.actors)
        self.assertEqual(self.world.broker.given(), acknowledged, "the whitelist")
        try:
            images.wait_until(lambda: self.kernel(acknowledged) == acknowledged, "it")
        except AssertionError:
            self.assertEqual(self.kernel(acknowledged), acknowledged, "the kernel")
        images.wait_until(self.world.broker.in_step, "the broker that says so")
        self.assertEqual(self.kernel(acknowledged), acknowledged, "the kernel, a moment later")

    def kernel(self, paths):
        return self.world.broker.kernel(*paths, *confined.STRANGERS)


if __name__ == "__main__":
    unittest.main()

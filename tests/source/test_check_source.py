# SPDX-License-Identifier: LGPL-2.1-or-later
"""The source checks find what they are for."""

import unittest

import check_source


class CheckSource(unittest.TestCase):
    def faults(self, name: str, line: str) -> list[str]:
        return list(check_source.line_faults(name, line))

    def test_an_upward_include_is_found(self) -> None:
        self.assertTrue(self.faults("broker/whitelist/decide.cc", '#include "broker/fs/open.h"'))
        self.assertTrue(self.faults("broker/base/text.h", '#include "broker/server/broker.h"'))
        self.assertFalse(self.faults("broker/store/store.cc", '#include "broker/fs/directory.h"'))
        self.assertFalse(self.faults("broker/fs/open.cc", '#include "broker/fs/open.h"'))

    def test_a_path_call_outside_of_fs_is_found(self) -> None:
        for call in ("::open(path, 0)", "::stat(p, &s)", "std::filesystem::exists(p)",
                     "system(command)", "std::ifstream in(p)", "::chmod(p, 0)"):
            self.assertTrue(self.faults("broker/server/broker.cc", call), call)
            self.assertFalse(self.faults("broker/fs/open.cc", call), call)
        self.assertFalse(self.faults("broker/server/broker.cc", "stream.open(path)"))
        self.assertFalse(self.faults("broker/server/broker.cc", "// ::open() is banned here"))

    def test_a_packet_call_outside_of_bundle_is_found(self) -> None:
        self.assertTrue(self.faults("broker/ctl/control_client.cc", "::sendmsg(fd, &m, 0)"))
        self.assertFalse(self.faults("proto/bundle.cc", "::sendmsg(fd, &m, 0)"))

    def test_every_room_with_sources_has_a_layer(self) -> None:
        for path in check_source.tracked("*.cc"):
            name = str(path.relative_to(check_source.ROOT))
            if not name.startswith("tests/"):
                self.assertIsNotNone(check_source.room_of(name), name)


if __name__ == "__main__":
    unittest.main()

// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_tree.h"

namespace openhook::adopt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr const char* kUuid = "11111111-2222-3333-4444-555555555555";

class AdoptionFiles : public ::testing::Test {
 protected:
  [[nodiscard]] mode_t ModeOf(const std::string& path) const {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
  }
  testing::TempTree tree_;
  Adoptions adoptions_{tree_.root() + "/etc/domains"};
};

TEST_F(AdoptionFiles, ComeBackAsTheyWereWritten) {
  ASSERT_TRUE(adoptions_.Lock());
  Record record{"/usr/bin/openhook-qemu", "libvirt-1", {}};
  record.images.push_back({"/srv/a b \xff = c", 42, 64055, 107, 0644});
  ASSERT_TRUE(adoptions_.SetRecord(kUuid, record));
  ASSERT_TRUE(adoptions_.SetOriginal(kUuid, "<domain/>\n"));
  ASSERT_TRUE(adoptions_.SetSettings(kUuid, {{"drift", "strict"}, {"vm-user", "64055"}}));
  const auto read = adoptions_.RecordOf(kUuid);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->wrapper, record.wrapper);
  EXPECT_EQ((*read)->apparmor_label, "libvirt-1");
  ASSERT_EQ((*read)->images.size(), 1U);
  EXPECT_EQ((*read)->images[0].path, record.images[0].path);
  EXPECT_EQ((*read)->images[0].ino, 42U);
  EXPECT_EQ((*read)->images[0].uid, 64055U);
  EXPECT_EQ((*read)->images[0].gid, 107U);
  EXPECT_EQ((*read)->images[0].mode, 0644U);
  EXPECT_EQ(**adoptions_.Original(kUuid), "<domain/>\n");
  EXPECT_THAT(**adoptions_.SettingsOf(kUuid),
              ElementsAre(Pair("drift", "strict"), Pair("vm-user", "64055")));
}

// Such a name would not be found again when the image is to be given back.
TEST_F(AdoptionFiles, KeepEveryByteOfAnImagesName) {
  ASSERT_TRUE(adoptions_.Lock());
  Record record;
  for (const char* path : {"/srv/disk ", "/srv/disk\t", "/srv/disk\r", "/srv/disk\"", "/srv/#"}) {
    record.images.push_back({path, 42, 64055, 107, 0644});
  }
  ASSERT_TRUE(adoptions_.SetRecord(kUuid, record));
  const auto read = adoptions_.RecordOf(kUuid);
  ASSERT_TRUE(read && *read) << read.error().Message();
  ASSERT_EQ((*read)->images.size(), record.images.size());
  for (std::size_t i = 0; i < record.images.size(); ++i) {
    EXPECT_EQ((*read)->images[i].path, record.images[i].path);
  }
}

// The hook refuses such a file, too; a line that is left out here would be lost at the next change.
TEST_F(AdoptionFiles, AreNotReadWhereALineIsNoSetting) {
  ASSERT_TRUE(adoptions_.Lock());
  tree_.File(std::string("etc/domains/") + kUuid + ".conf", "vm-user = 64055\nnonsense\n");
  const auto settings = adoptions_.SettingsOf(kUuid);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, ErrorCode::kCorrupt);
}

TEST_F(AdoptionFiles, KeepWhatIsSecretFromOthersThanRoot) {
  ASSERT_TRUE(adoptions_.Lock());
  ASSERT_TRUE(adoptions_.SetOriginal(kUuid, "<password/>"));
  ASSERT_TRUE(adoptions_.SetRecord(kUuid, {}));
  ASSERT_TRUE(adoptions_.SetSettings(kUuid, {}));
  EXPECT_EQ(ModeOf(adoptions_.OriginalPath(kUuid)), 0600U);
  EXPECT_EQ(ModeOf(tree_.root() + "/etc/domains/" + kUuid + ".record"), 0600U);
  EXPECT_EQ(ModeOf(adoptions_.ConfPath(kUuid)), 0644U) << "it says nothing secret";
}

TEST_F(AdoptionFiles, AreListedByTheirConf) {
  EXPECT_THAT(*adoptions_.All(), IsEmpty()) << "no directory yet";
  ASSERT_TRUE(adoptions_.Lock());
  ASSERT_TRUE(adoptions_.SetOriginal(kUuid, "x"));
  EXPECT_THAT(*adoptions_.All(), IsEmpty());
  EXPECT_FALSE(*adoptions_.IsAdopted(kUuid));
  ASSERT_TRUE(adoptions_.SetSettings(kUuid, {}));
  EXPECT_THAT(*adoptions_.All(), ElementsAre(kUuid));
  EXPECT_TRUE(*adoptions_.IsAdopted(kUuid));
  ASSERT_TRUE(adoptions_.Forget(kUuid));
  EXPECT_THAT(*adoptions_.All(), IsEmpty());
  EXPECT_FALSE(*adoptions_.Original(kUuid));
  EXPECT_TRUE(adoptions_.Forget(kUuid)) << "a second time";
}

TEST_F(AdoptionFiles, AreChangedByOneAtATime) {
  const auto lock = adoptions_.Lock();
  ASSERT_TRUE(lock);
  const auto second = adoptions_.Lock();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST_F(AdoptionFiles, ThatAreDamagedAreAnErrorAndNotARecord) {
  ASSERT_TRUE(adoptions_.Lock());
  for (const char* text : {"image = 1 2\n", "image = 1 2 3 644 relative\n", "what = x\n"}) {
    tree_.File(std::string("etc/domains/") + kUuid + ".record", text);
    const auto read = adoptions_.RecordOf(kUuid);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace openhook::adopt

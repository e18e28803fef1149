// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/recovery.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "broker/fs/identity.h"
#include "broker/fs/resolve.h"
#include "tests/support/temp_tree.h"

namespace openhook::server {
namespace {

using whitelist::Grant;
using whitelist::GrantAccess;

constexpr char kVm[] = "11111111-2222-3333-4444-555555555555";

class Recovery : public ::testing::Test {
 protected:
  Recovery() : store_(store::Store::Open(tree_.Path("db"), kVm).value()) {
    tree_.Directory("images");
  }

  // A grant as it was pinned in an earlier boot: other mount id and device number.
  Grant FromEarlierBoot(const std::string& path) {
    auto file = fs::ResolveFollowing(path).value();
    Grant grant{.path = file.path};
    grant.lease = "domain";
    grant.access = GrantAccess::kReadWrite;
    grant.identity = file.identity;
    grant.identity->mount_id += 100;
    grant.identity->dev += 100;
    return grant;
  }
  store::Loaded LoadWith(std::vector<Grant> grants) {
    auto loaded = store_.Load().value();
    const auto change = loaded.whitelist.PlanGrants(std::move(grants)).value();
    EXPECT_TRUE(store_.Save(change));
    EXPECT_TRUE(store_.SaveBootId("an earlier boot"));
    return store_.Load().value();
  }
  store::Creating CreatingAt(const std::string& name) {
    auto dir = fs::ResolveFollowing(tree_.Path("images")).value();
    return {dir.path.Join(name).value(), "domain", dir.identity, 42};
  }

  testing::TempTree tree_;
  store::Store store_;
  std::vector<audit::Event> unanswered_;
};

TEST_F(Recovery, AfterARebootAFileWithItsHandleIsPinnedAnew) {
  auto loaded = LoadWith({FromEarlierBoot(tree_.File("images/a"))});
  ASSERT_TRUE(ConfirmIdentities(&store_, &loaded, worker::Jobs(nullptr), &unanswered_));
  const auto* entry = loaded.whitelist.Find(tree_.Path("images/a")).entry;
  ASSERT_FALSE(entry->stale);
  EXPECT_TRUE(SameFile(*entry->identity, fs::ResolveFollowing(tree_.Path("images/a"))->identity));
  EXPECT_EQ(store_.Load()->boot_id, fs::BootId().value());
}

TEST_F(Recovery, AFileReplacedOverTheRebootIsStale) {
  auto loaded = LoadWith({FromEarlierBoot(tree_.File("images/a"))});
  ASSERT_EQ(::unlink(tree_.Path("images/a").c_str()), 0);
  tree_.File("images/other");
  tree_.File("images/a");
  ASSERT_TRUE(ConfirmIdentities(&store_, &loaded, worker::Jobs(nullptr), &unanswered_));
  EXPECT_TRUE(loaded.whitelist.Find(tree_.Path("images/a")).entry->stale);
  EXPECT_TRUE(store_.Load()->whitelist.grants().begin()->second.stale);
}

TEST_F(Recovery, WithoutAHandleTheAdministratorHasToConfirm) {
  Grant grant = FromEarlierBoot(tree_.File("images/a"));
  grant.identity->handle.clear();
  auto loaded = LoadWith({grant});
  ASSERT_TRUE(ConfirmIdentities(&store_, &loaded, worker::Jobs(nullptr), &unanswered_));
  EXPECT_TRUE(loaded.whitelist.Find(tree_.Path("images/a")).entry->stale);
}

TEST_F(Recovery, WithinOneBootNothingIsTouched) {
  auto loaded = LoadWith({FromEarlierBoot(tree_.File("images/a"))});
  loaded.boot_id = fs::BootId().value();
  ASSERT_TRUE(ConfirmIdentities(&store_, &loaded, worker::Jobs(nullptr), &unanswered_));
  EXPECT_EQ(store_.Load()->boot_id, "an earlier boot");
}

TEST_F(Recovery, AnUnfinishedCreationIsFinished) {
  ASSERT_TRUE(store_.SaveCreating(CreatingAt("new")));
  tree_.File("images/new");
  auto loaded = store_.Load().value();
  FinishCreating(&store_, &loaded, worker::Jobs(nullptr));
  const auto* entry = loaded.whitelist.Find(tree_.Path("images/new")).entry;
  ASSERT_NE(entry, nullptr);
  EXPECT_TRUE(entry->created_by_vm);
  EXPECT_EQ(entry->token, 42U);
  EXPECT_TRUE(store_.Load()->creating.empty());
  EXPECT_EQ(store_.Load()->whitelist.created().size(), 1U);
}

TEST_F(Recovery, WhatCannotBeAnUnfinishedCreationIsNotAdopted) {
  tree_.File("images/full", "data");
  tree_.File("images/linked");
  ASSERT_EQ(::link(tree_.Path("images/linked").c_str(), tree_.Path("images/second").c_str()), 0);
  tree_.Symlink("images/symlink", "linked");
  for (const char* name : {"absent", "full", "linked", "symlink"}) {
    ASSERT_TRUE(store_.SaveCreating(CreatingAt(name)));
    auto loaded = store_.Load().value();
    FinishCreating(&store_, &loaded, worker::Jobs(nullptr));
    EXPECT_TRUE(loaded.whitelist.created().empty()) << name;
    EXPECT_TRUE(store_.Load()->creating.empty()) << name;
  }
}

}  // namespace
}  // namespace openhook::server

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files that are no disks: dumps, logs, guest memory; and the machine's way to another host.

#include <array>

#include "broker/base/text.h"
#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

struct ObjectFile {
  std::string_view type;
  const char* key;
  proto::GrantAccess access;
};
constexpr auto kObjectFiles = std::to_array<ObjectFile>({
    {"memory-backend-file", "mem-path", proto::GRANT_ACCESS_CREATE},
    {"filter-dump", "file", proto::GRANT_ACCESS_CREATE},
    {"secret", "file", proto::GRANT_ACCESS_READ},
    {"authz-list-file", "filename", proto::GRANT_ACCESS_READ},
    {"input-linux", "evdev", proto::GRANT_ACCESS_READ_WRITE},
});

void HoldNamed(const std::string& owner, const std::string& name, proto::GrantAccess access,
               Planning* planning) {
  if (!name.empty()) {
    planning->Hold(owner, AbsoluteName(name, planning->state().cwd), access);
  }
}

// "file:PATH" of a migration stream, with or without an offset behind a comma.
std::string FileOfStream(const Json& arguments) {
  const std::string uri = StringAt(arguments, "uri");
  return uri.starts_with("file:") ? uri.substr(5, uri.find(',') - 5) : "";
}

void TrackMigration(Migration direction, Planning* planning) {
  Tracked& tracked = planning->EndWithJob("");
  tracked.until = Until::kMigration;
  tracked.effects.migration = direction;
}

void BeginStream(const std::string& file, proto::GrantAccess access, Planning* planning) {
  if (!file.empty()) {
    AddTarget(&planning->Begin(proto::JOB_KIND_SAVE, "migration"),
              AbsoluteName(file, planning->state().cwd), access, "");
    planning->EndWithJob("").until = Until::kMigration;
  }
}

}  // namespace

void SaveTo(const std::string& file, Planning* planning) {
  if (!file.empty()) {
    AddTarget(&planning->Begin(proto::JOB_KIND_SAVE, "save"),
              AbsoluteName(file, planning->state().cwd), proto::GRANT_ACCESS_CREATE, "");
    planning->EndWithCommand();
  }
}

void PlanFileOfCommand(const Json& arguments, Planning* planning) {
  SaveTo(StringAt(arguments, "filename"), planning);
}

void PlanDump(const Json& arguments, Planning* planning) {
  const std::string protocol = StringAt(arguments, "protocol");
  if (!protocol.starts_with("file:")) {
    return;
  }
  SaveTo(protocol.substr(5), planning);
  if (BoolAt(arguments, "detach", false) && !planning->plan.begins.empty()) {
    planning->plan.effects.ends.pop_back();
    planning->EndWithJob("").until = Until::kDump;
  }
}

void PlanObjectAdd(const Json& arguments, Planning* planning) {
  const std::string type = StringAt(arguments, "qom-type");
  const std::string owner = "object:" + StringAt(arguments, "id");
  for (const ObjectFile& file : kObjectFiles) {
    if (type == file.type) {
      const bool reading = BoolAt(arguments, "readonly", false);
      HoldNamed(owner, StringAt(arguments, file.key),
                reading ? proto::GRANT_ACCESS_READ : file.access, planning);
    }
  }
}

void PlanObjectDel(const Json& arguments, Planning* planning) {
  planning->plan.effects.released.push_back("object:" + StringAt(arguments, "id"));
}

void PlanChardevAdd(const Json& arguments, Planning* planning) {
  const std::string owner = "chardev:" + StringAt(arguments, "id");
  const Json& backend = ObjectAt(arguments, "backend");
  const Json& data = ObjectAt(backend, "data");
  const std::string type = StringAt(backend, "type");
  planning->plan.effects.released.push_back(owner);
  HoldNamed(owner, StringAt(data, "logfile"), proto::GRANT_ACCESS_CREATE, planning);
  if (type == "file") {
    HoldNamed(owner, StringAt(data, "out"), proto::GRANT_ACCESS_CREATE, planning);
    HoldNamed(owner, StringAt(data, "in"), proto::GRANT_ACCESS_READ, planning);
  } else if (type == "pipe") {
    const std::string device = StringAt(data, "device");
    HoldNamed(owner, device + ".in", proto::GRANT_ACCESS_READ_WRITE, planning);
    HoldNamed(owner, device + ".out", proto::GRANT_ACCESS_READ_WRITE, planning);
  } else if (type == "serial" || type == "tty" || type == "parallel" || type == "parport") {
    HoldNamed(owner, StringAt(data, "device"), proto::GRANT_ACCESS_READ_WRITE, planning);
  }
}

void PlanChardevRemove(const Json& arguments, Planning* planning) {
  planning->plan.effects.released.push_back("chardev:" + StringAt(arguments, "id"));
}

void PlanMigrate(const Json& arguments, Planning* planning) {
  planning->Begin(proto::JOB_KIND_MIGRATE_OUT, "migrate");
  TrackMigration(Migration::kLeft, planning);
  BeginStream(FileOfStream(arguments), proto::GRANT_ACCESS_CREATE, planning);
}

void PlanMigrateIncoming(const Json& arguments, Planning* planning) {
  planning->Begin(proto::JOB_KIND_MIGRATE_IN, "migrate");
  TrackMigration(Migration::kArrived, planning);
  BeginStream(FileOfStream(arguments), proto::GRANT_ACCESS_READ, planning);
}

// The machine goes on here after all: its disks are for writing again.
void PlanCont(const Json&, Planning* planning) {
  planning->Begin(proto::JOB_KIND_MIGRATE_IN, "cont");
  planning->EndWithCommand();
  planning->plan.effects.migration = Migration::kArrived;
}

}  // namespace openhook::relay

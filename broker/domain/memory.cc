// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Guest memory that is a file: huge pages, file-backed memory, NVDIMMs, shared memory.

#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

// Where libvirt lets a running machine make its memory files. The directory above it holds those
// of all machines, and is never granted.
void PlanMemoryDirectory(const std::string& above, const std::string& source, Planning* planning) {
  if (planning->short_name().empty()) {
    planning->Warn(source,
                   "the directory of its memory files is made when the machine starts: "
                   "plan the definition of the running machine");
    return;
  }
  planning->Add({.path = above + "/" + planning->short_name(),
                 .access = Access::kCreate,
                 .kind = Kind::kDirectory,
                 .source = source});
}

// Mount points by size are the host's. With the usual ones, the default size is /dev/hugepages, and
// others have their size in the name.
bool IsGigantic(const Element& page) {
  const std::string_view size = page.Attribute("size");
  const std::string_view unit = page.Attribute("unit");
  return (size == "1" && (unit == "G" || unit == "GiB")) ||
         (size == "1048576" && (unit.empty() || unit == "KiB"));
}

void PlanHugepages(const Element& hugepages, Planning* planning) {
  bool other_sizes = hugepages.All("page").empty();
  for (const Element* page : hugepages.All("page")) {
    if (IsGigantic(*page)) {
      PlanMemoryDirectory("/dev/hugepages1G/libvirt/qemu", "hugepages", planning);
    } else {
      other_sizes = true;
    }
  }
  if (other_sizes) {
    PlanMemoryDirectory("/dev/hugepages/libvirt/qemu", "hugepages", planning);
  }
}

Kind KindOfMemory(std::string_view path) {
  if (path.starts_with("/dev/dax")) {
    return Kind::kCharacter;
  }
  return path.starts_with("/dev/") && !path.starts_with("/dev/shm/") ? Kind::kBlock : Kind::kFile;
}

}  // namespace

void PlanMemoryBacking(const Element& domain, Planning* planning) {
  const Element* backing = domain.First("memoryBacking");
  if (backing == nullptr) {
    return;
  }
  const Element* source = backing->First("source");
  const std::string_view type = source == nullptr ? "" : source->Attribute("type");
  if (type == "memfd") {
    return;  // has no name, huge pages or not
  }
  if (const Element* hugepages = backing->First("hugepages")) {
    PlanHugepages(*hugepages, planning);
  } else if (type == "file") {
    PlanMemoryDirectory("/var/lib/libvirt/qemu/ram", "memory", planning);
  } else if (!type.empty() && type != "anonymous") {
    planning->WarnUnknownType("memoryBacking source", type);
  }
}

void PlanMemoryDevice(const Element& memory, std::size_t number, Planning* planning) {
  const std::string model(memory.Attribute("model"));
  const std::string source = "memory " + std::to_string(number) + " " + Shown(model);
  if (model == "sgx-epc") {
    planning->AddCharacterDevice("/dev/sgx_vepc", source);
    return;
  }
  if (model != "dimm" && model != "nvdimm" && model != "virtio-pmem" && model != "virtio-mem") {
    planning->WarnUnknownType(source, model);
  }
  const Element* holder = memory.First("source");
  if (holder == nullptr) {
    return;
  }
  WantedFile file{.path = std::string(holder->TextOf("path")), .source = source};
  const bool readonly = memory.First("target", "readonly") != nullptr;
  file.access = readonly ? Access::kRead : Access::kReadWrite;
  file.kind = KindOfMemory(file.path);
  planning->Add(std::move(file));
}

void PlanShmem(const Element& shmem, Planning* planning) {
  const std::string name(shmem.Attribute("name"));
  const std::string source = "shmem " + Shown(name);
  if (name.empty() || name.find('/') != std::string::npos) {
    planning->Warn(source, "its name cannot be a file; it is not in this plan");
    return;
  }
  const Element* server = shmem.First("server");
  const Element* model = shmem.First("model");
  if (server != nullptr || (model != nullptr && model->Attribute("type") == "ivshmem-doorbell")) {
    planning->Add({.path = (server == nullptr ? kEmptyElement : *server)
                               .AttributeOr("path", "/var/lib/libvirt/shmem-" + name + "-sock"),
                   .access = Access::kReadWrite,
                   .kind = Kind::kSocket,
                   .source = source});
    return;
  }
  planning->Add({.path = "/dev/shm/" + name, .access = Access::kCreate, .source = source});
}

}  // namespace openhook::domain

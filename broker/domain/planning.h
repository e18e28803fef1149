// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Collects a plan while the elements of a definition are gone through, and answers what one element
// has to know of the whole domain.

#ifndef BROKER_DOMAIN_PLANNING_H_
#define BROKER_DOMAIN_PLANNING_H_

#include <string>
#include <string_view>
#include <unordered_set>

#include "broker/base/result.h"
#include "broker/domain/element.h"
#include "broker/domain/plan.h"

namespace openhook::domain {

class Planning {
 public:
  // Name, UUID, id and type of the domain.
  explicit Planning(const Element& domain);

  // An empty path adds nothing: the element has no file (an empty drive). One that is not absolute
  // is refused. What is in the plan already, with the same access, is not repeated.
  void Add(WantedFile file);
  void AddDevice(DeviceQuestion question);
  void AddNetwork(NetworkTarget target);
  void Refuse(std::string_view path, std::string_view source, std::string reason);
  // A sentence that begins with the element.
  void Warn(std::string_view source, std::string_view sentence);
  // "SOURCE: type 'x' is not known; ...".
  void WarnUnknownType(std::string_view source, std::string_view type);

  // A character device, read-write.
  void AddCharacterDevice(std::string_view path, std::string_view source);
  // The container device of VFIO, which every group needs.
  void AddVfio(std::string_view source);

  [[nodiscard]] bool IsKvm() const { return type_ == "kvm"; }
  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] const std::string& name() const { return plan_.name; }
  // "ID-NAME", as libvirt calls a running domain's directories; empty for one that does not run.
  [[nodiscard]] const std::string& short_name() const { return plan_.short_name; }

  // Errors: kLimit for a definition that wants more than limits::kMaxPlanned things.
  Result<Plan> Finish();

 private:
  bool HasRoom();

  Plan plan_;
  std::string type_;
  std::unordered_set<std::string> seen_;
  std::size_t count_ = 0;
};

// A name out of the definition within a sentence or a source: escaped and shortened.
std::string Shown(std::string_view name);

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_PLANNING_H_

// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/plan/message.h"

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "proto/plan.pb.h"

namespace openhook::plan {

namespace {

// The enumerations of plan.proto have the same order; those with an "unspecified" begin one later.
template <class Proto, class Ours>
Proto ToProto(Ours value, int offset) {
  return static_cast<Proto>(static_cast<int>(value) + offset);
}

// False for a number that is not one of ours.
template <class Proto, class Ours>
bool FromProto(Proto value, int offset, Ours last, Ours* out) {
  const int number = static_cast<int>(value) - offset;
  if (number < 0 || number > static_cast<int>(last)) {
    return false;
  }
  *out = static_cast<Ours>(number);
  return true;
}

void SetFile(const domain::WantedFile& file, proto::PlannedFile* message) {
  message->set_path(file.path);
  message->set_access(ToProto<proto::PlannedAccess>(file.access, 1));
  message->set_kind(ToProto<proto::PlannedKind>(file.kind, 1));
  message->set_source(file.source);
  message->set_depth(file.depth);
  message->set_format(file.format);
  message->set_role(ToProto<proto::PlannedRole>(file.role, 0));
  message->set_below(ToProto<proto::PlannedBelow>(file.below, 0));
  message->set_if_there(file.presence == domain::Presence::kIfThere);
  message->set_disk(file.disk);
  message->set_shareable(file.shareable);
}

void SetDevice(const domain::DeviceQuestion& device, proto::PlannedDevice* message) {
  message->set_kind(ToProto<proto::PlannedDeviceKind>(device.kind, 1));
  message->set_key(device.key);
  message->set_access(ToProto<proto::PlannedAccess>(device.access, 1));
  message->set_source(device.source);
}

void SetSpan(const domain::Span& span, proto::PlannedSpan* message) {
  message->set_begin(span.begin);
  message->set_end(span.end);
}

void SetPlaces(const domain::Places& places, proto::PlannedPlaces* message) {
  SetSpan(places.emulator, message->mutable_emulator());
  message->set_emulator_path(places.emulator_path);
  for (const domain::LabelPlace& label : places.labels) {
    proto::PlannedLabel* planned = message->add_labels();
    SetSpan(label.span, planned->mutable_span());
    planned->set_type(label.type);
    planned->set_model(label.model);
    planned->set_relabel(label.relabel);
    planned->set_label(label.label);
  }
  SetSpan(places.before_new_label, message->mutable_before_new_label());
}

void SetPlan(const domain::Plan& plan, proto::DomainPlan* message) {
  message->set_uuid(plan.uuid);
  message->set_name(plan.name);
  message->set_short_name(plan.short_name);
  for (const domain::WantedFile& file : plan.files) {
    SetFile(file, message->add_files());
  }
  for (const domain::DeviceQuestion& device : plan.devices) {
    SetDevice(device, message->add_devices());
  }
  for (const domain::NetworkTarget& target : plan.network) {
    proto::PlannedNetwork* network = message->add_network();
    network->set_name(target.name);
    network->set_source(target.source);
    network->set_depth(target.depth);
  }
  for (const domain::Refusal& refusal : plan.refused) {
    proto::PlannedRefusal* refused = message->add_refused();
    refused->set_path(refusal.path);
    refused->set_source(refusal.source);
    refused->set_reason(refusal.reason);
  }
  for (const std::string& warning : plan.warnings) {
    message->add_warnings(warning);
  }
  SetPlaces(plan.places, message->mutable_places());
}

bool GetFile(const proto::PlannedFile& message, domain::WantedFile* file) {
  file->path = message.path();
  file->source = OneLine(message.source());
  file->depth = message.depth();
  file->format = OneLine(message.format());
  file->presence = message.if_there() ? domain::Presence::kIfThere : domain::Presence::kExpected;
  file->disk = message.disk();
  file->shareable = message.shareable();
  return message.path().starts_with('/') && message.path().find('\0') == std::string::npos &&
         message.depth() <= limits::kMaxChainDepth &&
         FromProto(message.access(), 1, domain::Access::kList, &file->access) &&
         FromProto(message.kind(), 1, domain::Kind::kFifo, &file->kind) &&
         FromProto(message.role(), 0, domain::Role::kDataFile, &file->role) &&
         FromProto(message.below(), 0, domain::Below::kUnknown, &file->below);
}

bool GetDevice(const proto::PlannedDevice& message, domain::DeviceQuestion* device) {
  device->key = message.key();
  device->source = OneLine(message.source());
  return FromProto(message.kind(), 1, domain::DeviceKind::kRenderNode, &device->kind) &&
         FromProto(message.access(), 1, domain::Access::kList, &device->access);
}

domain::Span SpanOf(const proto::PlannedSpan& message) { return {message.begin(), message.end()}; }

// Whether they are places of the text is seen where the text is (domain::AreIn()).
domain::Places PlacesOf(const proto::PlannedPlaces& message) {
  domain::Places places;
  places.emulator = SpanOf(message.emulator());
  places.emulator_path = message.emulator_path();
  for (const proto::PlannedLabel& label : message.labels()) {
    places.labels.push_back(
        {SpanOf(label.span()), label.type(), label.model(), label.relabel(), label.label()});
  }
  places.before_new_label = SpanOf(message.before_new_label());
  return places;
}

bool GetPlan(const proto::DomainPlan& message, domain::Plan* plan) {
  const auto count = static_cast<std::size_t>(message.files_size()) +
                     static_cast<std::size_t>(message.devices_size()) +
                     static_cast<std::size_t>(message.network_size()) +
                     static_cast<std::size_t>(message.refused_size()) +
                     static_cast<std::size_t>(message.places().labels_size()) +
                     static_cast<std::size_t>(message.warnings_size());
  bool good = count <= limits::kMaxPlanned;
  plan->uuid = message.uuid();
  plan->name = message.name();
  plan->short_name = message.short_name();
  for (const proto::PlannedFile& file : message.files()) {
    good = good && GetFile(file, &plan->files.emplace_back());
  }
  for (const proto::PlannedDevice& device : message.devices()) {
    good = good && GetDevice(device, &plan->devices.emplace_back());
  }
  for (const proto::PlannedNetwork& target : message.network()) {
    plan->network.push_back({target.name(), OneLine(target.source()), target.depth()});
  }
  for (const proto::PlannedRefusal& refused : message.refused()) {
    plan->refused.push_back({refused.path(), OneLine(refused.source()), OneLine(refused.reason())});
  }
  for (const std::string& warning : message.warnings()) {
    plan->warnings.push_back(OneLine(warning));
  }
  plan->places = PlacesOf(message.places());
  return good;
}

Error FaultOf(const proto::PlanFault& fault) {
  const bool known = fault.code() <= static_cast<std::uint32_t>(ErrorCode::kIo);
  return {known ? static_cast<ErrorCode>(fault.code()) : ErrorCode::kIo, 0,
          OneLine(fault.reason())};
}

}  // namespace

std::string Encode(const Result<domain::Plan>& plan) {
  proto::PlanReply reply;
  if (plan) {
    SetPlan(*plan, reply.mutable_plan());
  } else {
    reply.mutable_fault()->set_code(static_cast<std::uint32_t>(plan.error().code));
    reply.mutable_fault()->set_reason(plan.error().Message());
  }
  return reply.SerializeAsString();
}

Result<domain::Plan> Decode(std::string_view bytes) {
  proto::PlanReply reply;
  const bool parsed = reply.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (parsed && reply.has_fault()) {
    return tl::make_unexpected(FaultOf(reply.fault()));
  }
  domain::Plan plan;
  if (!parsed || !reply.has_plan() || !GetPlan(reply.plan(), &plan)) {
    return Fail(ErrorCode::kCorrupt,
                "the planning process answered what it must not; the definition may be made to "
                "attack it");
  }
  return plan;
}

}  // namespace openhook::plan

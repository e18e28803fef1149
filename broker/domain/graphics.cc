// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What people see, hear and touch.

#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

void PlanRenderNode(std::string_view node, const std::string& source, Planning* planning) {
  if (node.empty()) {
    planning->AddDevice({.kind = DeviceKind::kRenderNode, .key = "", .source = source});
  } else {
    planning->AddCharacterDevice(node, source);
  }
}

void AddServerSocket(std::string_view path, const std::string& source, Planning* planning) {
  planning->Add({.path = std::string(path),
                 .access = Access::kCreate,
                 .kind = Kind::kSocket,
                 .source = source});
}

void AddClientSocket(std::string_view path, const std::string& source, Planning* planning) {
  planning->Add({.path = std::string(path),
                 .access = Access::kReadWrite,
                 .kind = Kind::kSocket,
                 .source = source});
}

// The socket of <graphics socket='...'> and of <listen type='socket'> is the same one.
void PlanListeners(const Element& graphics, const std::string& source, Planning* planning) {
  AddServerSocket(graphics.Attribute("socket"), source, planning);
  for (const Element* listen : graphics.All("listen")) {
    AddServerSocket(listen->Attribute("socket"), source, planning);
  }
}

void PlanGl(const Element& graphics, const std::string& source, bool always, Planning* planning) {
  const Element* gl = graphics.First("gl");
  if (always || (gl != nullptr && gl->Attribute("enable") == "yes")) {
    PlanRenderNode((gl == nullptr ? kEmptyElement : *gl).Attribute("rendernode"), source + " gl",
                   planning);
  }
}

void PlanDbus(std::string_view address, const std::string& source, Planning* planning) {
  constexpr std::string_view kUnixPath = "unix:path=";
  if (address.starts_with(kUnixPath)) {
    address.remove_prefix(kUnixPath.size());
    AddClientSocket(address.substr(0, address.find_first_of(",;")), source, planning);
  }
}

void PlanOss(const Element& audio, const std::string& source, Planning* planning) {
  for (const char* direction : {"input", "output"}) {
    const Element* end = audio.First(direction);
    planning->AddCharacterDevice(
        (end == nullptr ? kEmptyElement : *end).AttributeOr("dev", "/dev/dsp"),
        source + " " + direction);
  }
}

void PlanPulse(std::string_view server, const std::string& source, Planning* planning) {
  constexpr std::string_view kUnix = "unix:";
  if (server.starts_with(kUnix)) {
    server.remove_prefix(kUnix.size());
  }
  if (server.starts_with("/")) {
    AddClientSocket(server, source, planning);
  } else {
    planning->Warn(source, "the sound server's socket is not named; it is not in this plan");
  }
}

void PlanPipewire(std::string_view directory, const std::string& source, Planning* planning) {
  if (directory.empty()) {
    planning->Warn(source, "the sound server's socket is not named; it is not in this plan");
  } else {
    AddClientSocket(std::string(directory) + "/pipewire-0", source, planning);
  }
}

}  // namespace

void PlanGraphics(const Element& graphics, Planning* planning) {
  const std::string type(graphics.Attribute("type"));
  const std::string source = "graphics " + Shown(type);
  if (type == "vnc" || type == "spice") {
    PlanListeners(graphics, source, planning);
    PlanGl(graphics, source, false, planning);
  } else if (type == "sdl") {
    planning->Add({.path = std::string(graphics.Attribute("xauth")),
                   .access = Access::kRead,
                   .source = source + " xauth"});
    PlanGl(graphics, source, false, planning);
  } else if (type == "egl-headless") {
    PlanGl(graphics, source, true, planning);
  } else if (type == "dbus") {
    PlanDbus(graphics.Attribute("address"), source, planning);
    PlanGl(graphics, source, false, planning);
  } else if (type != "rdp" && type != "desktop") {
    planning->WarnUnknownType(source, type);
  }
}

void PlanVideo(const Element& video, std::size_t number, Planning* planning) {
  const Element* model = video.First("model");
  if (model == nullptr) {
    return;
  }
  const std::string source = "video " + std::to_string(number);
  if (model->Attribute("blob") == "on") {
    planning->AddCharacterDevice("/dev/udmabuf", source + " blob");
  }
  if (const Element* acceleration = model->First("acceleration")) {
    planning->AddCharacterDevice(acceleration->Attribute("rendernode"), source);
  }
}

void PlanAudio(const Element& audio, Planning* planning) {
  const std::string type(audio.Attribute("type"));
  const std::string source = "audio " + Shown(audio.AttributeOr("id", "1")) + " " + Shown(type);
  if (type == "oss") {
    PlanOss(audio, source, planning);
  } else if (type == "file") {
    planning->Add({.path = std::string(audio.Attribute("path")),
                   .access = Access::kCreate,
                   .source = source});
  } else if (type == "pulseaudio") {
    PlanPulse(audio.Attribute("serverName"), source, planning);
  } else if (type == "pipewire") {
    PlanPipewire(audio.Attribute("runtimeDir"), source, planning);
  } else if (type == "alsa") {
    planning->Warn(source,
                   "which devices below /dev/snd an ALSA name stands for is not known; they "
                   "are not in this plan");
  } else if (type == "jack" || type == "sndio") {
    planning->Warn(source, "the sound server's socket is not named; it is not in this plan");
  } else if (type != "none" && type != "spice" && type != "sdl" && type != "coreaudio" &&
             type != "dbus") {
    planning->WarnUnknownType(source, type);
  }
}

void PlanInput(const Element& input, std::size_t number, Planning* planning) {
  const std::string type(input.Attribute("type"));
  const std::string source = "input " + std::to_string(number) + " " + Shown(type);
  const Element* holder = input.First("source");
  const Element& device = holder == nullptr ? kEmptyElement : *holder;
  if (type == "passthrough") {
    planning->AddCharacterDevice(device.Attribute("evdev"), source);
  } else if (type == "evdev") {
    planning->AddCharacterDevice(device.Attribute("dev"), source);
  } else if (type != "mouse" && type != "keyboard" && type != "tablet") {
    planning->WarnUnknownType(source, type);
  }
}

}  // namespace openhook::domain

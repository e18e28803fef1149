// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The families of elements, a source file for each (in parentheses). Each adds to the plan what its
// elements make QEMU open, and warns by name about what it does not understand.

#ifndef BROKER_DOMAIN_FAMILIES_H_
#define BROKER_DOMAIN_FAMILIES_H_

#include <string>

#include "broker/domain/domain.h"
#include "broker/domain/element.h"
#include "broker/domain/planning.h"

namespace openhook::domain {

// <disk> (disks.cc)
void PlanDisk(const Element& disk, Planning* planning);

// <os>, <sysinfo>, <pstore>, <launchSecurity> (firmware.cc)
void PlanFirmware(const Element& domain, Planning* planning);
void PlanPstore(const Element& pstore, Planning* planning);

// What a character device stands on: the same attributes and children for <serial>, <parallel>,
// <console>, <channel>, <redirdev>, <smartcard>, <rng> and <tpm> (char_devices.cc).
void PlanCharBackend(const Element& device, std::string_view type, const std::string& source,
                     Planning* planning);
// `number` tells devices of one name apart.
void PlanCharDevice(const Element& device, std::size_t number, Planning* planning);

// <hostdev>; and the PCI device of an <interface type='hostdev'> (host_devices.cc)
void PlanHostDevice(const Element& hostdev, std::size_t number, Planning* planning);
// `source_element` holds the <address>.
void PlanPciDevice(const Element& source_element, const std::string& source, Planning* planning);
// <rom file='...'/> of any device.
void PlanRom(const Element& device, const std::string& source, Planning* planning);

// <interface>, <vsock> (interfaces.cc)
void PlanInterface(const Element& interface, std::size_t number, Planning* planning);
void PlanVsock(const Element& vsock, Planning* planning);

// <memoryBacking>, <memory> devices, <shmem> (memory.cc)
void PlanMemoryBacking(const Element& domain, Planning* planning);
void PlanMemoryDevice(const Element& memory, std::size_t number, Planning* planning);
void PlanShmem(const Element& shmem, Planning* planning);

// <graphics>, <video>, <audio>, <input> (graphics.cc)
void PlanGraphics(const Element& graphics, Planning* planning);
void PlanVideo(const Element& video, std::size_t number, Planning* planning);
void PlanAudio(const Element& audio, Planning* planning);
void PlanInput(const Element& input, std::size_t number, Planning* planning);

// <filesystem>, <rng>, <tpm>, <smartcard> (other_devices.cc)
void PlanFilesystem(const Element& filesystem, Planning* planning);
void PlanRng(const Element& rng, std::size_t number, Planning* planning);
void PlanTpm(const Element& tpm, Planning* planning);
void PlanSmartcard(const Element& smartcard, std::size_t number, Planning* planning);

// Elements of libvirt's namespace for raw QEMU arguments (command_line.cc)
void PlanCommandLine(const Element& domain, CommandLine command_line, Planning* planning);

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_FAMILIES_H_

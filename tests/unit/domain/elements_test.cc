// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Firmware and character devices.

#include "tests/unit/domain/element_cases.h"

namespace openhook::domain {
namespace {

TEST_P(Elements, ArePlanned) { EXPECT_EQ(PlanLines(GetParam().xml), GetParam().expected); }

const Case kFirmware[] = {
    {"LoaderOfTypeRom",
     InOs("<loader readonly='yes' type='rom'>/usr/share/seabios/bios.bin</loader>"),
     {"read file /usr/share/seabios/bios.bin [loader] raw"}},
    {"PflashIsForReading",
     InOs("<loader readonly='yes' secure='no' type='pflash'>/usr/share/OVMF/C.fd</loader>"),
     {"read file /usr/share/OVMF/C.fd [loader] raw"}},
    {"PflashWithoutAWord",
     InOs("<loader type='pflash'>/fw/C.fd</loader>"),
     {"read file /fw/C.fd [loader] raw"}},
    {"WritablePflash",
     InOs("<loader readonly='no' type='pflash' format='qcow2'>/fw/C.fd</loader>"),
     {"read-write file /fw/C.fd [loader] qcow2"}},
    {"FirmwareThatLibvirtChooses",
     "<domain type='qemu'><name>vm1</name><os firmware='efi'/></domain>",
     {"! loader"}},
    {"NvramWithATemplate",
     InOs("<nvram template='/usr/share/OVMF/V.fd'>/vm/V.fd</nvram>"),
     {"read-write file /vm/V.fd [nvram] raw"}},
    {"NvramOfAFile",
     InOs("<nvram type='file'><source file='/vm/V.fd'/></nvram>"),
     {"read-write file /vm/V.fd [nvram] raw"}},
    {"NvramOfABlockDevice",
     InOs("<nvram type='block' format='qcow2'><source dev='/dev/vg/v'/></nvram>"),
     {"read-write block /dev/vg/v [nvram] qcow2"}},
    {"NvramOnTheNetwork",
     InOs("<nvram type='network'><source protocol='iscsi' name='q/0'><host name='h'/></source>"
          "</nvram>"),
     {"@ iscsi://h/q/0 [nvram] 0"}},
    {"NvramWithoutAName",
     InOs("<nvram template='/usr/share/OVMF/V.fd'/>"),
     {"read-write file /var/lib/libvirt/qemu/nvram/vm1_VARS.fd [nvram] raw", "! nvram"}},
    {"Varstore",
     InOs("<varstore template='/usr/share/x.json' path='/vm/x.json'/>"),
     {"read-write file /vm/x.json [varstore]"}},
    {"KernelAndItsFriends",
     InOs("<kernel>/b/k</kernel><initrd>/b/i</initrd><dtb>/b/d</dtb><shim>/b/s</shim>"
          "<cmdline>root=/dev/vda</cmdline>"),
     {"read file /b/k [kernel]", "read file /b/i [initrd]", "read file /b/d [dtb]",
      "read file /b/s [shim]"}},
    {"AcpiTables",
     InOs("<acpi><table type='slic'>/b/slic</table><table type='raw'>/b/raw</table></acpi>"),
     {"read file /b/slic [acpi table slic]", "read file /b/raw [acpi table raw]"}},
    {"FwCfgFiles",
     Top("<sysinfo type='fwcfg'><entry name='opt/a'>text</entry>"
         "<entry name='opt/b' file='/b/ign.json'/></sysinfo>"
         "<sysinfo type='smbios'><bios><entry name='vendor'>x</entry></bios></sysinfo>"),
     {"read file /b/ign.json [fw_cfg opt/b]"}},
    {"Sev", Top("<launchSecurity type='sev'/>"), {"read-write char /dev/sev [launchSecurity sev]"}},
    {"SevSnp",
     Top("<launchSecurity type='sev-snp'/>"),
     {"read-write char /dev/sev [launchSecurity sev-snp]"}},
    {"Tdx",
     Top("<launchSecurity type='tdx'><quoteGenerationService path='/run/q.sock'/>"
         "</launchSecurity>"),
     {"read-write socket /run/q.sock [launchSecurity tdx]"}},
    {"SecureExecutionOfS390", Top("<launchSecurity type='s390-pv'/>"), {}},
    {"UnknownLaunchSecurity", Top("<launchSecurity type='moat'/>"), {"! launchSecurity"}},
    {"Pstore",
     WithDevices("<pstore backend='acpi-erst'><path>/vm/erst</path><size>8</size></pstore>"),
     {"create file /vm/erst [pstore]"}},
};

const Case kCharDevices[] = {
    {"SerialFile",
     WithDevices("<serial type='file'><source path='/l/s' append='on'/></serial>"),
     {"create file /l/s [serial 0]"}},
    {"SerialDevice",
     WithDevices("<serial type='dev'><source path='/dev/ttyS0'/>"
                 "<target port='1'/></serial>"),
     {"read-write char /dev/ttyS0 [serial 1]"}},
    {"SerialPty",
     WithDevices("<serial type='pty'><source path='/dev/pts/3'/></serial>"),
     {"read-write char /dev/ptmx [serial 0]"}},
    {"SerialPipe",
     WithDevices("<serial type='pipe'><source path='/l/p'/></serial>"),
     {"read-write fifo /l/p.in [serial 0]", "read-write fifo /l/p.out [serial 0]",
      "read-write fifo /l/p [serial 0] if-there"}},
    {"SerialServer",
     WithDevices("<serial type='unix'><source mode='bind' path='/l/u'/></serial>"),
     {"create socket /l/u [serial 0]"}},
    {"SerialClient",
     WithDevices("<serial type='unix'><source mode='connect' path='/l/u'/></serial>"),
     {"read-write socket /l/u [serial 0]"}},
    {"SerialLog",
     WithDevices("<serial type='pty'><log file='/l/log' append='off'/></serial>"),
     {"read-write char /dev/ptmx [serial 0]", "create file /l/log [serial 0 log]"}},
    {"SerialThatOpensNothing",
     WithDevices("<serial type='null'/><serial type='vc'/><serial type='stdio'/>"
                 "<serial type='tcp'><source mode='bind' host='h' service='1'/></serial>"
                 "<serial type='udp'/><channel type='spicevmc'/><channel type='spiceport'/>"
                 "<channel type='dbus'/><channel type='qemu-vdagent'/>"),
     {}},
    {"SerialOfAnUnknownType", WithDevices("<serial type='smoke'/>"), {"! serial 0"}},
    {"Parallel",
     WithDevices("<parallel type='dev'><source path='/dev/parport0'/></parallel>"),
     {"read-write char /dev/parport0 [parallel 0]"}},
    {"ConsoleThatIsTheSerialLine",
     WithDevices("<serial type='file'><source path='/l/s'/></serial>"
                 "<console type='file'><source path='/l/s'/></console>"),
     {"create file /l/s [serial 0]"}},
    {"VirtioConsole",
     WithDevices("<console type='pipe'><source path='/l/c'/><target type='virtio' port='2'/>"
                 "</console>"),
     {"read-write fifo /l/c.in [console 2]", "read-write fifo /l/c.out [console 2]",
      "read-write fifo /l/c [console 2] if-there"}},
    {"Channel",
     WithDevices("<channel type='unix'><source mode='bind' path='/l/a'/>"
                 "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"),
     {"create socket /l/a [channel org.qemu.guest_agent.0]"}},
    {"ChannelWithoutAPath",
     WithDevices("<channel type='unix'><target type='virtio' name='x'/></channel>"),
     {}},
    {"RedirectedDevice",
     WithDevices(
         "<redirdev bus='usb' type='unix'><source mode='connect' path='/l/r'/></redirdev>"
         "<redirdev bus='usb' type='spicevmc'/><redirfilter><usbdev allow='no'/></redirfilter>"),
     {"read-write socket /l/r [redirdev 0]"}},
    {"SmartcardOfTheHost",
     WithDevices("<smartcard mode='host'/>"),
     {"list directory /etc/pki/nssdb [smartcard 0]"}},
    {"SmartcardOfCertificates",
     WithDevices("<smartcard mode='host-certificates'><certificate>a</certificate>"
                 "<database>/l/nss</database></smartcard>"),
     {"list directory /l/nss [smartcard 0]"}},
    {"SmartcardPassedThrough",
     WithDevices("<smartcard mode='passthrough' type='dev'><source path='/dev/scard'/></smartcard>"
                 "<smartcard mode='passthrough' type='spicevmc'/>"),
     {"read-write char /dev/scard [smartcard 0]"}},
    {"RngOfADevice",
     WithDevices("<rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>"),
     {"read char /dev/hwrng [rng 0]"}},
    {"RngWithoutADevice",
     WithDevices("<rng model='virtio'><backend model='random'/></rng>"),
     {"read char /dev/urandom [rng 0]"}},
    {"RngOfADaemon",
     WithDevices("<rng model='virtio'><backend model='egd' type='unix'>"
                 "<source mode='connect' path='/l/egd'/></backend></rng>"),
     {"read-write socket /l/egd [rng 0]"}},
    {"RngBuiltIn", WithDevices("<rng model='virtio'><backend model='builtin'/></rng>"), {}},
    {"RngUnknown", WithDevices("<rng model='virtio'><backend model='dice'/></rng>"), {"! rng 0"}},
    {"TpmPassedThrough",
     WithDevices("<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm1'/>"
                 "</backend></tpm>"),
     {"read-write char /dev/tpm1 [tpm passthrough]"}},
    {"TpmEmulatorOfAStoppedMachine",
     WithDevices("<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"),
     {"! tpm emulator"}},
    {"TpmEmulatorOfARunningMachine",
     Running("<devices><tpm><backend type='emulator'/></tpm></devices>"),
     {kKey, "read-write socket /run/libvirt/qemu/swtpm/7-vm1-swtpm.sock [tpm emulator]"}},
    {"TpmExternal",
     WithDevices("<tpm><backend type='external'><source type='unix' mode='connect' path='/l/tpm'/>"
                 "</backend></tpm>"),
     {"read-write socket /l/tpm [tpm external]"}},
};

INSTANTIATE_TEST_SUITE_P(Firmware, Elements, testing::ValuesIn(kFirmware), NameOf);
INSTANTIATE_TEST_SUITE_P(CharDevices, Elements, testing::ValuesIn(kCharDevices), NameOf);

}  // namespace
}  // namespace openhook::domain

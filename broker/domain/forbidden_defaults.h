// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The default list of forbidden.h, as an administrator would write it. It also covers what
// libvirt's own helper lets through (/dev/mem, keys in home directories, /root).

#ifndef BROKER_DOMAIN_FORBIDDEN_DEFAULTS_H_
#define BROKER_DOMAIN_FORBIDDEN_DEFAULTS_H_

namespace openhook::domain {

inline constexpr char kDefaultForbidden[] =
    R"(# The kernel's own file systems. Devices are reached by their nodes.
never      /proc          it is the kernel's view of every process
never      /sys           it is the kernel's view of the host; a device is given by its node
# The system's configuration, keys and programs.
never      /etc           it is the host's configuration and keys
read-only  /etc/ceph/*.conf
read-only  /etc/pki/nssdb
never      /root          it is root's
read-only  /boot          it is what the host boots
read-only  /vmlinuz*      it is what the host boots
read-only  /initrd*       it is what the host boots
read-only  /usr           it is the host's programs
read-only  /bin           it is the host's programs
read-only  /sbin          it is the host's programs
read-only  /lib           it is the host's libraries
read-only  /lib32         it is the host's libraries
read-only  /lib64         it is the host's libraries
read-only  /libx32        it is the host's libraries
never      /lost+found    it is the file system's
# Devices that are the host itself.
never      /dev/mem       it is the host's memory
never      /dev/kmem      it is the host's memory
never      /dev/port      it is the host's ports
never      /dev/kmsg      it is the host's log
never      /dev/log       it is the host's log
never      /dev/cpu       it is the host's processor
never      /dev/nvram     it is the host's NVRAM
never      /dev/initctl   it is the host's init
never      /dev/console   it is the host's console
never      /dev/tty       it is the terminal of whoever starts QEMU
never      /dev/tty[0-9]* it is a console of the host
never      /dev/vcs*      it is a console of the host
never      /dev/pts       it holds terminals of people
allow      /dev/pts/ptmx
never      /dev/fd        it names QEMU's own descriptors
never      /dev/stdin     it names QEMU's own descriptors
never      /dev/stdout    it names QEMU's own descriptors
never      /dev/stderr    it names QEMU's own descriptors
never      /dev/uinput    it types on the host
never      /dev/fuse      it makes file systems
never      /dev/loop-control   it makes devices
never      /dev/btrfs-control  it changes file systems
never      /dev/mapper/control it changes the host's disks
never      /dev/snapshot  it writes the host's memory
never      /dev/watchdog* it resets the host
# This broker.
never      /var/lib/openhook   it is the state of the open brokers
never      /run/openhook       it is the open brokers' sockets
# Other machines.
never      /var/lib/libvirt/qemu    it holds the states of all machines
allow      /var/lib/libvirt/qemu/nvram/{name}_VARS.*
allow      /var/lib/libvirt/qemu/{name}.agent
allow      /var/lib/libvirt/qemu/channel/target/{name}.*
allow      /var/lib/libvirt/qemu/channel/target/domain-{short-name}
allow      /var/lib/libvirt/qemu/channel/target/domain-{name}
allow      /var/lib/libvirt/qemu/domain-{short-name}
allow      /var/lib/libvirt/qemu/ram/{short-name}
never      /var/lib/libvirt/secrets it holds the secrets of all machines
never      /var/lib/libvirt/swtpm   it holds the TPMs of all machines
never      /var/lib/libvirt/dnsmasq it is libvirt's
never      /var/lib/libvirt/network it is libvirt's
never      /var/lib/libvirt/lockd   it is libvirt's
never      /var/cache/libvirt       it is libvirt's
never      /run/libvirt             it holds the sockets of libvirt and of all machines
allow      /run/libvirt/qemu/swtpm/{short-name}-swtpm.sock
allow      /run/libvirt/qemu/channel/{short-name}
never      /dev/hugepages/libvirt   it holds the memory of all machines
allow      /dev/hugepages/libvirt/qemu/{short-name}
never      /dev/hugepages1G/libvirt it holds the memory of all machines
allow      /dev/hugepages1G/libvirt/qemu/{short-name}
# State of the system and of its services.
never      /run/systemd         it belongs to a service of the host
never      /run/dbus            it belongs to a service of the host
never      /run/udev            it belongs to a service of the host
never      /run/credentials     it holds secrets of services
never      /run/initctl         it is the host's init
never      /run/lock            it belongs to services of the host
never      /run/docker*         it is as good as root
never      /run/containerd      it is as good as root
never      /run/podman          it is as good as root
never      /run/crio            it is as good as root
never      /run/user/*/bus      it is a person's session
never      /run/user/*/systemd  it is a person's session
never      /run/user/*/gnupg    it holds a person's keys
never      /run/user/*/keyring  it holds a person's keys
never      /run/user/*/libvirt  it is a person's libvirt
never      /var/lib/dpkg        it is the package manager's
never      /var/lib/apt         it is the package manager's
never      /var/lib/rpm         it is the package manager's
never      /var/lib/systemd     it belongs to a service of the host
never      /var/lib/private     it belongs to services of the host
never      /var/lib/docker      it belongs to a service of the host
never      /var/lib/containerd  it belongs to a service of the host
never      /var/lib/kubelet     it belongs to a service of the host
never      /var/lib/sss         it holds people's passwords
never      /var/spool           it holds jobs and mail
never      /var/log             it holds the host's logs
allow      /var/log/libvirt/qemu/{name}.*
allow      /var/log/libvirt/qemu/{name}-*
never      /swapfile            it is the host's memory
never      /swap.img            it is the host's memory
# Keys of people, and what their shells run.
never      **/.ssh              it holds a person's keys
never      **/.gnupg            it holds a person's keys
never      **/.password-store   it holds a person's passwords
never      **/.local/share/keyrings  it holds a person's keys
never      **/.aws              it holds a person's keys
never      **/.kube             it holds a person's keys
never      **/.docker           it holds a person's keys
never      **/.netrc            it holds a person's passwords
never      **/.pgpass           it holds a person's passwords
never      **/.git-credentials  it holds a person's passwords
never      **/.bashrc           a person's shell runs it
never      **/.bash_profile     a person's shell runs it
never      **/.bash_login       a person's shell runs it
never      **/.bash_logout      a person's shell runs it
never      **/.profile          a person's shell runs it
never      **/.zshrc            a person's shell runs it
never      **/.config/autostart a person's session runs it
)";

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_FORBIDDEN_DEFAULTS_H_

"""The smallest Debian that virt-v2v takes for one: a disk of 128 MiB with a file system, a kernel and dpkg, as an OVA.

It could not boot; the converter looks into it, runs dpkg there and changes its files, as it does with any other.
The kernel is that of the tests' guest, which the converter's own small machine (libguestfs) boots, too.
"""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from textwrap import dedent

from lab.guests import PROJECT, build_guest

SIZE = 128 << 20
START = 1 << 20
TOOLS = ("sh", "ls", "cat", "true", "uname", "mkdir", "mv", "rm", "cp", "ln", "test", "stat", "env")
FOLDERS = (
    *("etc/modprobe.d", "etc/default", "etc/initramfs-tools", "boot/grub", "bin", "sbin", "usr/bin", "usr/sbin"),
    *("lib", "lib64", "var/lib/dpkg/info", "var/log", "var/tmp", "proc", "sys", "dev", "tmp", "run", "root"),
)
PACKAGE = """\
Package: {name}
Status: install ok installed
Priority: optional
Section: admin
Maintainer: Nobody <nobody@example.org>
Architecture: amd64
Version: {version}
Description: of a test
 It is one.

"""
OVF = """\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
<References><File ovf:href="disk1.vmdk" ovf:id="file1" ovf:size="{size}"/></References>
<DiskSection><Info>disks</Info><Disk ovf:capacity="128" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk1"
  ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
</DiskSection>
<VirtualSystem ovf:id="tiny"><Name>tiny</Name><VirtualHardwareSection>
<Item><rasd:ElementName>cpu</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID>
  <rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName>
  <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
  <rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>
<Item><rasd:Address>0</rasd:Address><rasd:ElementName>scsi</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>
  <rasd:ResourceType>6</rasd:ResourceType></Item>
<Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>disk</rasd:ElementName>
  <rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID>
  <rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
<Item><rasd:ElementName>nic1</rasd:ElementName><rasd:Connection>net</rasd:Connection>
  <rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>E1000</rasd:ResourceSubType>
  <rasd:ResourceType>10</rasd:ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>
"""


def run(*argv: str | Path, **options: object) -> str:
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment, **options)  # type: ignore[call-overload]
    return str(done.stdout)


class Kernel:
    """Unpacked below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        packages = list(build_guest().glob("linux-image-*.deb"))
        assert packages, "the guest was built without leaving its kernel's package: contrib/guest/build.sh --force"
        run("dpkg-deb", "-x", packages[0], home)
        (self.modules,) = (home / "lib/modules").iterdir()
        self.version = self.modules.name
        run("depmod", "-b", home, self.version)

    @property
    def environment(self) -> dict[str, str]:
        """For libguestfs on a host whose own kernel is out of reach, as in a container; without /dev/kvm."""
        Path("/lib/modules").mkdir(exist_ok=True)  # supermin looks there whatever it is told
        cache = PROJECT / "build/lab/appliance"
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        return {
            "SUPERMIN_KERNEL": str(self.home / f"boot/vmlinuz-{self.version}"),
            "SUPERMIN_KERNEL_VERSION": self.version,
            "SUPERMIN_MODULES": str(self.modules),
            "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg",
            "LIBGUESTFS_CACHEDIR": str(cache),
        }


def make_ova(home: Path, kernel: Kernel) -> Path:
    """An OVA as VMware writes it."""
    tree, disk, vmdk = home / "tree", home / "disk.raw", home / "disk1.vmdk"
    lay_out(tree, kernel)
    with disk.open("wb") as file:
        file.truncate(SIZE)
    run("sfdisk", "-q", disk, input="label: dos\nstart=2048, type=83, bootable\n")
    run("mke2fs", "-q", "-t", "ext4", "-F", "-d", tree, "-E", f"offset={START}", disk, str((SIZE - START) >> 10))
    run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", disk, vmdk)
    (home / "tiny.ovf").write_text(OVF.format(size=vmdk.stat().st_size))
    with tarfile.open(home / "tiny.ova", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(home / "tiny.ovf", "tiny.ovf")
        archive.add(vmdk, "disk1.vmdk")
    return home / "tiny.ova"


def lay_out(tree: Path, kernel: Kernel) -> None:
    for folder in FOLDERS:
        (tree / folder).mkdir(parents=True)
    version, image = kernel.version, f"linux-image-{kernel.version}"
    _kernel(tree, kernel)
    for program in ("/usr/bin/dpkg", "/usr/bin/dpkg-query"):
        _program(tree, program)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    for tool in TOOLS:
        (tree / "bin" / tool).symlink_to("busybox")
    shutil.copy("/bin/busybox", tree / "usr/bin/env")
    shutil.copy("/usr/lib/os-release", tree / "etc/os-release")
    entry = f"menuentry 'Debian' {{\n linux /boot/vmlinuz-{version} root=/dev/sda1 ro\n}}\n"
    texts = {
        "etc/debian_version": "12.11\n",
        "etc/hostname": "tiny\n",
        "etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\n",
        "etc/default/grub": 'GRUB_CMDLINE_LINUX=""\n',
        "boot/grub/grub.cfg": f"set default=0\n{entry}",
        f"boot/initrd.img-{version}": "x",
        "var/lib/dpkg/available": "",
        "var/lib/dpkg/status": PACKAGE.format(name=image, version="1") + PACKAGE.format(name="dpkg", version="1.21.22"),
        "var/lib/dpkg/info/dpkg.list": "/.\n/usr/bin/dpkg-query\n/usr/bin/dpkg\n",
        f"var/lib/dpkg/info/{image}.list": "".join(
            f"/{path.relative_to(tree)}\n" for part in ("boot", "lib/modules") for path in (tree / part).rglob("*")
        ),
    }
    for name, text in texts.items():
        (tree / name).write_text(text)
    for name in ("sbin/init", "usr/sbin/update-grub", "usr/sbin/grub-mkconfig", "usr/sbin/update-initramfs"):
        (tree / name).write_text(dedent("#!/bin/sh\nexit 0\n"))
        (tree / name).chmod(0o755)


def _kernel(tree: Path, kernel: Kernel) -> None:
    """With as few modules as make the converter believe in virtio."""
    for name in ("vmlinuz", "config", "System.map"):
        shutil.copy(kernel.home / f"boot/{name}-{kernel.version}", tree / "boot")
    (tree / f"boot/initrd.img-{kernel.version}").touch()
    inside = tree / "lib/modules" / kernel.version
    inside.mkdir(parents=True)
    for listed in kernel.modules.glob("modules.*"):
        shutil.copy(listed, inside)
    for module in ("virtio_blk", "virtio_net", "virtio_scsi"):
        (found,) = kernel.modules.rglob(f"{module}.ko")
        target = inside / found.relative_to(kernel.modules)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, target)


def _program(tree: Path, program: str) -> None:
    """With its libraries."""
    libraries = [word for word in run("ldd", program).split() if word.startswith("/")]
    for path in (program, *libraries):
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

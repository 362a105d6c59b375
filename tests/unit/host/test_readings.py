import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.host import devices, features, identity, packages
from virgate.node.host.cpu import can_use_kvm, chosen_virt_type, read_cpu
from virgate.node.host.memory import read_memory, read_nodes
from virgate.node.host.tree import number_list


def test_processors_are_counted_by_socket_core_and_thread(fake):
    cpu = read_cpu(fake.tree)
    assert (cpu.sockets, cpu.cores, cpu.threads, cpu.online) == (2, 2, 4, (0, 1, 2, 3))
    assert (cpu.model, cpu.speed, cpu.flags) == ("Test CPU @ 2.60GHz", "2599.998", ("fpu", "vmx", "sse2"))


@pytest.mark.parametrize(
    ("arch", "flags", "opens", "usable"),
    [
        ("x86_64", ("vmx",), True, True),
        ("x86_64", ("svm",), True, True),
        ("x86_64", ("sse2",), True, False),
        ("x86_64", ("vmx",), False, False),
        ("aarch64", (), True, True),
        ("ppc64le", (), False, False),
    ],
)
def test_kvm_needs_the_device_and_on_x86_the_processor_s_word(arch, flags, opens, usable):
    assert can_use_kvm(arch, flags, opens) is usable


@pytest.mark.parametrize(
    ("setting", "kvm", "chosen"),
    [("auto", True, "kvm"), ("auto", False, "qemu"), ("kvm", False, "kvm"), ("qemu", True, "qemu")],
)
def test_a_setting_overrides_what_was_found_out(setting, kvm, chosen):
    assert chosen_virt_type(setting, kvm) == chosen


def test_memory_counts_cache_as_free(fake):
    memory = read_memory(fake.tree)
    assert (memory.total, memory.available_mib, memory.used_percent) == (8388608, 4096, 50)


def test_nodes_have_processors_memory_and_distances(fake):
    (node,) = read_nodes(fake.tree).values()
    assert (node.cpus, node.total, node.free, node.used_percent, node.distances) == (
        (0, 1, 2, 3),
        8388608,
        2097152,
        75,
        (10,),
    )


def test_a_host_that_tells_nothing_is_read_without_error(bare):
    assert read_cpu(bare.tree).threads == 1
    assert read_memory(bare.tree).used_percent == 0
    assert read_nodes(bare.tree) == {}
    assert features.same_page_merging(bare.tree) == {}
    assert features.random_sources(bare.tree) == []
    assert features.adapters(bare.tree) == {"iSCSI": [], "FC": []}
    assert features.transparent_huge_pages(bare.tree) == "never"
    assert (features.numa_balancing(bare.tree), features.kdump_status(bare.tree)) == (2, -1)
    assert (features.selinux_mode(bare.tree), features.has_iommu(bare.tree)) == ("-1", False)
    assert devices.inventory(bare.tree)["nics"] == {}
    assert identity.operating_system(bare.tree).name == "unknown"
    assert identity.host_id(bare.tree) == ""


def test_features_are_found_where_the_kernel_shows_them(fake):
    fake.write(
        {
            "sys/fs/selinux/enforce": "1",
            "sys/kernel/iommu_groups/0/type": "DMA",
            "sys/kernel/kexec_crash_loaded": "1\n",
            "etc/kdump.conf": "path /var/crash\nfence_kdump_nodes 192.0.2.9\n",
            "sys/class/fc_host/host0/port_name": "0x50060160",
            "sys/class/fc_host/host0/node_name": "0x50060161",
            "sys/class/fc_host/host0/symbolic_name": "QLE2562 FW:v5",
        }
    )
    assert (features.selinux_mode(fake.tree), features.has_iommu(fake.tree)) == ("1", True)
    assert (features.kdump_status(fake.tree), features.numa_balancing(fake.tree)) == (1, 1)
    assert features.random_sources(fake.tree) == ["random"]
    assert features.adapters(fake.tree) == {
        "iSCSI": [{"InitiatorName": "iqn.2026-01.org.example:h1"}],
        "FC": [{"wwpn": "50060160", "wwnn": "50060161", "model": "QLE2562"}],
    }


def test_the_host_s_id_is_the_administrator_s_word_then_the_hardware_s_then_the_system_s(fake):
    system = identity.host_id(fake.tree)
    assert identity.host_id(fake.tree) == system
    assert "3d1219c7" not in system
    fake.write({"sys/class/dmi/id/product_uuid": "A0000000-0000-0000-0000-00000000000B\n"})
    assert identity.host_id(fake.tree) == "a0000000-0000-0000-0000-00000000000b"
    fake.write({"etc/vdsm/vdsm.id": "11111111-2222-3333-4444-555555555555\n"})
    assert identity.host_id(fake.tree) == "11111111-2222-3333-4444-555555555555"


SYSINFO = """<sysinfo type='smbios'><bios><entry name='vendor'>BIOS maker</entry></bios><system>
<entry name='manufacturer'>Maker </entry><entry name='product'>Model</entry><entry name='serial'>Not Specified</entry>
<entry name='uuid'>a0000000-0000-0000-0000-00000000000b</entry><entry name='family'></entry></system></sysinfo>"""


def test_hardware_is_told_by_libvirt_or_the_kernel_and_what_is_not_specified_is_left_out(fake):
    expected = {
        "systemManufacturer": "Maker",
        "systemProductName": "Model",
        "systemUUID": "a0000000-0000-0000-0000-00000000000b",
    }
    assert identity.hardware(SYSINFO, fake.tree) == expected
    fake.write({"sys/class/dmi/id/sys_vendor": "Kernel's word", "sys/class/dmi/id/product_serial": "None"})
    assert identity.hardware("", fake.tree) == {"systemManufacturer": "Kernel's word"}
    assert identity.hardware("<broken", fake.tree) == {"systemManufacturer": "Kernel's word"}


@pytest.mark.parametrize(
    ("release", "name", "version"),
    [
        ("ID=fedora\nVERSION_ID=40", "Fedora", "40"),
        ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"', "RHEL", "9"),
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.04", "Debian", "24"),
        ("ID=alpine", "unknown", ""),
    ],
)
def test_operating_systems_have_the_names_managers_know(bare, release, name, version):
    system = identity.operating_system(bare.write({"etc/os-release": release}).tree)
    assert (system.name, system.version) == (name, version)


def test_a_debian_tells_its_point_release(fake):
    system = identity.operating_system(fake.tree)
    assert (system.name, system.version, system.release) == ("Debian", "12", "5")


def test_packages_are_told_under_the_names_managers_ask_for():
    listing = "qemu-system-x86 1:7.2+dfsg-7+deb12u13 installed\nqemu-utils 1:7.2 not-installed\n"
    listing += "librbd1 16.2.11 installed\nother 1 installed\nbroken"
    assert packages.parse_packages(listing) == {
        "qemu-kvm": {"version": "7.2+dfsg", "release": "7+deb12u13", "buildtime": 0},
        "librbd1": {"version": "16.2.11", "release": "", "buildtime": 0},
    }
    assert packages.own_packages("6.1.0-18-cloud-amd64")["kernel"]["release"] == "18-cloud-amd64"


def test_network_devices_are_sorted_by_what_they_are(fake):
    fake.write(
        {
            "sys/class/net/br0/bridge/stp_state": "0",
            "sys/class/net/br0/bridge/forward_delay": "0",
            "sys/class/net/br0/bridge/flush": "",
            "sys/class/net/br0/brif/eth0/x": "",
            "sys/class/net/bond0/bonding/slaves": "eth1 eth2",
            "sys/class/net/bond0/bonding/mode": "active-backup 1",
            "sys/class/net/eth0.5/type": "1",
            "proc/net/vlan/eth0.5": "eth0.5  VID: 5\t REORDER_HDR: 1\nDevice: eth0\n",
        }
    )
    found = devices.inventory(fake.tree)
    assert {kind: list(found[kind]) for kind in found} == {
        "networks": [], "nics": ["eth0"], "bondings": ["bond0"], "vlans": ["eth0.5"], "bridges": ["br0"],
    }  # fmt: skip
    assert found["nics"]["eth0"]["speed"] == 10000
    assert found["nics"]["eth0"]["mtu"] == "1500"
    assert (found["vlans"]["eth0.5"]["iface"], found["vlans"]["eth0.5"]["vlanid"]) == ("eth0", 5)
    assert found["bridges"]["br0"]["ports"] == ["eth0"]
    assert found["bridges"]["br0"]["opts"] == {"stp_state": "0", "forward_delay": "0"}
    assert found["bondings"]["bond0"]["opts"] == {"mode": "1"}


def test_addresses_and_gateways_are_read_from_the_kernel_s_tables(fake):
    fake.write(
        {
            "proc/net/if_inet6": "fd000000000000000000000000000002 04 40 00 82     eth0\n",
            "proc/net/route": "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t010200C0\t0003\n"
            "eth0\t000200C0\t0\t0001\n",
            "proc/net/ipv6_route": f"{'0' * 32} 00 {'0' * 32} 00 fd{'0' * 29}1 00000400 0 0 00000003     eth0\n",
        }
    )
    found = devices.read_addresses(fake.tree, ["eth0"])["eth0"]
    assert (found.v6, found.gateway, found.gateway6) == (["fd00::2/64"], "192.0.2.1", "fd00::1")
    assert devices.device_with(fake.tree, "fd00::2") == "eth0"
    assert devices.device_with(fake.tree, "127.0.0.1") == "lo"
    assert devices.device_with(fake.tree, "::ffff:127.0.0.1") == "lo"
    assert devices.device_with(fake.tree, "2001:db8::1") == ""
    assert devices.device_with(fake.tree, "") == ""


@pytest.mark.parametrize(
    ("speed", "told"), [("-1", 0), ("0", 0), ("65535", 0), ("4294967295", 0), ("", 0), ("1000", 1000)]
)
def test_speeds_that_mean_unknown_are_zero(fake, speed, told):
    assert devices.speed(fake.write({"sys/class/net/eth0/speed": speed}).tree, "eth0") == told


@given(st.sets(st.integers(0, 300), min_size=1))
def test_kernel_lists_are_read_back(numbers):
    parts, ordered = [], sorted(numbers)
    for number in ordered:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    text = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
    assert number_list(text + "\n") == ordered

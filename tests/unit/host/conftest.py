"""A host made of files: a small two-socket machine."""

import pytest

from virgate.node.host.tree import Tree

CPUINFO = """\
processor\t: 0
model name\t: Test CPU @ 2.60GHz
cpu MHz\t\t: 2599.998
flags\t\t: fpu vmx sse2

processor\t: 1
model name\t: Other
"""
MEMINFO = """\
MemTotal:       8388608 kB
MemFree:        2097152 kB
MemAvailable:   9999999 kB
Buffers:         524288 kB
Cached:         1572864 kB
SwapTotal:      1048576 kB
SwapFree:        524288 kB
AnonHugePages:     4096 kB
HugePages_Total:       0
"""
STAT = """\
cpu  1000 500 700 90000 0 0 0 0 0 0
cpu0 400 100 300 45000 0 0 0 0 0 0
cpu1 600 400 400 45000 0 0 0 0 0 0
intr 1 2 3
btime 1700000000
"""
NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compr
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0     0
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0     0
"""
NODE = "Node 0 MemTotal:  8388608 kB\nNode 0 MemFree:  2097152 kB\n"


class FakeHost:
    """Files below a folder; `tree` reads them."""

    def __init__(self, root):
        self.root = root
        self.tree = Tree(root)

    def write(self, files):
        for path, content in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return self


@pytest.fixture
def bare(tmp_path):
    """A host that tells nothing."""
    return FakeHost(tmp_path)


@pytest.fixture
def fake(bare):
    cpus = {}
    for cpu in range(4):
        folder = f"sys/devices/system/cpu/cpu{cpu}/topology"
        cpus[f"{folder}/physical_package_id"] = str(cpu // 2)
        cpus[f"{folder}/thread_siblings_list"] = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}"
    return bare.write(
        {
            **cpus,
            "sys/devices/system/cpu/online": "0-3\n",
            "proc/cpuinfo": CPUINFO,
            "proc/meminfo": MEMINFO,
            "proc/stat": STAT,
            "proc/self/stat": "42 (virgated (x)) S 1 1 1 0 -1 0 0 0 0 0 30 20 0 0 20 0 1 0 5 6 7",
            "proc/net/dev": NET_DEV,
            "proc/loadavg": "0.10 0.20 0.30 1/100 1234\n",
            "proc/sys/kernel/numa_balancing": "1",
            "sys/devices/system/node/online": "0\n",
            "sys/devices/system/node/node0/cpulist": "0-3\n",
            "sys/devices/system/node/node0/meminfo": NODE,
            "sys/devices/system/node/node0/distance": "10\n",
            "sys/class/net/eth0/type": "1",
            "sys/class/net/eth0/device/vendor": "0x1af4",
            "sys/class/net/eth0/address": "52:54:00:00:00:01",
            "sys/class/net/eth0/mtu": "1500",
            "sys/class/net/eth0/speed": "10000",
            "sys/class/net/eth0/operstate": "up",
            "sys/class/net/lo/type": "772",
            "sys/class/net/lo/operstate": "unknown",
            "sys/class/net/lo/carrier": "1",
            "sys/kernel/mm/ksm/run": "1",
            "sys/kernel/mm/ksm/pages_to_scan": "100",
            "sys/kernel/mm/ksm/pages_sharing": "512",
            "sys/kernel/mm/ksm/merge_across_nodes": "0",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
            "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "etc/debian_version": "12.5\n",
            "etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
            "etc/iscsi/initiatorname.iscsi": "# made by hand\nInitiatorName=iqn.2026-01.org.example:h1\n",
            "dev/random": "",
        }
    )

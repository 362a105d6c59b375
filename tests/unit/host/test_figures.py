import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.host.rates import HERTZ, Load, device_figures, load, rate, share
from virgate.node.host.report import MachinesReport
from virgate.node.host.sample import Counters, Jiffies, read_sample
from virgate.node.host.statistics import statistics


def test_26_rates_are_per_cent_of_the_link_s_speed():
    before, after = Counters(), Counters(rx=18750000, tx=187500000)
    found = device_figures("n", before, after, 15, 0, up=True)
    assert (found["rxRate"], found["txRate"], found["speed"], found["state"]) == ("1.0", "10.0", "1000", "up")


@given(st.integers(0, 2**33), st.integers(0, 2**33), st.floats(0, 100), st.integers(0, 100000))
def test_a_rate_is_never_below_0_or_above_100(before, after, seconds, speed):
    assert 0 <= rate(before, after, seconds, speed) <= 100


def test_a_counter_that_wrapped_counts_on():
    assert rate(2**32 - 1000, 1000, 1, 1) == pytest.approx(rate(0, 2000, 1, 1))


def test_load_is_shared_by_all_processors_and_idle_is_the_rest():
    found = load(Jiffies(0, 0), Jiffies(HERTZ, HERTZ // 2), 2, processors=2)
    assert found.wire() == {"cpuUser": "25.00", "cpuSys": "12.50", "cpuIdle": "62.50"}
    assert Load(80, 30).idle == 0
    assert share(0, 100, 0) == 0


def test_a_sample_counts_nice_as_user_and_knows_the_daemon_s_own_time(fake):
    sample = read_sample(fake.tree, 5.0)
    assert sample.cpu == Jiffies(1500, 700)
    assert sample.cpus == {0: Jiffies(500, 300), 1: Jiffies(1000, 400)}
    assert sample.own == Jiffies(30, 20)
    assert sample.devices["eth0"] == Counters(1000, 2000, 1, 3, 2, 4)


def test_an_empty_proc_gives_an_empty_sample(bare):
    sample = read_sample(bare.tree, 0)
    assert (sample.cpu, sample.cpus, sample.devices) == (Jiffies(), {}, {})


def figures(fake, samples, machines=MachinesReport(), folders=()):  # noqa: B008
    return statistics(fake.tree, samples, machines, {}, folders)


SAMPLED = {
    "network",
    "cpuStatistics",
    "numaNodeMemFree",
    "thpState",
    "bootTime",
    "diskStats",
    "cpuUserVdsmd",
    "rxDropped",
}


def test_before_two_samples_only_the_zero_defaults_are_told(fake):
    for samples in ([], [read_sample(fake.tree, 0)]):
        found = figures(fake, samples)
        assert (found["cpuUser"], found["cpuSys"], found["cpuIdle"]) == ("0.00", "0.00", "100.00")
        assert not SAMPLED & set(found)


def test_after_two_samples_everything_is_told(fake, tmp_path):
    first = read_sample(fake.tree, 0)
    busier = "cpu  1100 500 750 90000\ncpu0 500 100 350 45000\ncpu1 600 400 400 45000\nbtime 1700000000\n"
    fake.write(
        {
            "proc/stat": busier,
            "proc/net/dev": (fake.root / "proc/net/dev").read_text().replace("  1000 ", "  12501000 "),
        }
    )
    found = figures(fake, [first, read_sample(fake.tree, 1)], folders=[tmp_path, tmp_path / "none"])
    assert set(found) >= SAMPLED
    assert (found["cpuUser"], found["cpuSys"]) == (f"{50 * 100 / HERTZ:.2f}", f"{25 * 100 / HERTZ:.2f}")
    assert found["cpuStatistics"]["1"] == {"nodeIndex": 0, "cpuUser": "0.00", "cpuSys": "0.00", "cpuIdle": "100.00"}
    assert found["network"]["eth0"]["rxRate"] == "1.0"
    assert (found["rxRate"], found["rxDropped"], found["txDropped"]) == ("1.00", "2", "4")
    assert found["numaNodeMemFree"] == {"0": {"memFree": "2048", "memPercent": 75}}
    assert (found["thpState"], found["bootTime"]) == ("madvise", "1700000000")
    assert int(found["diskStats"][str(tmp_path)]["free"]) > 0
    assert found["diskStats"][str(tmp_path / "none")] == {"free": "0"}


def test_memory_that_machines_were_promised_is_not_available(fake):
    machines = MachinesReport(count=3, active=2, incoming=1, outgoing=2, committed=3000, resident=500)
    found = figures(fake, [], machines)
    assert (found["memFree"], found["memCommitted"], found["memAvailable"]) == (4096, 3000, 4096 + 500 - 3000 - 256)
    assert (found["memUsed"], found["swapTotal"], found["swapFree"], found["anonHugePages"]) == ("50", 1024, 512, "4")
    assert (found["vmCount"], found["vmActive"], found["vmMigrating"]) == (3, 2, 3)


def test_same_page_merging_is_told_from_the_kernel(fake):
    found = figures(fake, [])
    assert (found["ksmState"], found["ksmPages"], found["ksmMergeAcrossNodes"], found["memShared"]) == (
        True,
        100,
        False,
        2,
    )


def test_a_device_that_just_appeared_is_left_out(fake):
    first = read_sample(fake.tree, 0)
    fake.write({"proc/net/dev": (fake.root / "proc/net/dev").read_text() + "  new0: " + "0 " * 16})
    assert "new0" not in figures(fake, [first, read_sample(fake.tree, 1)])["network"]

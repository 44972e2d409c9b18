"""Free memory is what the tightest group around a process leaves, however the system shows its groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from focalbench.base.memory import free_bytes

GB = 10**9
SYSTEMD = "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
CPU = "36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct"
DOCKER = "35 31 0:32 /docker/4f /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory"
HYBRID = "32 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
BLANK = r"31 23 0:27 / /sys/fs/my\040groups rw - cgroup2 cgroup2 rw"

Groups = dict[str, dict[str, str | int]]


def v1(limit: int, used: int, cached: int = 0) -> dict[str, str | int]:
    stat = f"inactive_file 77\ntotal_inactive_file {cached}\n"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}


def v2(limit: str | int, used: int, cached: int = 0, high: str | int = "max") -> dict[str, str | int]:
    stat = f"anon 5\ninactive_file {cached}\n"
    return {"memory.max": limit, "memory.high": high, "memory.current": used, "memory.stat": stat}


def machine(root: Path, own: str, mountinfo: list[str], groups: Groups) -> Path:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text("MemTotal: 99 kB\nMemAvailable: 62500000 kB\n")  # 64 GB
    (root / "proc" / "self" / "cgroup").write_text(own)
    (root / "proc" / "self" / "mountinfo").write_text("\n".join([*mountinfo, ""]))
    for group, contents in groups.items():
        (root / group).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (root / group / name).write_text(f"{content}\n")
    return root


UNLIMITED = 9223372036854771712  # as version 1 writes it
SLURM = "5:cpu,cpuacct:/slurm/uid_7\n4:memory:/slurm/uid_7/job_1/step_0/task_0\n0::/system.slice/slurmd.service\n"
JOB = "sys/fs/cgroup/memory/slurm/uid_7/job_1"
USER = "sys/fs/cgroup/user.slice/user-7.slice"
CASES: dict[str, tuple[str, list[str], Groups, int]] = {
    "no limit anywhere": ("0::/user.slice\n", [SYSTEMD], {"sys/fs/cgroup/user.slice": v2("max", 5 * GB)}, 64 * GB),
    "the own group": ("0::/a/b\n", [SYSTEMD], {"sys/fs/cgroup/a/b": v2(8 * GB, 3 * GB, GB)}, 6 * GB),
    "a systemd slice above": (
        "0::/user.slice/user-7.slice/session-3.scope\n",
        [SYSTEMD],
        {f"{USER}/session-3.scope": v2("max", GB), USER: v2(4 * GB, 3 * GB)},
        GB,
    ),
    "a limit from where it is slowed": (
        "0::/user.slice/user-7.slice\n",
        [SYSTEMD],
        {USER: v2(8 * GB, 3 * GB, high=5 * GB)},
        2 * GB,
    ),
    "the tightest, not the nearest": (
        "0::/a/b/c\n",
        [SYSTEMD],
        {"sys/fs/cgroup/a": v2(20 * GB, 17 * GB), "sys/fs/cgroup/a/b/c": v2(9 * GB, 2 * GB)},
        3 * GB,
    ),
    "a container's own view": ("0::/\n", [SYSTEMD], {"sys/fs/cgroup": v2(2 * GB, GB)}, GB),
    "a Slurm job, version 1": (
        SLURM,
        [CPU, V1, HYBRID],
        {JOB: v1(8 * GB, 5 * GB, 2 * GB), f"{JOB}/step_0/task_0": v1(UNLIMITED, GB), "sys/fs/cgroup/memory": v1(1, 0)},
        1,
    ),
    "a Slurm step, version 1": (
        SLURM,
        [CPU, V1, HYBRID],
        {JOB: v1(8 * GB, 5 * GB, 2 * GB), f"{JOB}/step_0": v1(7 * GB, 5 * GB, GB)},
        3 * GB,
    ),
    "Docker, version 1": ("4:memory:/docker/4f\n", [DOCKER], {"sys/fs/cgroup/memory": v1(3 * GB, GB)}, 2 * GB),
    "a group in Docker": ("4:memory:/docker/4f/x\n", [DOCKER], {"sys/fs/cgroup/memory/x": v1(3 * GB, GB)}, 2 * GB),
    "Docker that hides its path": ("4:memory:/\n", [DOCKER], {"sys/fs/cgroup/memory": v1(3 * GB, GB)}, 2 * GB),
    "several controllers in one": (
        "4:memory,cpu:/j\n",
        ["35 31 0:32 / /cg rw - cgroup cgroup rw,cpu,memory"],
        {"cg/j": v1(3 * GB, GB)},
        2 * GB,
    ),
    "a neighbour's limit": ("0::/a\n", [SYSTEMD], {"sys/fs/cgroup/ab": v2(2 * GB, GB)}, 64 * GB),
    "another controller's folder": ("4:memory:/j\n", [CPU], {"sys/fs/cgroup/cpu/j": v1(2 * GB, GB)}, 64 * GB),
    "a mount with a blank": ("0::/a\n", [BLANK], {"sys/fs/my groups/a": v2(2 * GB, GB)}, GB),
    "more used than allowed": ("0::/a\n", [SYSTEMD], {"sys/fs/cgroup/a": v2(GB, 2 * GB)}, 0),
    "a name with a colon": ("0::/a:b\n", [SYSTEMD], {"sys/fs/cgroup/a:b": v2(2 * GB, GB)}, GB),
}


@pytest.mark.parametrize("name", CASES)
def test_the_tightest_group_counts(tmp_path: Path, name: str) -> None:
    own, mountinfo, groups, free = CASES[name]
    assert free_bytes(machine(tmp_path, own, mountinfo, groups)) == free


def test_a_system_that_says_nothing_says_nothing(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemAvailable: 5 kB\n")
    assert free_bytes(tmp_path) == 5120


def test_a_real_group_of_this_machine_is_seen() -> None:
    around = Path("/sys/fs/cgroup/memory") if Path("/sys/fs/cgroup/memory").is_dir() else Path("/sys/fs/cgroup")
    outer = around / f"focalbench-test-{os.getpid()}"
    inner, limit = outer / "inner", "memory.limit_in_bytes" if around.name == "memory" else "memory.max"
    try:
        inner.mkdir(parents=True)
        (outer / limit).write_text(str(GB))
    except OSError:
        for folder in filter(Path.is_dir, (inner, outer)):
            folder.rmdir()
        pytest.skip("no right to make a control group here")
    code = (
        "import os, sys; from pathlib import Path; from focalbench.base.memory import free_bytes\n"
        "Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid())); print(free_bytes())"
    )
    try:
        said = subprocess.run([sys.executable, "-c", code, str(inner)], capture_output=True, text=True)
        assert 0.9 * GB < int(said.stdout) <= GB, said.stderr
    finally:
        inner.rmdir()
        outer.rmdir()

"""CPU time and memory of processes, from /proc."""

import os
import re
import resource
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Returns the fields after the name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    """Returns user and system time of a process with its threads, without its children."""
    return sum(int(ticks) for ticks in _stat(pid)[11:13]) / _TICKS


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(_stat(int(entry.name))[1]) == pid:
                    found.append(int(entry.name))
            except (OSError, IndexError):
                pass  # It has ended meanwhile.
    return found


def postgres_cpu(postmaster: int) -> dict[str, float]:
    """Returns CPU seconds of the server's processes: backends by database, and the others."""
    seconds: dict[str, float] = {"postgres (others)": cpu_seconds(postmaster)}
    for pid in children(postmaster):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_text()
            used = cpu_seconds(pid)
        except OSError:
            continue
        backend = re.match(r"postgres: \w+ (\w+) [\d.]+\(", title)
        name = f"postgres ({backend[1]})" if backend else "postgres (others)"
        seconds[name] = seconds.get(name, 0) + used
    return seconds


def own_children_cpu() -> float:
    """Returns CPU seconds of all programs that we have run to their end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_mib(pid: int) -> dict[str, float]:
    """Returns the resident memory, and its peak since the start or `reset_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024
            for name, field in (("now", "VmRSS"), ("peak", "VmHWM"))}


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")

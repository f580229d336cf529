"""Children of one supervisor: started, watched, stopped, and found again after a crash.

The supervisor keeps its signals blocked and takes them with `Supervisor.wait`, so that a Ctrl-C is
never lost and never cuts a step in half. One supervisor per process, used from the main thread.
"""

import json
import os
import signal
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Failure(Exception):
    """Something went wrong; the text tells the user what, and what to do."""


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


def say(text: str = "") -> None:
    """Prints a line. A reader that went away must not keep us from stopping what we started."""
    try:
        print(text, flush=True)
    except OSError:
        pass


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log, indented, for an error message."""
    text = path.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  | {line}" for line in text) or "  | (empty)"


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's ticks: with the pid it names one process for good."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def stop_process(pid: int, stop_signal: int, seconds: float) -> None:
    """Asks a process that is no child of ours to stop, waits, and kills it if it does not."""
    started = start_time(pid)
    deadline = time.monotonic() + seconds
    try:
        os.kill(pid, stop_signal)
        while started is not None and start_time(pid) == started:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    except ProcessLookupError:
        pass


class Child:
    """A running program in a session of its own, its output in a file."""

    def __init__(self, name: str, process: subprocess.Popen, log: Path, stop_signal: int):
        self.name = name
        self.process = process
        self.log = log
        self.stop_signal = stop_signal


class Supervisor:
    """Starts children in order and stops them in the reverse order.

    `record` is a file that remembers them, for the next run to stop those that a crash of this one
    left behind.
    """

    def __init__(self, log_directory: Path, record: Path):
        self._log_directory = log_directory
        self._record = record
        self._children: list[Child] = []
        # A SIGINT that a background shell had set to be ignored counts for us all the same.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})

    def stop_leftovers(self) -> None:
        """Stops what an earlier supervisor that was killed left running."""
        try:
            entries = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return
        for entry in reversed(entries):
            if start_time(entry["pid"]) == entry["started"]:
                say(f"stopping {entry['name']} (process {entry['pid']}), left by a killed run")
                stop_process(entry["pid"], entry["signal"], 10)
        self._record.unlink()

    def start(self, name: str, command: list, environment: dict[str, str],
              stop_signal: int = signal.SIGTERM) -> Child:
        """Starts a program that is to run until `stop_all`. Its log is <name>.log, begun anew."""
        log = self._log_directory / f"{name}.log"
        child = Child(name, self._spawn(command, environment, log), log, stop_signal)
        self._children.append(child)
        self._remember()
        return child

    def run(self, name: str, command: list, environment: dict[str, str], log_name: str,
            output: Path | None = None) -> None:
        """Runs a program to its end. Raises Failure, with the end of its log, if it fails.

        With `output`, its standard output goes there, and only its standard error to the log.
        """
        log = self._log_directory / f"{log_name}.log"
        process = self._spawn(command, environment, log, output)
        try:
            while process.poll() is None:
                self.wait(1)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode != 0:
            raise Failure(f"{name} failed ({describe(process.returncode)}). "
                          f"The end of {log}:\n{tail(log)}")

    def wait(self, seconds: float) -> None:
        """Sleeps up to `seconds`, less if a child ends.

        Raises StopRequested when asked to stop, Failure when a child has died.
        """
        info = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, seconds)
        if info is not None and info.si_signo in STOP_SIGNALS:
            raise StopRequested
        for child in self._children:
            if child.process.poll() is not None:
                raise Failure(f"{child.name} ended by itself ({describe(child.process.returncode)})"
                              f". The end of {child.log}:\n{tail(child.log)}")

    def stop(self, child: Child) -> None:
        """Stops one child, if it still runs. A second Ctrl-C kills instead of asking."""
        self._children.remove(child)
        if child.process.poll() is None:
            child.process.send_signal(child.stop_signal)
            self._await_end(child, seconds=40)
        self._remember()

    def stop_all(self) -> None:
        """Stops the children, last started first, as `stop` does."""
        while self._children:
            child = self._children[-1]
            if child.process.poll() is None:
                say(f"stopping {child.name}")
            self.stop(child)
        self._record.unlink(missing_ok=True)

    def _await_end(self, child: Child, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while child.process.poll() is None:
            # The short sleep covers a SIGCHLD merged with another's.
            info = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, 0.2)
            impatient = info is not None and info.si_signo in STOP_SIGNALS
            if impatient or time.monotonic() > deadline:
                say(f"killing {child.name}")
                # For PostgreSQL this is an immediate shutdown, with recovery at the next start;
                # SIGKILL would leave its helper processes behind.
                immediate = child.stop_signal == signal.SIGINT
                child.process.send_signal(signal.SIGQUIT if immediate else signal.SIGKILL)
                deadline = time.monotonic() + 10

    def _spawn(self, command: list, environment: dict[str, str], log: Path,
               output: Path | None = None) -> subprocess.Popen:
        with (log.open("wb") as errors,
              output.open("wb") if output else nullcontext(errors) as printed):
            return subprocess.Popen(
                [str(part) for part in command], env=environment, cwd="/",
                stdin=subprocess.DEVNULL, stdout=printed, stderr=errors,
                start_new_session=True,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, []))

    def _remember(self) -> None:
        entries = [{"name": child.name, "pid": child.process.pid, "signal": int(child.stop_signal),
                    "started": start_time(child.process.pid)} for child in self._children]
        new = self._record.with_suffix(".new")
        new.write_text(json.dumps(entries))
        new.rename(self._record)


def describe(return_code: int) -> str:
    if return_code >= 0:
        return f"exit status {return_code}"
    return f"killed by {signal.Signals(-return_code).name}"

"""Programs that are started, watched and stopped.

All of them end with the process that started them, even if it is killed.
"""

import dataclasses
import signal
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path

# An environment without any of the caller's settings, such as PG*, POSTGRES_* and proxies.
BARE_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Failure(Exception):
    """An error; the text describes it and the remedy."""


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


def say(text: str = "") -> None:
    """Prints a line. A reader that has gone must not prevent us from stopping what we started."""
    try:
        print(text, flush=True)
    except OSError:
        pass


def tail(path: Path, lines: int = 20) -> str:
    """Returns the last lines of a log, indented, for an error message."""
    text = path.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  | {line}" for line in text) or "  | (empty)"


def _unblock_signals() -> None:
    """A child must not inherit the signals that a supervisor blocks."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def describe(return_code: int) -> str:
    if return_code >= 0:
        return f"exit status {return_code}"
    return f"killed by {signal.Signals(-return_code).name}"


@dataclasses.dataclass(frozen=True)
class Command:
    """A program with its arguments. `privileges` are options of setpriv that it is run with;
    `stop_signal` stops it, and `death_signal` does when the process that started it has died."""

    arguments: list
    privileges: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL

    def spawn(self, environment: dict[str, str], **options) -> subprocess.Popen:
        """Starts it; `options` are Popen's."""
        return subprocess.Popen(
            ["/usr/bin/setpriv", f"--pdeathsig={self.death_signal.name.removeprefix('SIG')}",
             *self.privileges, "--", *map(str, self.arguments)],
            env=environment, stdin=subprocess.DEVNULL, **options)


@dataclasses.dataclass(frozen=True, eq=False)
class Child:
    """A program that runs under a supervisor; its output goes to `log`."""

    name: str
    command: Command
    process: subprocess.Popen
    log: Path


class Supervisor:
    """Starts children in order and stops them in the reverse order.

    It keeps its signals blocked and takes them with `wait`, so that a Ctrl-C is never lost and never
    cuts a step in half. One supervisor per process, used from the main thread.
    """

    def __init__(self, log_directory: Path):
        self._log_directory = log_directory
        self._children: list[Child] = []
        # SIGINT must also stop us if a background shell has set it to be ignored.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})

    def start(self, name: str, command: Command, environment: dict[str, str]) -> Child:
        """Starts a program that runs until `stop_all`. Its log is a new <name>.log."""
        log = self._log_directory / f"{name}.log"
        child = Child(name, command, self._spawn(command, environment, log), log)
        self._children.append(child)
        return child

    def run(self, name: str, arguments: list, environment: dict[str, str], log_name: str,
            output: Path | None = None) -> None:
        """Runs a program to its end. Raises Failure, with the end of its log, if it fails.

        With `output`, its standard output goes there, and only its standard error to the log.
        """
        log = self._log_directory / f"{log_name}.log"
        process = self._spawn(Command(arguments), environment, log, output)
        self._finish(process)
        if process.returncode != 0:
            raise Failure(f"{name} failed ({describe(process.returncode)}). "
                          f"The end of {log}:\n{tail(log)}")

    def run_attached(self, arguments: list, environment: dict[str, str]) -> int:
        """Runs a program to its end, on our own standard output. Returns its status."""
        process = Command(arguments).spawn(environment, preexec_fn=_unblock_signals)
        self._finish(process)
        return process.returncode

    def _finish(self, process: subprocess.Popen) -> None:
        """Waits for the program's end. If the wait is interrupted, terminates the program first."""
        try:
            while process.poll() is None:
                self.wait(1)
        except BaseException:
            process.terminate()
            process.wait()
            raise

    def wait(self, seconds: float) -> None:
        """Sleeps up to `seconds`, less if a child ends.

        Raises StopRequested after a signal to stop, Failure if a child has died.
        """
        info = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, seconds)
        if info is not None and info.si_signo in STOP_SIGNALS:
            raise StopRequested
        for child in self._children:
            if child.process.poll() is not None:
                raise Failure(f"{child.name} ended by itself ({describe(child.process.returncode)})"
                              f". The end of {child.log}:\n{tail(child.log)}")

    def stop(self, child: Child) -> None:
        """Stops one child, if it still runs. A second Ctrl-C kills it."""
        self._children.remove(child)
        if child.process.poll() is None:
            child.process.send_signal(child.command.stop_signal)
            self._await_end(child, seconds=40)

    def stop_all(self) -> None:
        """Stops the children, last started first, as `stop` does."""
        while self._children:
            child = self._children[-1]
            if child.process.poll() is None:
                say(f"stopping {child.name}")
            self.stop(child)

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
                immediate = child.command.death_signal == signal.SIGQUIT
                child.process.send_signal(signal.SIGQUIT if immediate else signal.SIGKILL)
                deadline = time.monotonic() + 10

    def _spawn(self, command: Command, environment: dict[str, str], log: Path,
               output: Path | None = None) -> subprocess.Popen:
        with (log.open("wb") as errors,
              output.open("wb") if output else nullcontext(errors) as printed):
            return command.spawn(environment, cwd="/", stdout=printed, stderr=errors,
                                 start_new_session=True, preexec_fn=_unblock_signals)

"""Load from wrk, where it has to be more than Python can make."""

import dataclasses
import json
import pathlib
import re
import subprocess

# Each thread takes the next of the requests, and prints at the end what the summary leaves out.
_SCRIPT = """
local requests, turn = dofile("%s"), 0
request = function()
  turn = turn %% #requests + 1
  return requests[turn]
end
done = function(summary, latency)
  io.write(string.format("\\nresult %%d %%d %%d %%d %%d %%f %%f %%f\\n", summary.requests,
    summary.errors.status, summary.errors.timeout, summary.errors.connect,
    summary.errors.read + summary.errors.write, summary.duration / 1e6,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclasses.dataclass(frozen=True)
class Result:
    """Rates are per second, latencies in seconds; those are of all answers, refusals included."""

    served: float  # Statuses below 400.
    refused: float
    timeouts: int
    connect_errors: int
    broken: int
    median: float
    p99: float


def run(directory: pathlib.Path, port: int, messages: list[bytes], *, connections: int,
        seconds: int) -> Result:
    """Asks the messages in turn over that many connections, each as fast as it is answered."""
    table = directory / "requests.lua"
    table.write_text("return {%s}" % ",".join(json.dumps(m.decode()) for m in messages))
    script = directory / "script.lua"
    script.write_text(_SCRIPT % table)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script),
         f"http://127.0.0.1:{port}"], capture_output=True, text=True, timeout=seconds + 60,
        check=True)
    found = re.search(r"^result (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    total, refused, timeouts, connect, broken, took, median, p99 = map(float, found[1].split())
    return Result((total - refused) / took, refused / took, int(timeouts), int(connect),
                  int(broken), median, p99)

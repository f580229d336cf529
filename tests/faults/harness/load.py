"""Steady load: a number of requests each second, whether or not earlier ones are answered."""

import asyncio
import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Callable

from harness.http import Pool, Reply


@dataclasses.dataclass(frozen=True)
class Request:
    """`expected` are the statuses of success. `problem` returns the fault of a success, if
    any. `deadline` is the time that the service may take, in seconds."""

    kind: str
    pool: Pool
    message: bytes
    deadline: float
    expected: tuple[int, ...] = (200,)
    problem: Callable[[Reply], str | None] = lambda _: None
    # Called at every end; with None if it was not a success.
    on_reply: Callable[[Reply | None], None] = lambda _: None


@dataclasses.dataclass
class Outcome:
    request: Request
    started: float
    seconds: float | None = None  # None while waiting.
    status: int = 0  # 0 without an answer.
    problem: str | None = None
    connection_lost: bool = False

    @property
    def ended(self) -> float | None:
        return None if self.seconds is None else self.started + self.seconds

    @property
    def succeeded(self) -> bool:
        return self.status in self.request.expected and self.problem is None

    def __str__(self) -> str:
        return (f"{self.request.kind} → {self.status} in "
                f"{'…' if self.seconds is None else f'{self.seconds:.2f} s'}: {self.problem}")


class Load:
    """Runs on an event loop. `make` returns the next request each time."""

    def __init__(self, make: Callable[[], Request], rate: float, slack: float = 1.0):
        self._make = make
        self._interval = 1 / rate
        self._slack = slack
        self._tasks: set[asyncio.Task] = set()
        self._runner: asyncio.Task | None = None
        self.outcomes: list[Outcome] = []

    async def start(self) -> None:
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._runner.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        began = time.monotonic()
        for number in itertools.count(1):
            task = asyncio.create_task(self._ask(self._make()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(max(0, began + number * self._interval - time.monotonic()))

    async def _ask(self, request: Request) -> None:
        outcome = Outcome(request, time.monotonic())
        self.outcomes.append(outcome)
        reply = None
        try:
            reply, outcome.seconds = await asyncio.wait_for(
                request.pool.exchange(request.message), request.deadline + self._slack)
            outcome.status = reply.status
            if reply.status in request.expected:
                outcome.problem = request.problem(reply)
            elif reply.status != 503:
                outcome.problem = reply.body.decode(errors="replace")
            elif "retry-after" not in reply.headers:
                outcome.problem = "no Retry-After"
        except asyncio.TimeoutError:
            outcome.problem = "no answer within its deadline"
        except (OSError, asyncio.IncompleteReadError) as error:
            outcome.problem, outcome.connection_lost = f"no answer: {error!r}", True
        except Exception as error:
            outcome.problem = f"not an answer of this API: {error!r}"
        finally:
            if outcome.seconds is None:
                outcome.seconds = time.monotonic() - outcome.started
            request.on_reply(reply if outcome.succeeded else None)

    # Results

    def since(self, moment: float) -> list[Outcome]:
        """Returns the requests that were in progress at this moment or began later."""
        return [outcome for outcome in self.outcomes
                if outcome.ended is None or outcome.ended >= moment]

    async def hindered_since(self, moment: float) -> None:
        """Waits until a request has failed since then."""
        while not any(outcome.ended is not None and not outcome.succeeded
                      for outcome in self.since(moment)):
            await asyncio.sleep(0.01)

    async def settled(self, before: float) -> None:
        """Waits for the end of all requests that started before this moment."""
        while any(outcome.seconds is None for outcome in self.outcomes
                  if outcome.started < before):
            await asyncio.sleep(0.02)

    async def well_since(self, earliest: float, seconds: float, window: float = 0.3) -> float | None:
        """Returns the first moment after `earliest` from which all requests started within `window`
        succeeded; None if there is none within `seconds`."""
        start = earliest
        while start <= earliest + seconds:
            while time.monotonic() < start + window:
                await asyncio.sleep(0.02)
            seen = [outcome for outcome in self.outcomes
                    if start <= outcome.started < start + window]
            failed = [outcome for outcome in seen
                      if outcome.seconds is not None and not outcome.succeeded]
            if failed:
                start = max(outcome.started for outcome in failed) + 1e-6
            elif seen and all(outcome.seconds is not None for outcome in seen):
                return start
            else:
                await asyncio.sleep(0.02)
        return None


def summary(outcomes: list[Outcome]) -> Counter:
    return Counter((outcome.request.kind, outcome.status) for outcome in outcomes)

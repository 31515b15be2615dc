"""Many clients that send hostile requests to servers at once, in processes and threads of their own."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any

from tests.soak.connections import CLOSED, SECONDS, SILENT, Answer, Connection
from tests.soak.hostile import Request, Requests, Route, head, whole

log = logging.getLogger(__name__)

CLIENTS = 8
"""Threads that attack a server."""
IDLERS = 16
"""Threads that send a part of a request and wait for the server to give up."""
_MOST_SHOWN = 20
_REPORT_SECONDS = 10.0
_FORKS = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Target:
    """
    A server to attack.

    :param name: A name for the log.
    :param pid: Its process.
    :param port: Its port on loopback.
    :param tokens: See :class:`~tests.soak.hostile.Requests`.
    """

    name: str
    pid: int
    port: int
    tokens: Mapping[str, str]


@dataclass
class Tally:
    """
    What came of requests.

    :param outcomes: How many of each class of statuses.
    :param statuses: How many of each kind of request and status.
    :param faults: The first requests that were not answered as they have to be.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, request: Request, answer: Answer) -> None:
        """Count a request, and keep it if its answer is a fault."""
        self.outcomes[answer.counted_as] += 1
        self.statuses[request.kind, answer.outcome] += 1
        failed = answer.counted_as in ("5xx", SILENT) or (request.due and answer.outcome == CLOSED)
        if failed and len(self.faults) < _MOST_SHOWN:
            self.faults.append(f"{request.kind}: {request.data[:2_000]!r} -> {answer}")

    def add(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.outcomes += other.outcomes
        self.statuses += other.statuses
        self.faults += other.faults


Work = Callable[["Tally", Random, int], None]


def attack(targets: Sequence[Target], known: list[Route], requests: int, seed: str) -> Tally:
    """
    Send so many requests, the same number to each server.

    :param known: The routes of the servers.
    :param seed: Stands for the requests that are made.
    """
    counts = [_FORKS.Value("q", 0) for _ in targets]
    answers = [_FORKS.Pipe(duplex=False) for _ in targets]
    share = -(-requests // len(targets))
    processes = [
        _FORKS.Process(target=_attack_one, args=(target, known, share, f"{seed} {target.name}", count, end))
        for target, count, (_, end) in zip(targets, counts, answers, strict=True)
    ]
    for process in processes:
        process.start()
    total, began = Tally(), time.monotonic()
    for begin, end in answers:
        end.close()
        while not begin.poll(_REPORT_SECONDS):
            sent, seconds = sum(count.value for count in counts), time.monotonic() - began
            log.info("%d of %d requests, %d in a second", sent, share * len(targets), sent / seconds)
        total.add(begin.recv())
    for process in processes:
        process.join()
    return total


def _attack_one(target: Target, known: list[Route], requests: int, seed: str, count: Any, end: Any) -> None:
    """Attack a server from this process, and send the tally."""
    idle = min(requests // 10, max(IDLERS, requests // 1_000))
    quotas = [("busy", n, quota) for n, quota in enumerate(_shares(requests - idle, CLIENTS))]
    quotas += [("idle", n, quota) for n, quota in enumerate(_shares(idle, IDLERS))]
    tallies = [Tally() for _ in quotas]

    def run(tally: Tally, kind: str, number: int, quota: int) -> None:
        random = Random(f"{seed} {kind} {number}")
        made = _busy(target, known, random) if kind == "busy" else _idle(target, random)
        for request, answer in islice(made, quota):
            tally.note(request, answer)
            with count.get_lock():
                count.value += 1

    threads = [
        threading.Thread(target=run, args=(tally, *quota))
        for tally, quota in zip(tallies, quotas, strict=True)
    ]
    for thread in threads:
        thread.start()
    total = Tally()
    for thread, tally in zip(threads, tallies, strict=True):
        thread.join()
        total.add(tally)
    end.send(total)


def _shares(whole: int, parts: int) -> list[int]:
    return [whole // parts + (number < whole % parts) for number in range(parts)]


def _busy(target: Target, known: list[Route], random: Random) -> Iterator[tuple[Request, Answer]]:
    """Requests of all kinds, over one connection for as long as it lasts."""
    with Connection(target.port) as connection:
        for request in Requests(random, known, target.tokens):
            yield request, connection.ask(request)


def _idle(target: Target, random: Random) -> Iterator[tuple[Request, Answer]]:
    """Requests that are never complete, and wrong tokens, which the server answers slowly."""
    full = target.tokens["full"]
    begun = {
        "nothing sent": b"",
        "a part of a line": b"GET /hea",
        "a part of the headers": head("GET", "/health", full)[:-2],
        "a part of the body": head("POST", "/v1beta/models", full, b"Content-Length: 99\r\n") + b"{",
        "a part of a chunk": head("POST", "/v1beta/models", full, b"Transfer-Encoding: chunked\r\n")
        + b"9\r\n{",
    }
    while True:
        address = f"127.0.{random.choice([0, 0, 0, 1])}.{random.randrange(2, 250)}"
        if random.random() < 0.5:
            kind, data = random.choice(list(begun.items()))
            request = Request(f"idle: {kind}", data, due=False)
        else:
            tokens = ["expired", "wrong"]
            token = target.tokens.get(random.choice(tokens), f"wrong{random.getrandbits(64)}")
            # One address sends so many that the server slows it down.
            address = random.choice(["127.0.2.2", address])
            request = Request("wrong token", whole("GET", "/v1beta/environments", token))
        with Connection(target.port, address) as connection:
            yield request, connection.ask(request)


assert SECONDS > 30, "the deadline of the server"

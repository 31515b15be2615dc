"""
Another process that tries to use the engines of a victim: ``python -m tests.engine.intruder PID USER``.

One half finds the ports of engines the moment they listen: it may look into all processes, so that it finds
those of the victim only. The other half belongs to USER, and sends each of these ports one request after the
other. Prints a line of JSON after every 50 requests, until standard input ends.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
from pyspark.cloudpickle import dumps
from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc, expressions_pb2, relations_pb2, types_pb2
from pyspark.sql.types import LongType, StructField, StructType

_LISTENING = "0A"
_MAP_IN_ARROW = 207
_EVERY = 50


def sql() -> Any:
    """A query."""
    return relations_pb2.Relation(sql=relations_pb2.SQL(query="SELECT 1 AS n"))


def python() -> Any:
    """A function that the engine unpickles and runs."""
    longs = types_pb2.DataType(
        struct=types_pb2.DataType.Struct(
            fields=[
                types_pb2.DataType.StructField(
                    name="n", data_type=types_pb2.DataType(long=types_pb2.DataType.Long()), nullable=True
                )
            ]
        )
    )

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"n": [__import__("os").getuid()]})

    function = expressions_pb2.PythonUDF(
        output_type=longs,
        eval_type=_MAP_IN_ARROW,
        command=dumps((run, StructType([StructField("n", LongType())]))),
        python_ver=f"{sys.version_info.major}.{sys.version_info.minor}",
    )
    named = expressions_pb2.CommonInlineUserDefinedFunction(function_name="run", python_udf=function)
    return relations_pb2.Relation(map_partitions=relations_pb2.MapPartitions(input=sql(), func=named))


def answered(port: int, relation: Any) -> bool:
    """Whether an engine answers a request with rows."""
    request = base_pb2.ExecutePlanRequest(
        session_id=str(uuid.uuid4()),
        user_context=base_pb2.UserContext(user_id="intruder"),
        plan=base_pb2.Plan(root=relation),
    )
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, suppress(grpc.RpcError):
        answers = base_pb2_grpc.SparkConnectServiceStub(channel).ExecutePlan(request, timeout=20)
        return any(answer.HasField("arrow_batch") for answer in answers)
    return False


def attack(ports: socket.socket, user: int) -> None:
    """Send a request to each port that is named, as a user who may do nothing but that."""
    requests = cycle([("sql", sql()), ("python", python())])
    if user != os.getuid():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    with ports.makefile("rb") as lines:
        for line in lines:
            kind, relation = next(requests)
            ports.sendall(f"{kind if answered(int(line), relation) else ''}\n".encode())


def engines(victim: int) -> Iterator[int]:
    """Ports on which processes that the victim has started listen."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    listening = {
        f"socket:[{row[9]}]": int(row[1].partition(":")[2], 16) for row in rows if row[3] == _LISTENING
    }
    for task in Path(f"/proc/{victim}/task").iterdir():
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                # The tests themselves share an engine that anybody may use.
                if (
                    b"aporia_provider.engine.embedded.server"
                    not in Path(f"/proc/{child}/cmdline").read_bytes()
                ):
                    continue
                for descriptor in Path(f"/proc/{child}/fd").iterdir():
                    with suppress(OSError):
                        if (port := listening.get(str(descriptor.readlink()))) is not None:
                            yield port


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Find engines and attack them until standard input ends."""
    victim, user = int(sys.argv[1]), int(sys.argv[2])
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        attack(theirs, user)
        os._exit(0)
    theirs.close()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    tell("ready")
    sent = {"sent": 0, "sql": 0, "python": 0}
    with ours, ours.makefile("rb") as answers:
        while not ended.is_set():
            for port in set(engines(victim)):
                ours.sendall(b"%d\n" % port)
                kind = answers.readline().decode().strip()
                sent["sent"] += 1
                if kind:
                    sent[kind] += 1
                if sent["sent"] % _EVERY == 0:
                    tell(json.dumps(sent))
    os.wait()


if __name__ == "__main__":
    main()

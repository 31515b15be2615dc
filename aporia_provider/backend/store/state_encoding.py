"""
Binary form of states in the database: MessagePack, compressed by Zstandard.

The first byte is the version of the format. It is followed by the CRC-32 of what was compressed, and its
length in bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from aporia_provider.errors import AporiaError
from aporia_provider.monitoring.states.state import State, unpack_state

MAX_BYTES: Final = 1 << 28
"""Maximum length of the uncompressed form."""

_VERSION = 1
_HEADER = struct.Struct("<BII")
_LEVEL = 6


def encode_state(state: State) -> bytes:
    """
    Return the binary form of a state.

    :raises aporia_provider.errors.AporiaError: if the uncompressed form is longer than :data:`MAX_BYTES`.
    """
    return _encode(state.to_packed())


def decode_state(data: bytes) -> State:
    """
    Return the state from the result of :func:`encode_state`.

    :raises ValueError: if it cannot be read; the message is the reason.
    """
    return _unpacked(_decode(data))


def encode_states(offsets: Sequence[int], states: Sequence[State]) -> bytes:
    """
    Return the binary form of the states of several buckets.

    :param offsets: Positions of the buckets of the states.
    :param states: The states.
    :raises aporia_provider.errors.AporiaError: see :func:`encode_state`.
    """
    return _encode([list(offsets), [state.to_packed() for state in states]])


def decode_states(data: bytes) -> tuple[list[int], list[State]]:
    """
    Return the positions and the states from the result of :func:`encode_states`.

    :raises ValueError: see :func:`decode_state`.
    """
    decoded = _decode(data)
    try:
        offsets, packed = decoded
        states = list(map(_unpacked, packed))
    except TypeError:
        raise ValueError("they are not a list of states") from None
    if len(offsets) != len(states) or not all(isinstance(offset, int) for offset in offsets):
        raise ValueError("they do not have one bucket each")
    return offsets, states


def _unpacked(packed: Any) -> State:
    try:
        return unpack_state(packed)
    except KeyError:
        raise ValueError("their kind is unknown") from None
    except TypeError:
        raise ValueError("they are not one state") from None


def _encode(value: Any) -> bytes:
    content = msgspec.msgpack.encode(value)
    if len(content) > MAX_BYTES:
        raise AporiaError(
            f"The state of a field has {len(content):,} bytes, and {MAX_BYTES:,} is the limit: exclude the "
            "field from the schema of the version, or reduce the number of its values"
        )
    compressed: bytes = _codec().compress(content, asbytes=True)
    return _HEADER.pack(_VERSION, zlib.crc32(content), len(content)) + compressed


def _decode(data: bytes) -> Any:
    if len(data) < _HEADER.size:
        raise ValueError("they are incomplete")
    version, checksum, length = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise ValueError(f"their format is {version}, and this version reads format {_VERSION}")
    if length > MAX_BYTES:
        raise ValueError(f"they have {length:,} bytes, and {MAX_BYTES:,} is the limit")
    try:
        content = _codec().decompress(memoryview(data)[_HEADER.size :], length, asbytes=True)
    except (OSError, pa.ArrowException):
        raise ValueError("they are damaged") from None
    if zlib.crc32(content) != checksum:
        raise ValueError("they are damaged")
    try:
        return msgspec.msgpack.decode(content)
    except msgspec.DecodeError:
        raise ValueError("they are damaged") from None


@cache
def _codec() -> pa.Codec:
    return pa.Codec("zstd", compression_level=_LEVEL)

"""Normalisation of request paths: repeated and trailing slashes, and encoded slashes inside ids."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor

from aporia_provider.backend.store.json_columns import text_problem
from aporia_provider.errors import ValidationError


class _Segment(Convertor[str]):
    """Path converter that decodes one segment of a normalised path, which may contain encoded slashes."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote_to_bytes(value).decode()

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("segment", _Segment())

MODEL = "/models/{model_id:segment}"
VERSION = f"{MODEL}/versions/{{version:segment}}"


def normalise(scope: MutableMapping[str, Any]) -> str:
    """
    Return the path of a request with uniformly percent-encoded segments and without empty segments.

    Routes are matched against this path, so that an encoded slash remains part of its segment.

    :raises aporia_provider.errors.ValidationError: if a segment is not valid text.
    """
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    segments = [_normal_segment(segment) for segment in raw.split(b"/") if segment]
    return "/" + "/".join(segments)


def _normal_segment(segment: bytes) -> str:
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise ValidationError("The path is not UTF-8", status=400) from None
    fault = text_problem(text)
    if fault:
        raise ValidationError(f"The path {fault}", status=400)
    return quote(text, safe="")

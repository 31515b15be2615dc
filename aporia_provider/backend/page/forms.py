"""Forms of the page."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

_MAX_FIELDS = 10


async def read_form(request: Request) -> dict[str, str]:
    """
    Return the fields of a form; of several fields with the same name, the first.

    :param request: A request whose body is a form.
    :raises starlette.exceptions.HTTPException: if there are too many fields.
    """
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qsl(body, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return dict(reversed(fields))

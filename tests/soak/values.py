"""Random JSON values: those that a JSON schema permits, with extreme contents, and those that it does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

NAMES = ["m", "m1", "m2", "v1", "v2", "serving", "a", "b", "p", "features.a", "id", "at"]
TEXTS = [
    "",
    " ",
    "' OR 1=1 --",
    "'; DROP TABLE models; --",
    "1); DELETE FROM tokens WHERE (1=1",
    "{{ 7 * 7 }}",
    "${jndi:ldap://127.0.0.1/a}",
    "$(touch /tmp/aporia-soak)",
    "`id`",
    "%s%s%n",
    "../../../../etc/passwd",
    "file:///etc/passwd",
    "/etc/shadow",
    "s3://b/../../k",
    "s3://user:password@b/k",
    "http://169.254.169.254/latest/meta-data",
    "jdbc:mysql://h/d?allowLoadLocalInfile=true",
    "jdbc:postgresql://" + "token" * 2_000,
    "line\r\nSet-Cookie: a=b",
    "nul\x00byte",
    "\ud800",
    "\ufeff",
    "\u202egnp.exe",
    "ﷺ" * 300,
    "e\u0301" * 100,
    "😀" * 64,
    "a" * 255,
    "a" * 256,
    "a" * 20_000,
    "NaN",
    "Infinity",
    "null",
    "true",
    "1e999",
    "0x10",
    "9" * 400,
    "-1",
    "@reboot",
    "* * * * *",
    "60 24 32 13 8",
    "*/0 * * * *",
    "9999d",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999+14:00",
    "2024-02-30T00:00:00",
    "array<" * 40 + "int" + ">" * 40,
    "struct(" * 30 + "1" + ")" * 30,
    "repeat('x', 1000000000)",
    "(SELECT count(*) FROM pg_shadow)",
    "java_method('java.lang.System', 'exit', 1)",
    "__proto__",
    "constructor",
    "__class__",
    *NAMES,
]
NUMBERS: list[Any] = [
    0,
    1,
    -1,
    2,
    10,
    255,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e308,
    -1e308,
    5e-324,
    1e-12,
]
EMPTY: list[Any] = [None, True, False, [], {}, [[]], [{}], [None], {"": None}]

Schema = dict[str, Any]


class Values:
    """
    Makes values.

    :param random: Where the choices come from.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self._kinds: list[Callable[[], Any]] = [
            self.text,
            self.number,
            lambda: copy.deepcopy(self.random.choice(EMPTY)),
            lambda: nested(self.random.choice([3, 50, 199])),
            lambda: [self.number()] * self.random.choice([5, 500, 5_000]),
            lambda: {f"k{n}": self.text() for n in range(self.random.choice([5, 50]))},
        ]

    def text(self) -> str:
        """A text: half of them are names that the server knows."""
        return self.random.choice(NAMES if self.random.random() < 0.5 else TEXTS)

    def number(self) -> Any:
        return self.random.choice(NUMBERS)

    def anything(self) -> Any:
        """A value of any kind."""
        return self.random.choice(self._kinds)()

    def fitting(self, schema: Schema) -> Any:
        """A value of the types that a schema permits; lengths and patterns are not kept to."""
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        if "anyOf" in schema:
            return self.fitting(self.random.choice(schema["anyOf"]))
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = self.random.choice(kind)
        return self._of(kind, schema)

    def _of(self, kind: str | None, schema: Schema) -> Any:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            size = self.random.choice([0, 1, 1, 2, 3, 8])
            return [self.fitting(schema.get("items", {})) for _ in range(size)]
        made = {"string": self.text, "integer": self.number, "number": self.number, "null": lambda: None}
        if kind == "boolean":
            return self.random.random() < 0.5
        return made.get(kind or "", self.anything)()

    def _object(self, schema: Schema) -> dict[str, Any]:
        required, listed = schema.get("required", ()), schema.get("properties", {})
        made = {
            key: self.fitting(inner)
            for key, inner in listed.items()
            if key in required or self.random.random() < 0.4
        }
        more = schema.get("additionalProperties", not listed)
        if more:
            inner = more if isinstance(more, dict) else {}
            made |= {self.text(): self.fitting(inner) for _ in range(self.random.choice([0, 1, 2, 4]))}
        return made

    def changed(self, value: Any) -> Any:
        """The value with something else in one place."""
        places = list(_places(value))
        if not places or self.random.random() < 0.05:
            return self.anything()
        inside, key = self.random.choice(places)
        what = self.random.random()
        if what < 0.2:
            del inside[key]
        elif what < 0.3 and isinstance(inside, dict):
            inside[self.text()] = self.anything()
        else:
            inside[key] = self.anything()
        return value


def nested(depth: int) -> Any:
    """Lists inside of each other."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def dumped(value: Any) -> bytes:
    """JSON; single surrogates, which UTF-8 has no form for, are escaped."""
    return json.dumps(value).encode()

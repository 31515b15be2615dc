"""Links from tasks to the web page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aporia_provider.links import ModelPageLink

BASE, PAGE = "AIRFLOW__API__BASE_URL", "AIRFLOW__APORIA__PAGE_URL"


@pytest.mark.parametrize(
    ("variables", "operator", "link"),
    [
        ({}, {"model_id": "m"}, ""),
        ({BASE: "https://a.example/x/"}, {"model_id": "a/b"}, "https://a.example/x/aporia/models/a%2Fb"),
        ({BASE: "https://a.example"}, {"model_id": None}, "https://a.example/aporia/"),
        # The page inside Airflow does not show the models of a server.
        ({BASE: "https://a.example"}, {"model_id": "m", "server_url": "https://s.example"}, ""),
        (
            {BASE: "https://a.example", PAGE: "https://s.example/page/"},
            {"model_id": "m", "server_url": "https://s.example"},
            "https://s.example/page/models/m",
        ),
    ],
)
def test_the_link_to_a_model(
    variables: dict[str, str], operator: dict[str, Any], link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (BASE, PAGE):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    task: Any = SimpleNamespace(**operator)
    key: Any = None
    assert ModelPageLink().get_link(task, ti_key=key) == link

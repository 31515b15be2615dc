"""Who gets the page of a server: with a session, and nothing without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from aporia_provider.backend.page.application import create_page
from aporia_provider.backend.server.auth.token_check import TokenCheck
from aporia_provider.backend.server.auth.tokens import create_token, revoke_token
from aporia_provider.backend.server.page_sessions import (
    COOKIE,
    MAX_SESSIONS_OF_TOKEN,
    Sessions,
    TokenAccess,
    local_path,
)
from aporia_provider.backend.store.database import Database
from aporia_provider.models import Model
from tests.backend.conftest import copied
from tests.backend.page.visiting import browser, sign_in, signed_in
from tests.backend.running import Served, serving, token_for
from tests.processes import starts_process

HOSTILE = "<script>alert(1)</script>"
OPEN = {"/login", "/logout", "/static/{name:segment}"}


@pytest.fixture(scope="module")
def url(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return copied(migrated, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def database(url: str) -> Iterator[Database]:
    with Database(url) as opened:
        yield opened


@pytest.fixture(scope="module")
@starts_process()
def server(url: str) -> Iterator[Served]:
    from aporia_provider.backend.registry import Registry

    with Database(url) as database:
        Registry(database, "e").create_model(Model(id=HOSTILE, name=HOSTILE))
        Registry(database, "other").create_model(Model(id="hidden", name="hidden"))
    with serving(url, "--page") as served:
        yield served


@pytest.fixture(scope="module")
def token(url: str) -> str:
    return token_for(url, "e")


def addresses(database: Database) -> list[tuple[str, str]]:
    """Method and address of all routes of the application, with values for their parameters."""
    app = create_page(lambda: database, TokenAccess(TokenCheck(database, None)))
    found = []
    for route in app.routes:
        path = "/page" + "".join(
            part.partition("}")[2] if place else part for place, part in enumerate(route.path.split("{"))
        )
        if route.path not in OPEN:
            found += [(method, path) for method in route.methods]
    return found


def test_anonymous_users_get_nothing_from_any_route(server: Served, database: Database) -> None:
    routes = addresses(database)
    assert routes
    with browser(server.url) as client:
        for method, address in [*routes, ("GET", "/page"), ("GET", "/page/no/such/view"), ("PUT", "/page/")]:
            reply = client.request(method, address)
            assert reply.status_code in (303, 401, 405), (method, address)
            assert HOSTILE not in reply.text
            assert "hidden" not in reply.text
            if reply.status_code == 303:
                assert reply.headers["location"].startswith("/page/login")


def test_a_cookie_or_a_token_that_is_wrong_opens_nothing(server: Served, token: str) -> None:
    for cookie in ("", "wrong", token, "é"):
        reply = httpx2.get(
            server.url + "/page/", headers={"Cookie": f"{COOKIE}={cookie}".encode()}, trust_env=False
        )
        assert reply.status_code == 401
    bearer = httpx2.get(server.url + "/page/", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert bearer.status_code == 401


def test_a_session_shows_the_environment_of_its_token_only(server: Served, token: str) -> None:
    with signed_in(server.url, token) as client:
        page = client.get("/page/")
    assert page.status_code == 200
    assert "1 of 1 models" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert HOSTILE not in page.text
    assert "hidden" not in page.text


def test_the_cookie_is_hidden_from_scripts_and_holds_no_token(server: Served, token: str) -> None:
    with browser(server.url) as client:
        reply = sign_in(client, token)
    parts = {part.strip().lower() for part in reply.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/page"} <= parts
    assert "secure" not in parts
    assert token not in str(reply.headers)
    assert token not in server.log
    with browser(server.url, **{"X-Forwarded-Proto": "https"}) as client:
        assert "secure" in sign_in(client, token).headers["set-cookie"].lower()


def test_signing_out_ends_the_session(server: Served, token: str) -> None:
    with signed_in(server.url, token) as client:
        session = client.cookies[COOKIE]
        assert client.post("/page/logout").headers["location"] == "/page/login"
        assert client.get("/page/").status_code == 303
    again = httpx2.get(server.url + "/page/", headers={"Cookie": f"{COOKIE}={session}"}, trust_env=False)
    assert again.status_code == 401


def test_revoking_a_token_ends_its_sessions(server: Served, database: Database) -> None:
    with signed_in(server.url, create_token(database, "e", "short")) as client:
        assert client.get("/page/").status_code == 200
        revoke_token(database, "e", "short")
        assert client.get("/page/").headers["location"] == "/page/login"


def test_a_wrong_token_is_refused_and_not_repeated(server: Served) -> None:
    with browser(server.url) as client:
        reply = sign_in(client, "aporia_wrong<b>")
    assert reply.status_code == 401
    assert "not accepted" in reply.text
    assert "wrong<b>" not in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_requests_of_other_sites_change_nothing(server: Served, token: str, headers: dict[str, str]) -> None:
    with signed_in(server.url, token) as client:
        del client.headers["Sec-Fetch-Site"]
        for path in ("/page/login", "/page/logout", "/page/models/m/alerts/a/acknowledge"):
            assert client.post(path, headers=headers, data={"token": token}).status_code == 403
        assert client.get("/page/").status_code == 200


def test_a_form_of_the_page_is_accepted_by_its_origin(server: Served, token: str) -> None:
    """Browsers send no ``Sec-Fetch-Site`` to other hosts without HTTPS."""
    with browser(server.url) as client:
        del client.headers["Sec-Fetch-Site"]
        reply = client.post("/page/login", headers={"Origin": server.url}, data={"token": token})
    assert reply.status_code == 303


def test_a_link_on_another_site_opens_the_page_with_the_session(server: Served, token: str) -> None:
    """The browser omits the strict cookie at first, and sends it when the page requests itself."""
    with browser(server.url, **{"Sec-Fetch-Site": "cross-site"}) as client:
        reply = client.get("/page/models/a%2Fb?days=7")
    assert reply.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/page/models/a%2Fb?days=7">' in reply.text


def test_the_form_leads_back_to_the_address(server: Served, token: str) -> None:
    with browser(server.url) as client:
        first = client.get("/page/models/a%2Fb?days=7")
        assert first.headers["location"] == "/page/login?next=%2Fmodels%2Fa%252Fb%3Fdays%3D7"
        form = client.get(first.headers["location"])
        assert '<input type="hidden" name="next" value="/models/a%2Fb?days=7">' in form.text
        reply = client.post("/page/login", data={"token": token, "next": "/models/a%2Fb?days=7"})
    assert reply.headers["location"] == "/page/models/a%2Fb?days=7"


@pytest.mark.fast
@pytest.mark.parametrize(
    "address",
    ["https://elsewhere.example", "//elsewhere", "/\\elsewhere", "/a\r\nb", "javascript:x", "", "/é"],
)
def test_the_form_leads_to_no_other_host(address: str) -> None:
    assert local_path(address) == "/"


def test_every_response_has_the_security_headers(server: Served, token: str) -> None:
    with signed_in(server.url, token) as client:
        replies = [
            client.get("/page/"),
            client.get("/page/static/page.js"),
            client.get("/page/no"),
            client.post("/page/login", content=b"x" * 20_000),
        ]
    assert [reply.status_code for reply in replies] == [200, 200, 404, 413]
    for reply in replies:
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
    assert replies[0].headers["cache-control"] == "no-store"
    for reply in replies:
        assert "<script>" not in reply.text
        assert " style=" not in reply.text
        assert " onclick=" not in reply.text


def test_without_the_option_there_is_no_page(server: Served, url: str, token: str) -> None:
    with serving(url) as plain:
        assert plain.ask("GET", "/page/").status_code == 401
        assert plain.ask("GET", "/page/login", token).status_code == 404


def test_the_interface_still_needs_its_token(server: Served, token: str) -> None:
    with signed_in(server.url, token) as client:
        assert client.get("/v1beta/alerts").status_code == 401
        assert client.get("/pages").status_code == 401
    assert server.ask("GET", "/v1beta/alerts", token).status_code == 200


def test_requests_that_cannot_be_parsed_are_no_errors_of_the_server(server: Served, token: str) -> None:
    with browser(server.url) as client:
        del client.headers["sec-fetch-site"]
        refused = client.post("/page/login", data={"token": token}, headers={"Origin": "http://["})
        assert refused.status_code == 403
    with browser(server.url) as client:
        many = client.post("/page/login", data={f"field{place}": "1" for place in range(11)})
        assert many.status_code == 400


def test_a_new_session_of_a_browser_ends_the_one_before(server: Served, token: str) -> None:
    with signed_in(server.url, token) as client:
        first = client.cookies[COOKIE]
        assert sign_in(client, token).status_code == 303
        assert client.cookies[COOKIE] != first
    earlier = httpx2.get(server.url + "/page/", headers={"Cookie": f"{COOKIE}={first}"}, trust_env=False)
    assert earlier.status_code == 401


def test_a_token_has_a_limited_number_of_sessions() -> None:
    sessions = Sessions()
    other = sessions.start("another token")
    ids = [sessions.start("token") for _ in range(MAX_SESSIONS_OF_TOKEN + 3)]
    assert [id_ for id_ in ids if sessions.token_digest(id_) is None] == ids[:3]
    assert sessions.token_digest(other) is not None

"""The server's address and certificate, redirects, and secrets that stay where they belong."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aporia_provider.client import AporiaClient, AsyncAporiaClient
from aporia_provider.data_sources import JDBCDataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import (
    AporiaError,
    TransientError,
    ValidationError,
)
from tests.client.calls import (
    COLUMNS,
    TOKEN,
    Ask,
)
from tests.recording import Answer, RecordingServer, recording

PASSWORD = 'p"ä ss/%w0rd'


@pytest.mark.parametrize("suffix", ["", "/", "/pre/fix", "/pre/fix/"])
def test_the_base_url_keeps_its_path(ask: Ask, server: RecordingServer, suffix: str) -> None:
    ask("delete_model", "m", url=server.url + suffix)
    assert server.asked == [("DELETE", f"{suffix.rstrip('/')}/v1beta/models/m")]


@pytest.mark.parametrize(
    "url",
    [
        "", "h.example", "ftp://h", "http://", "https:///path", "http://h:99999", "http://h:port",
        "http://user:hush-hush@h", "user:hush-hush@h", "http://hush-hush@h", "http://h/?key=hush-hush",
        "http://h/#hush-hush", "http://[hush-hush", "//user:hush-hush@h",
    ],
)  # fmt: skip
def test_a_wrong_base_url_is_refused_without_being_shown(url: str) -> None:
    for client in (AporiaClient, AsyncAporiaClient):
        with pytest.raises(ValidationError, match="base URL") as caught:
            client(url, TOKEN, "prod")
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a b", "hush\n", "hüsh", " hush"])
def test_a_wrong_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError, match="token") as caught:
        AporiaClient("http://h", token, "prod")
    assert "sh" not in str(caught.value)


def test_an_empty_environment_is_refused() -> None:
    with pytest.raises(ValidationError, match="environment"):
        AporiaClient("http://h", TOKEN, " ")


def secret_source() -> JDBCDataSource:
    return JDBCDataSource(
        url="jdbc:x://h/db?user=root&key=url-hush&password=query-hush&a=b",
        query="select 1",
        user="u",
        password=PASSWORD,
        read_options={"fs.s3a.secret.key": "option-hush", "header": "true"},
    )


@pytest.mark.parametrize("status", [400, 409, 500, 503])
@pytest.mark.parametrize("shape", ["json", "text", "embedded"])
def test_secrets_never_leave(
    ask: Ask, server: RecordingServer, caplog: pytest.LogCaptureFixture, status: int, shape: str
) -> None:
    """The server echoes everything it was sent: the token, and the body in clear, escaped and as text."""
    import json

    caplog.set_level(logging.DEBUG)
    config = secret_source().to_wire()["config"]
    echo = " | ".join(
        [f"Bearer {TOKEN}", *map(str, config.values()), json.dumps(config), "url-hush", "query-hush"]
    )
    bodies = {
        "json": {
            "error": {
                "message": "refused",
                "detail": f"shown {echo}",
                "problems": [echo],
                "differences": [f"shown {echo}"],
            }
        },
        "text": f"refused shown {echo}".encode(),
        "embedded": {"error": json.dumps({"you sent": config, "refused shown": echo})},
    }
    server.answer(*[Answer(status, bodies[shape])] * 4)
    dataset = DatasetConnection(role="serving", data_source=secret_source(), **COLUMNS)
    with pytest.raises(AporiaError, match="shown") as caught:
        ask("connect_dataset", "m", "v", dataset)
    assert server.recorded[0].body["data_source"]["config"]["password"] == PASSWORD
    seen = f"{caught.value} {caught.value!r} {vars(caught.value)} {caught.value.__cause__!r} {caplog.text}"
    for secret in (TOKEN, PASSWORD, json.dumps(PASSWORD)[1:-1], "hush"):
        assert secret not in seen


def test_passwords_in_urls_the_server_shows_are_hidden(ask: Ask, server: RecordingServer) -> None:
    """Secrets we did not send: of somebody else's dataset, for instance."""
    shown = "cannot reach jdbc:x://root:hush@host/db?a=b&password=hush"
    server.answer(Answer(400, {"error": {"message": shown}}))
    with pytest.raises(ValidationError, match="cannot reach") as caught:
        ask("delete_model", "m")
    assert "hush" not in str(caught.value)


def test_the_client_shows_its_address_and_environment_only() -> None:
    assert (
        repr(AporiaClient("https://h/p/", TOKEN, "prod"))
        == "AporiaClient(base_url='https://h/p', environment='prod')"
    )
    assert TOKEN not in repr(AsyncAporiaClient("https://h", TOKEN, "prod"))


def test_redirects_are_not_followed(ask: Ask, server: RecordingServer) -> None:
    with recording() as elsewhere:
        server.answer(Answer(307, b"", headers=(("Location", f"{elsewhere.url}/v1beta/models/m"),)))
        with pytest.raises(AporiaError, match="redirect"):
            ask("delete_model", "m")
        assert elsewhere.asked == []


def test_an_unreadable_reply_is_a_clear_error(ask: Ask, server: RecordingServer) -> None:
    server.answer(Answer(200, b"no gzip", headers=(("Content-Encoding", "gzip"),)))
    with pytest.raises(AporiaError, match="DecodingError"):
        ask("get_model_tags", "m")
    packed = gzip.compress(b'{"tags":{"a":"b"}}')
    server.answer(Answer(200, packed, headers=(("Content-Encoding", "gzip"),)))
    assert ask("get_model_tags", "m") == {"a": "b"}


@pytest.mark.slow
def test_a_certificate_nobody_vouches_for_is_not_tried_again(ask: Ask, tls_server: RecordingServer) -> None:
    url = tls_server.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
    with pytest.raises(AporiaError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        ask("get_model_tags", "m", url=url)
    assert not isinstance(caught.value, TransientError)
    assert ask("get_model_tags", "m", url=url, client={"verify_ssl": False}) == {}


def test_a_server_of_plain_http_is_not_tried_again_with_tls(ask: Ask, server: RecordingServer) -> None:
    with pytest.raises(AporiaError) as caught:
        ask("get_model_tags", "m", url=server.url.replace("http:", "https:"))
    assert not isinstance(caught.value, TransientError)
    assert "Tried" not in caught.value.message
    told = f"does not respond with TLS. If the server uses plain HTTP, write {server.url} ("
    assert told in caught.value.message


@pytest.fixture
def tls_server(tmp_path: Any) -> Iterator[RecordingServer]:
    import ssl

    certificate, key = self_signed()
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with recording() as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        yield running


def self_signed() -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private

"""Heads of requests and answers: what is written, what is understood, and what is refused."""

import pytest

from azure_storage.http_head import MAX_HEADERS, HttpError, answer_head, request_head
from connector_spi.errors import InvalidInputError


def test_a_request_is_written_as_the_grammar_asks() -> None:
    head = request_head("PUT", "/a/b?sig=x%2F", "acme.example:81", {"x-ms-meta-a": "é"}, length=3)
    assert head == (
        b"PUT /a/b?sig=x%2F HTTP/1.1\r\nHost: acme.example:81\r\nx-ms-meta-a: \xe9\r\nContent-Length: 3\r\n\r\n"
    )
    assert b"Content-Length" not in request_head("GET", "/", "a", {}, length=None)


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "日本"])
def test_a_value_that_would_break_the_head_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(InvalidInputError, match="x-ms-meta-a") as refused:
        request_head("PUT", "/", "a", {"x-ms-meta-a": value}, length=0)
    assert value not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        request_head("PUT", "/", "a", {name: "value"}, length=0)


@pytest.mark.parametrize(("target", "host"), [("/a b", "h"), ("/a\r\nb", "h"), ("a", "h"), ("/ä", "h"), ("/", "h\r\n")])
def test_a_url_that_is_not_encoded_is_refused_and_not_shown(target: str, host: str) -> None:
    with pytest.raises(ValueError, match="percent-encoded") as refused:
        request_head("GET", f"{target}?sig=topsecret", host, {}, length=None)
    assert "topsecret" not in str(refused.value)


def test_headers_are_found_without_regard_to_case_and_keep_their_names() -> None:
    head = answer_head(b'HTTP/1.1 200 OK\r\nETag: \t"1" \r\nX-Ms-Meta-Key:\r\nVary: a\r\nvary: b')
    assert (head.status, head.length, head.is_chunked, head.keeps_alive) == (200, None, False, True)
    assert (head.headers["etag"], head.headers["ETAG"], head.headers.get("none")) == ('"1"', '"1"', None)
    assert dict(head.headers) == {"ETag": '"1"', "X-Ms-Meta-Key": "", "Vary": "a, b"}


@pytest.mark.parametrize(
    ("raw", "keeps_alive"),
    [
        (b"HTTP/1.1 200 OK", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200 OK\r\nconnection: x, Close", False),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", False),
    ],
)
def test_the_connection_is_kept_when_the_answer_allows_it(raw: bytes, *, keeps_alive: bool) -> None:
    assert answer_head(raw).keeps_alive is keeps_alive


def test_a_length_said_twice_alike_is_one() -> None:
    assert answer_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5").length == 5


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x16\x03\x01",
        b"SSH-2.0-OpenSSH_9.2",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 200 OK\nContent-Length: 0",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\nName : value",
        b"HTTP/1.1 200 OK\r\n: value",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d",
        b"HTTP/1.1 200 OK\r\nA: b\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5",
        b"HTTP/1.1 200 OK\r\nContent-Length: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK" + b"\r\nA: b" * (MAX_HEADERS + 1),
    ],
)
def test_an_answer_that_can_be_read_in_two_ways_or_in_none_is_refused(raw: bytes) -> None:
    with pytest.raises(HttpError):
        answer_head(raw)

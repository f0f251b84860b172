"""Requests that no client of good will sends."""

from __future__ import annotations

from benchmarks.faults.traffic import get, post

HEAD = b"POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

MALFORMED: dict[str, bytes] = {
    "deep lists": post("/v1/tag", b"[" * 500_000),
    "deep objects": post("/v1/tag", b'{"mentions":' * 80_000),
    "deep in a field": post(
        "/v1/tag", b'{"mentions": [{"id": "a", "text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"
    ),
    "half a million wrong mentions": post("/v1/tag", b'{"mentions": [' + b"0," * 500_000 + b"0]}"),
    "a hundred thousand fields": post(
        "/v1/tag", b'{"mentions": [{' + b",".join(b'"%d":0' % at for at in range(100_000)) + b"}]}"
    ),
    "NaN": post("/v1/tag", b'{"mentions": [], "min_score": NaN}'),
    "infinity": post("/v1/tag", b'{"mentions": [], "min_score": -Infinity}'),
    "NaN for a text": post("/v1/tag", b'{"mentions": [{"id": "a", "text": NaN}]}'),
    "a number of a million digits": post("/v1/tag", b'{"mentions": [], "min_score": ' + b"9" * 10**6 + b"}"),
    "a lone surrogate for an id": post("/v1/tag", b'{"mentions": [{"id": "\\ud800", "text": "b"}]}'),
    "a lone surrogate for a name": post("/v1/tag", b'{"mentions": [], "watchlist": [{"name": "\\udfff"}]}'),
    "a null byte for a body": post("/v1/tag", b"\x00"),
    "invalid UTF-8": post("/v1/tag", b'{"mentions": [{"id": "a", "text": "\xff\xfe"}]}'),
    "a null byte in the path": b"GET /v1/\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a null byte in a header": b"GET /v1/x HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n\r\n",
    "a header of a megabyte": b"GET /v1/x HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 2**20 + b"\r\n\r\n",
    "ten thousand headers": b"GET /v1/x HTTP/1.1\r\nHost: x\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n",
    "a path of a megabyte": b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "a chunk of no size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 1000,
    "garbage behind a call": get("/v1/x") + b"\xff\x00 garbage\r\n\r\n",
}
"""What is to be refused, each with a 4xx."""
HARMLESS: dict[str, bytes] = {
    "a lone surrogate in a text": post("/v1/tag", b'{"mentions": [{"id": "a", "text": "panne \\ud83d"}]}'),
    "null bytes in a text": post("/v1/tag", b'{"mentions": [{"id": "a", "text": "a\\u0000b"}]}'),
    "a hundred calls in a row": get("/health") * 100,
}
"""What is odd and to be answered with 200."""

"""Where a file of mentions comes from: paths, pipes, URLs and standard input, plain and compressed."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from backports import zstd

from serving.errors import TableError
from serving.exports import check_output, output_for
from serving.tables import open_table
from serving.tables.source import Source
from tests.serving.conftest import ROOT

CONTENT = b"id,text\n1,panne\n2,merci\n"


class _Files(BaseHTTPRequestHandler):
    """A file, the same file cut short in two ways, and nothing else."""

    def do_GET(self) -> None:
        if self.path == "/chunks.csv":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(CONTENT) + CONTENT[:5])
            return
        if not self.path.startswith(("/m.csv", "/cut.csv")):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path.startswith("/m.csv") else CONTENT[:5])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_is_read_over_http(web: str) -> None:
    table = open_table(f"{web}/m.csv?signature=secret")
    assert [row.cells["text"] for row in table.rows()] == ["panne", "merci"]
    assert (table.source.file_name, table.count) == ("m.csv", 2)
    assert "secret" not in table.source.name


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none.csv", "the server answers 404"),
        ("/cut.csv", "was cut short: 19 bytes are missing"),
        ("/chunks.csv", "chunks.csv: was cut short. Try again"),
    ],
)
def test_what_a_server_does_not_give_whole_is_refused(web: str, path: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        open_table(web + path)


@pytest.mark.parametrize("end", ["/my file.csv", "x/m.csv", "/\u00e9.csv"])
def test_what_is_not_written_as_a_url_is_one_line_without_the_key(web: str, end: str) -> None:
    with pytest.raises(TableError, match="is not written as a URL") as caught:
        open_table(f"{web}{end}?token=secret")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_speaks_no_http_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with server.accept()[0] as caller:
                caller.sendall(b"220 mail\r\n")
                caller.recv(2**16)

        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(TableError, match="the server cannot be reached"):
            open_table(f"http://127.0.0.1:{server.getsockname()[1]}/m.csv")


def test_a_server_that_is_not_there_is_one_line_without_the_key() -> None:
    with pytest.raises(TableError, match="cannot be reached") as caught:
        open_table("http://user:secret@127.0.0.1:9/m.csv?token=secret")
    assert "secret" not in str(caught.value)


def test_a_file_is_read_from_storage_that_fsspec_knows() -> None:
    with fsspec.open("memory://bucket/m.csv.gz", "wb") as file:
        file.write(gzip.compress(CONTENT))
    table = open_table("memory://bucket/m.csv.gz")
    assert (table.source.file_name, table.source.compression, table.count) == ("m.csv", "gzip", 2)
    with pytest.raises(TableError, match="Say where with --output"):
        output_for(table)


@pytest.mark.parametrize(
    ("url", "said"),
    [("memory://bucket/none.csv", "is missing"), ("klingon://x/m.csv", "cannot be read"), ("s3://x/m.csv", "s3fs")],
)
def test_storage_that_cannot_be_read_is_one_clear_line(url: str, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        open_table(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_standard_input_is_read_and_may_be_compressed(pack: type) -> None:
    code = (
        "from serving.tables import open_table as o; t = o('-'); print(t, t.count, [r.cells['text'] for r in t.rows()])"
    )
    done = subprocess.run([sys.executable, "-c", code], input=pack(CONTENT), capture_output=True, cwd=ROOT, timeout=60)
    assert done.stdout.decode().strip() == "CSV with commas, utf-8 2 ['panne', 'merci']"


def test_a_pipe_is_read_twice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(CONTENT,))
    writer.start()
    table = open_table(tmp_path / "pipe")
    writer.join()
    assert len(list(table.rows())) == len(list(table.rows())) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bomb.csv.gz", gzip.compress(b"text\n" + b"0" * 10_000_000), "comes to more than 1,000,000 bytes"),
        ("bomb.csv.zst", zstd.compress(b"text\n" + b"0" * 10_000_000), "comes to more than 1,000,000 bytes"),
        ("cut.csv.gz", gzip.compress(CONTENT * 50)[:-12], "is damaged"),
        ("cut.csv.zst", zstd.compress(CONTENT * 50)[:-4], "is damaged"),
        ("empty.csv.gz", gzip.compress(b""), "is empty"),
        ("not.csv.gz", b"\x1f\x8bnothing", "is damaged"),
    ],
    ids=["bomb.gz", "bomb.zst", "cut.gz", "cut.zst", "empty.gz", "not.gz"],  # not the bytes: gzip writes the time
)
def test_a_bomb_and_a_damaged_file_are_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=said) as caught:
        open_table(tmp_path / name, most=1_000_000)
    assert str(tmp_path / name) in str(caught.value)


def test_temporary_files_go_with_their_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(CONTENT))
    table = open_table(tmp_path / "m.csv.gz")
    assert len(list((tmp_path / "spool").iterdir())) == 1
    del table
    assert list((tmp_path / "spool").iterdir()) == []


def test_the_fingerprint_is_that_of_the_bytes_however_they_are_packed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "c.csv").write_bytes(CONTENT.replace(b"panne", b"pannf"))
    first, packed, other = (Source(tmp_path / name).fingerprint() for name in ("a.csv", "b.csv.gz", "c.csv"))
    assert first == packed != other


@pytest.mark.parametrize(
    ("name", "output"), [("m.csv", "m.tagged.csv"), ("m.csv.gz", "m.tagged.csv.gz"), ("m", "m.tagged")]
)
def test_the_output_is_beside_the_input_and_packed_like_it(tmp_path: Path, name: str, output: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(CONTENT) if name.endswith(".gz") else CONTENT)
    table = open_table(tmp_path / name)
    assert output_for(table) == tmp_path / output
    check_output(table, tmp_path / output, whole=True)

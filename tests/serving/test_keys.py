"""How keys are made and kept."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.errors import KeysError
from serving.keys import Keyring, Scope, add_key, read_keys, revoke_key
from tests.serving.conftest import ROOT, TYMPAN


def keys(file: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`tympan keys …` on `file`."""
    environment = {**os.environ, "TYMPAN_KEYS": str(file)} if file else dict(os.environ)
    return subprocess.run(
        [*TYMPAN, "keys", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


def test_a_key_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "keys.json"
    made = keys(
        file, "add", "site", "--scope", "tag", "--scope", "jobs", "--per-minute", "60", "--expires", "2999-01-01"
    )
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert len(secret) >= 43
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = Keyring(file).find(secret)
    assert found
    assert (found.name, found.scopes, found.per_minute) == ("site", (Scope.TAG, Scope.JOBS), 60)
    listed = keys(file, "list").stdout
    assert "site" in listed
    assert "2999-01-01" in listed
    assert secret not in listed


def test_whoever_may_read_the_file_may_read_it_after_a_change(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "site", [Scope.TAG])
    file.chmod(0o640)
    if os.geteuid() == 0:  # a service that is not root, whose keys root changes
        os.chown(file, 65534, 65533)
    before = file.stat()
    revoke_key(file, "site")
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert read_keys(file) == ()


def test_two_keys_are_never_alike(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    secrets = [add_key(file, f"k{number}", [Scope.TAG]) for number in range(20)]
    assert len(set(secrets)) == 20
    ring = Keyring(file)
    assert [found.name for secret in secrets if (found := ring.find(secret))] == [f"k{number}" for number in range(20)]
    assert ring.find(secrets[0][:-1]) is None
    assert ring.find("") is None


def test_a_revoked_key_is_gone_and_its_name_free(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    old = add_key(file, "site", [Scope.TAG])
    assert keys(file, "revoke", "site").returncode == 0
    assert read_keys(file) == ()
    new = add_key(file, "site", [Scope.TAG])
    assert Keyring(file).find(old) is None
    assert Keyring(file).find(new)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "site", "--scope", "tag"], "is there already"),
        (["add", "a b", "--scope", "tag"], "name: cannot be used"),
        (["add", "new", "--scope", "tag", "--expires", "2001-01-01"], "is not a day to come"),
        (["revoke", "nobody"], "is no key of this file"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_changes_nothing(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "site", [Scope.TAG])
    before = file.read_bytes()
    refused = keys(file, *arguments)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert file.read_bytes() == before


@pytest.mark.parametrize("arguments", [["add", "a"], ["add", "a", "--scope", "all"]])
def test_a_key_has_scopes_that_exist(tmp_path: Path, arguments: list[str]) -> None:
    assert keys(tmp_path / "keys.json", *arguments).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_the_setting_is_named(tmp_path: Path) -> None:
    refused = keys(None, "list")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "TYMPAN_KEYS: is not set" in refused.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"keys": 1}', b'{"keys": [{"name": "a"}]}', b"\xff", b"[" * 100_000],
    ids=["empty", "cut", "list", "number", "fields", "bytes", "deep"],
)
def test_a_file_that_is_none_of_keys_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(content)
    for change in (lambda: add_key(file, "a", [Scope.TAG]), lambda: revoke_key(file, "a")):
        with pytest.raises(KeysError, match=r"keys\.json"):
            change()
    assert file.read_bytes() == content


def test_processes_that_write_together_lose_no_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: keys(file, "add", f"k{number}", "--scope", "tag"), range(4)))
    assert [made.returncode for made in done] == [0] * 4
    assert {key.name for key in read_keys(file)} == {f"k{number}" for number in range(4)}
    assert all(Keyring(file).find(made.stdout.strip()) for made in done)


def test_a_reader_never_finds_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "first", [Scope.TAG])
    done = threading.Event()

    def write() -> None:
        for number in range(40):
            add_key(file, f"k{number}", [Scope.TAG])
        done.set()

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        while not done.is_set() and not writing.done():
            assert read_keys(file)[0].name == "first"
        writing.result()
    assert {entry.name for entry in tmp_path.iterdir()} <= {"keys.json", ".keys.json.lock"}

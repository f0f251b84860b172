"""`tympan serve` and `tympan tag`, as programs."""

from __future__ import annotations

import csv
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.bundle import LAYOUT
from tests.serving.conftest import ROOT, TYMPAN

FRENCH = "\ufeffid;date;message\r\n1;2024-11-13;panne, encore ! déjà l’été\r\n2;2024-11-14;merci\r\n3;;la\r\n"
ITALIAN = 'id,testo\n1,"guasto\n\nda due giorni, ""grazie"""\n2,perché è così\n'


def tympan(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command, environment = [*TYMPAN, *map(str, arguments)], {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def rows(path: Path, encoding: str = "utf-8-sig", delimiter: str = ";") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture
def mentions(tmp_path: Path) -> Path:
    (tmp_path / "mentions.csv").write_bytes(FRENCH.encode())
    return tmp_path / "mentions.csv"


def test_a_file_with_semicolons_and_a_mark_comes_back_tagged(bundle: Path, mentions: Path) -> None:
    output = mentions.with_name("out.csv")
    done = tympan("tag", mentions, "-o", output, "--bundle", bundle, "--text-column", "message")
    assert done.returncode == 0, done.stderr
    lines = output.read_bytes().decode().split("\r\n")
    assert [line.startswith(old) for line, old in zip(lines, FRENCH.split("\r\n"), strict=True)] == [True] * 5
    assert [row["tympan_intent"] for row in rows(output)] == ["friction", "praise", ""]
    assert [row["tympan_topic"] for row in rows(output)] == ["service|service/outage", "", ""]
    assert "3 rows, 0 not tagged" in done.stdout
    assert "friction" in done.stdout


def test_line_breaks_in_cells_and_a_column_found_by_its_name(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "m.csv"
    source.write_text(ITALIAN, encoding="utf-8", newline="")
    done = tympan("tag", source, "--bundle", bundle)
    assert done.returncode == 0, done.stderr
    assert "the text is in column 'testo'" in done.stderr
    found = rows(tmp_path / "m.tagged.csv", delimiter=",")
    assert found[0]["testo"] == 'guasto\n\nda due giorni, "grazie"'
    assert [row["tympan_intent"] for row in found] == ["friction|praise", ""]


def test_windows_1252_comes_back_as_windows_1252(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(FRENCH.lstrip("\ufeff").encode("cp1252"))
    done = tympan("tag", tmp_path / "m.csv", "-o", tmp_path / "o.csv", "--bundle", bundle)
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "o.csv", "cp1252")[0]["message"] == "panne, encore ! déjà l’été"


def test_jsonl_comes_back_as_jsonl(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"text": "panne"}\n{"text": "merci"}\n', encoding="utf-8")
    assert tympan("tag", tmp_path / "m.jsonl", "--bundle", bundle).returncode == 0
    assert '"tympan_intent": "praise"' in (tmp_path / "m.tagged.jsonl").read_text(encoding="utf-8").splitlines()[1]


def test_a_target_alone_is_a_watchlist_of_one(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("text\nOrange en panne\n", encoding="utf-8")
    done = tympan("tag", tmp_path / "m.csv", "-o", tmp_path / "o.csv", "--bundle", bundle, "--target", "Orange")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "o.csv", delimiter=",")[0]["tympan_target"] == "Orange"


def test_a_watchlist_decides_towards_whom(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("text\nOrange en panne\n", encoding="utf-8")
    (tmp_path / "w.toml").write_text(
        '[[organisation]]\nname = "Free"\n[[organisation]]\nname = "Orange"\nrole = "competitor"\n', encoding="utf-8"
    )
    common = (
        "tag",
        tmp_path / "m.csv",
        "-o",
        tmp_path / "o.csv",
        "--bundle",
        bundle,
        "--watchlist",
        tmp_path / "w.toml",
    )
    for more, target, intent in (((), "Free", ""), (("--target", "orange"), "Orange", "friction")):
        assert tympan(*common, *more).returncode == 0
        (row,) = rows(tmp_path / "o.csv", delimiter=",")
        assert (row["tympan_target"], row["tympan_intent"]) == (target, intent)


def test_some_rows_that_failed_are_exit_code_1_and_the_others_are_tagged(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('id,text\n1,panne\n2,\n3,"  "\n4,merci\n', encoding="utf-8")
    done = tympan("tag", tmp_path / "m.csv", "-o", tmp_path / "o.csv", "--bundle", bundle)
    assert done.returncode == 1
    assert "2 rows not tagged: text: is empty" in done.stderr
    assert "4 rows, 2 not tagged" in done.stdout
    found = rows(tmp_path / "o.csv", delimiter=",")
    assert [bool(row["tympan_error"]) for row in found] == [False, True, True, False]
    assert [row["tympan_intent"] for row in found] == ["friction", "", "", "praise"]


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    """Exit code 2, and what is wrong on one line."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("tympan: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mentions.csv", "-o", "o.csv", "--text-column", "nope"), "There are: id, date, message"),
        (("empty.csv", "-o", "o.csv"), "is empty"),
        (("binary.csv", "-o", "o.csv"), "is a binary file"),
        (("missing.csv", "-o", "o.csv"), "is missing"),
        ((".", "-o", "o.csv"), "cannot be read"),
        (("mentions.csv", "-o", "no/o.csv"), "is no folder"),
        (("mentions.csv", "-o", "mentions.csv"), "is the input"),
        (("mentions.csv", "-o", "o.xlsx"), "workbook"),
        (("mentions.csv", "-o", "o.csv", "--bundle", "."), "is no bundle"),
        (("mentions.csv", "-o", "o.csv", "--bundle", "empty.csv"), "is no bundle"),
        (("mentions.csv", "-o", "o.csv", "--bundle", "altered"), "was altered"),
        (("mentions.csv", "-o", "o.csv", "--watchlist", "binary.csv"), "binary.csv"),
        (("mentions.csv", "-o", "o.csv", "--watchlist", "w.toml", "--target", "SFR"), "Legal: Free"),
        (("mentions.csv", "-o", "o.csv", "--target", "@"), "--target"),
        (("mentions.csv", "-o", "o.csv", "--encoding", "klingon"), "klingon"),
        (("tagged.csv", "-o", "o.csv"), "tympan_model already"),
    ],
)
def test_what_is_refused_is_said_in_one_line_and_nothing_is_written(
    bundle: Path, mentions: Path, arguments: tuple[str, ...], said: str
) -> None:
    folder = mentions.parent
    (folder / "empty.csv").touch()
    (folder / "binary.csv").write_bytes(b"\x00\x01\x02\x03" * 100)
    (folder / "tagged.csv").write_text("text,tympan_model\na,b\n", encoding="utf-8")
    (folder / "w.toml").write_text('[[organisation]]\nname = "Free"\n', encoding="utf-8")
    shutil.copytree(bundle, folder / "altered")
    network = bytearray((folder / "altered" / LAYOUT.model).read_bytes())
    network[len(network) // 2] ^= 1
    (folder / "altered" / LAYOUT.model).write_bytes(network)
    before = sorted(folder.rglob("*"))
    paths = [argument if argument.startswith("-") else _under(folder, argument) for argument in arguments]
    chosen = () if "--bundle" in arguments else ("--bundle", bundle)
    refused(tympan("tag", *paths, *chosen), said)
    assert sorted(folder.rglob("*")) == before
    assert mentions.read_bytes() == FRENCH.encode()


def _under(folder: Path, argument: str) -> str | Path:
    """A file's name as its path; other values as they are."""
    return folder / argument if "." in argument or argument == "altered" else argument


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_leaves_nothing_half_written(
    bundle: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "m.csv").write_text("text\n" + "\n".join(f"panne {i}" for i in range(200_000)), encoding="utf-8")
    arguments = ["tag", str(tmp_path / "m.csv"), "-o", str(tmp_path / "o.csv"), "--bundle", str(bundle)]
    before = signal.signal(number, signal.SIG_DFL)  # a shell's background job ignores SIGINT, and so would its children
    try:
        started = subprocess.Popen(
            [*TYMPAN, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    finally:
        signal.signal(number, before)
    with started as run:
        for _ in range(600):
            if list(tmp_path.glob(".o.csv*")):
                break
            time.sleep(0.05)
        assert list(tmp_path.glob(".o.csv*"))  # it has begun to write
        run.send_signal(number)
        assert run.wait(timeout=30) == code
    kept = {".o.csv.tagging", ".o.csv.tagging.lock"}  # for --resume
    assert {entry.name for entry in tmp_path.iterdir()} == {"m.csv", *kept}


def test_a_busy_port_is_one_clear_line(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(tympan("serve", "--bundle", bundle, "--port", str(port)), f"port {port}: is in use")


def test_what_cannot_be_served_is_one_clear_line(tmp_path: Path) -> None:
    refused(tympan("serve", "--bundle", tmp_path, "--port", "0"), "is no bundle")
    refused(tympan("serve", "--host", "203.0.113.1", "--port", "0"), "cannot be listened on")
    refused(tympan("serve", "--port", "70000"), "TYMPAN_PORT")


@pytest.mark.parametrize(
    "verb", [(), ("serve",), ("tag",), ("train",), ("evaluate",), ("labels",), ("labels", "check"), ("labels", "split")]
)
def test_every_help_has_an_example(verb: tuple[str, ...]) -> None:
    done = tympan(*verb, "--help")
    assert done.returncode == 0
    assert "For example:" in done.stdout
    assert f"tympan {' '.join(verb)}".strip() in done.stdout


def test_the_version_is_shown() -> None:
    assert tympan("--version").stdout.startswith("tympan ")


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("torch", ["train", "--data", "labels/corpora/fr/t.jsonl", "-o", "never"], "train"),
        ("datasets", ["labels", "split", "labels/corpora/fr/t.jsonl", "-o", "never"], "label"),
    ],
)
def test_an_extra_that_is_not_installed_is_named_with_the_command_that_installs_it(
    missing: str, arguments: list[str], extra: str
) -> None:
    # None in sys.modules is how Python itself marks a module as one that cannot be imported.
    code = f"import sys; sys.modules[{missing!r}] = None; from tympan import app; app({arguments!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    refused(done, f"pip install 'tympan[{extra}]'")
    assert missing in done.stderr
    assert not (ROOT / "never").exists()


def test_the_summary_adds_up(bundle: Path, mentions: Path) -> None:
    done = tympan("tag", mentions, "--bundle", bundle)
    cells = [line.split("│")[1:3] for line in done.stdout.splitlines() if "│" in line]
    counts = [(tag.strip(), int(count)) for tag, count in cells]
    assert counts[:3] == [("friction", 1), ("praise", 1), ("(none)", 1)]
    languages = next(line for line in done.stdout.splitlines() if line.startswith("Languages: "))
    assert sum(int(part.split()[-1]) for part in languages.removeprefix("Languages: ").split(",")) == 3
    assert io.StringIO(done.stdout).readlines()[-1] == f"Written: {mentions.with_name('mentions.tagged.csv')}\n"

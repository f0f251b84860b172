"""Files of mentions that benchmarks tag: an id and a text a row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from xlsxwriter import Workbook


def write_csv(path: Path, texts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text"))
        writer.writerows(enumerate(texts))


def write_jsonl(path: Path, texts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"id": at, "text": text}, ensure_ascii=False) + "\n" for at, text in enumerate(texts)
        )


def write_xlsx(path: Path, texts: Iterable[str]) -> None:
    with Workbook(path, {"constant_memory": True, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet("mentions")
        for place, row in enumerate((("id", "text"), *enumerate(texts))):
            sheet.write_row(place, 0, row)


WRITERS = {".csv": write_csv, ".xlsx": write_xlsx, ".jsonl": write_jsonl}
"""Ending → what writes such a file."""

"""Files of mentions that benchmarks tag: an id and a text a row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from openpyxl import Workbook


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
    book = Workbook(write_only=True)
    sheet = book.create_sheet("mentions")
    sheet.append(("id", "text"))
    for row in enumerate(texts):
        sheet.append(row)
    book.save(path)

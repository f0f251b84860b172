"""Whole numbers as an option of a program takes them."""

from __future__ import annotations

from benchmarks.errors import BenchmarkError


def numbers(given: str, option: str) -> list[int]:
    """Whole numbers from 1 on, with commas between them, sorted and each once; BenchmarkError if they are not."""
    try:
        numbers = [int(part) for part in given.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise BenchmarkError(option, f"is {given!r}", "Write whole numbers from 1 on, as in 1,32,256")
    return sorted(set(numbers))

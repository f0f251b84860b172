"""For schemathesis: rules that JSON Schema cannot say."""

from __future__ import annotations

from typing import Any

import schemathesis

from labels.interface import configuration
from model.watchlist import _searched
from tests.bundles import tiny_taxonomy

PAGE = configuration(tiny_taxonomy())


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Make a call that fits the schema one that the service takes and has the time for."""
    _give_time(case.headers)
    if isinstance(case.body, dict):
        _name_once(case.body.get("watchlist"))
        _shape_to_fit(case.body.get("inputs"))
        for name in ("label_config", "schema"):
            if isinstance(case.body.get(name), str):
                case.body[name] = PAGE  # another one is refused: its tags are not the model's


def _give_time(headers: Any) -> None:
    """A call with a millisecond is answered with 504 where the machine is busy, as it should be."""
    for name, value in list((headers or {}).items()):
        if name.lower() == "x-request-timeout-ms" and str(value).isdecimal() and 0 < int(value) < 60_000:
            headers[name] = "60000"


def _name_once(watchlist: object) -> None:
    """A name listed twice is refused, whatever the schema of `POST /v1/tag` allows."""
    if isinstance(watchlist, list):
        seen: list[Any] = []
        for entry in list(watchlist):
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                name = _searched(entry["name"])
                if name in seen:
                    watchlist.remove(entry)
                seen.append(name)


def _shape_to_fit(inputs: object) -> None:
    """A tensor whose data are not as many as its shape says is refused, whatever the schema of KServe's V2 allows."""
    for tensor in inputs if isinstance(inputs, list) else []:
        if not isinstance(tensor, dict) or not isinstance(tensor.get("data"), list):
            continue
        shape, rows = tensor.get("shape"), tensor["data"]
        numbers = isinstance(shape, list) and all(type(extent) in (int, float) for extent in shape)
        extents = numbers and all(extent % 1 == 0 and 0 <= extent <= 2**31 for extent in shape)  # 2.0 is an integer
        if extents and len(shape) in (1, 2):
            tensor["shape"] = [sum(len(row) if isinstance(row, list) else 1 for row in rows)]

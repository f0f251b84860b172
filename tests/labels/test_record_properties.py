"""What holds of every record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.errors import RecordError
from labels.record import Record, parse, read, write
from labels.schema import FIELDS
from model.mention import Mention, prepare
from model.tagger import _planned
from model.watchlist import Organisation, Watchlist
from tests.labels.records import SMALL

BARE = {"id": "r1", "text": "J'aime Acme", "tags": {"mood": ["happy"]}}
names = st.sampled_from(["Acme", "Zenit", "Café Noir"])
texts = st.text(min_size=1, max_size=60).filter(prepare)
groups = st.fixed_dictionaries(
    {},
    optional={
        "mood": st.sampled_from([(), ("happy",), ("sad",)]),
        "about": st.lists(st.sampled_from(SMALL.group("about").paths), unique=True).map(tuple),
    },
)
some = st.none() | texts.filter(str.strip)


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    watched = draw(st.lists(names, unique=True))
    target = draw(st.none() | (st.sampled_from(watched) if watched else names))
    return Record(
        id=draw(texts.filter(str.strip)),
        text=draw(texts),
        lang=draw(st.sampled_from([None, "fr", "it", "en"])),
        target=target,
        watchlist=tuple(
            Organisation(name, "brand", (f"@{name[:3]}{position}",)) for position, name in enumerate(watched)
        ),
        tags=draw(groups),
        unsure=draw(groups),
        source=draw(some),
        annotators=tuple(draw(st.lists(texts, max_size=2))),
        created_at=draw(st.none() | st.datetimes().map(lambda moment: moment.isoformat())),
    )


@given(st.lists(any_record(), max_size=4, unique_by=lambda found: found.id))
def test_what_is_written_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    file = tmp_path_factory.mktemp("round") / "f.jsonl"
    write(file, records)
    assert read(file, SMALL) == records


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "tag"]), json_values))
def test_no_json_breaks_the_reader(data: dict[str, Any]) -> None:
    try:
        found = parse(json.dumps({**BARE, **data}), SMALL)
    except RecordError as error:
        assert error.problem
    else:
        assert parse(json.dumps(found.to_dict()), SMALL) == found
        found.prepared()


@given(any_record())
def test_a_record_is_prepared_exactly_as_the_tagger_prepares_its_mention(found: Record) -> None:
    mention = Mention(id=found.id, text=found.text, lang="fr", target=found.target)
    assert found.prepared() == _planned(mention, Watchlist(found.watchlist)).main

"""The organisations of a watchlist and where a text names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.errors import WatchlistError
from model.watchlist import OTHER, TARGET, Organisation, Watchlist

FILE = """
[[organisation]]
name = "Free"
role = "brand"
aliases = ["freebox", "@free"]
[[organisation]]
name = "Orange"
role = "competitor"
"""


def test_a_file_is_read_with_roles_and_aliases(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(FILE, encoding="utf-8")
    watched = Watchlist.load(tmp_path / "w.toml")
    assert watched.organisations == (
        Organisation("Free", "brand", ("freebox", "@free")),
        Organisation("Orange", "competitor"),
    )
    assert Watchlist.from_dicts(organisation.to_dict() for organisation in watched.organisations).found("la freebox")


@pytest.mark.parametrize(
    "content", [b"", b"not = [toml", b"organisation = 3", b"[organisation]\nname='x'", b"\xff\xfe"]
)
def test_a_file_without_organisations_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.toml").write_bytes(content)
    with pytest.raises(WatchlistError, match=r"w\.toml"):
        Watchlist.load(tmp_path / "w.toml")


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({}, "watchlist.name"),
        ({"name": ""}, "watchlist.name"),
        ({"name": " @# "}, "watchlist.name"),
        ({"name": 3}, "watchlist.name"),
        ({"name": "Free", "role": "friend"}, "watchlist.Free.role"),
        ({"name": "Free", "aliases": "freebox"}, "watchlist.Free.aliases"),
        ({"name": "Free", "aliases": ["ok", ""]}, "watchlist.Free.aliases"),
    ],
)
def test_an_entry_at_fault_is_named_by_its_field(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(WatchlistError) as caught:
        Watchlist.from_dicts([entry])
    assert caught.value.where == field


@pytest.mark.parametrize("name", ["Free", "FREE", "@fréé"])
def test_a_name_listed_twice_is_refused(name: str) -> None:
    with pytest.raises(WatchlistError, match="listed twice"):
        Watchlist([Organisation("Free"), Organisation(name, "competitor")])


def test_a_name_means_its_own_organisation_though_one_before_has_it_as_an_alias() -> None:
    watched = Watchlist([Organisation("Iliad", "competitor", ("Free",)), Organisation("Free")])
    assert watched.get("free").role == "brand"
    assert watched.mask("Free, pas iliad", "Free") == f"{TARGET}, pas {OTHER}"


def test_names_are_found_as_whole_words_in_the_order_of_the_list() -> None:
    watched = Watchlist(
        [Organisation("Free", aliases=("freebox",)), Organisation("Orange"), Organisation("Free Mobile")]
    )
    names = [organisation.name for organisation in watched.found("ORANGE, #freebox et @free mobile; une orangeade")]
    assert names == ["Free", "Orange", "Free Mobile"]
    assert watched.found("orangeade, freelance") == []


def test_the_longest_name_wins() -> None:
    watched = Watchlist([Organisation("Free"), Organisation("Free Mobile")])
    assert [organisation.name for organisation in watched.found("chez Free Mobile")] == ["Free Mobile"]


def test_an_organisation_is_known_by_its_aliases_in_any_case() -> None:
    watched = Watchlist([Organisation("Société Générale", aliases=("@SG_etVous",))])
    assert watched.get("sg_etvous").name == "Société Générale"
    assert watched.get("SOCIETE GENERALE").name == "Société Générale"
    with pytest.raises(WatchlistError, match="Legal: Société Générale"):
        watched.get("BNP")


def test_the_only_brand_is_the_default_target() -> None:
    free, orange = Organisation("Free"), Organisation("Orange", "competitor")
    assert Watchlist([orange, free]).brand() == free
    assert Watchlist([free, Organisation("Sosh")]).brand() is None
    assert Watchlist([orange]).brand() is None
    assert not Watchlist()

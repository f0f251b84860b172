"""A personal access token, which is good for nothing but tokens of some minutes."""

from __future__ import annotations

import httpx
import pytest

from labels.errors import StudioError
from labels.studio import Studio
from tests.studio.server import Server


@pytest.fixture(scope="module")
def personal(server: Server) -> str:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=60) as client:
        return str(client.post("/api/token/").raise_for_status().json()["token"])


def test_what_it_buys_is_bought_anew_once_it_has_run_out(server: Server, personal: str) -> None:
    with Studio(url=server.url, token=personal) as studio:
        made = studio.create("Token", '<View><Text name="text" value="$text"/></View>', description="", version="a@1")
        studio._client.headers["Authorization"] = "Bearer one.that.ran-out"
        assert studio.project("Token").id == made.id


def test_one_that_is_not_accepted_is_told(server: Server, personal: str) -> None:
    with pytest.raises(StudioError, match="LABEL_STUDIO_API_KEY: is not accepted by"):
        Studio(url=server.url, token=personal[:-4] + "abcd")

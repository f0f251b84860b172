"""What an operator can set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.bundle import PRETRAINED
from serving.errors import SettingsError
from serving.settings import Settings
from tests.serving.conftest import ROOT


def test_the_defaults_serve_the_shipped_bundle_to_this_machine_only() -> None:
    settings = Settings.read()
    assert (settings.host, settings.port, settings.bundle) == ("127.0.0.1", 8000, PRETRAINED)
    assert (settings.max_mentions, settings.max_bytes, settings.threads) == (1000, 1_048_576, None)


def test_what_is_given_wins_and_what_is_not_given_does_not() -> None:
    settings = Settings.read(port=9000, host=None, bundle=Path("b"))
    assert (settings.host, settings.port, settings.bundle) == ("127.0.0.1", 9000, Path("b"))


@pytest.mark.parametrize(("name", "value"), [("port", 70000), ("port", "abc"), ("threads", 0), ("max_mentions", 0)])
def test_a_value_that_cannot_be_used_is_named_by_its_variable(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"TYMPAN_{name.upper()}"):
        Settings.read(**{name: value})


def test_a_bad_entry_of_a_list_is_named_by_the_variable_of_the_list() -> None:
    with pytest.raises(SettingsError, match="TYMPAN_OPEN: cannot be used"):
        Settings.read(open="health,helth")


def test_every_setting_is_read_from_the_environment() -> None:
    given = {"HOST": "::1", "PORT": "1", "BUNDLE": "b", "RELOAD_SECONDS": "5.5", "MAX_MENTIONS": "2"}
    given |= {"MAX_BYTES": "3", "MAX_UNPACKED": "10", "RECEIVE_SECONDS": "9", "DRAIN_SECONDS": "1.5"}
    given |= {"WORKERS": "2", "THREADS": "4", "TIMEOUT_MS": "6", "QUEUE_TOKENS": "7", "CACHED_TEXTS": "8"}
    given |= {"LOG_FORMAT": "text", "LOG_LEVEL": "error", "STATE": "s", "LABEL_STUDIO_USER": "u"}
    given |= {
        "LABEL_STUDIO_PASSWORD": "p",
        "PRIORITIES": "r",
        "KEYS": "k",
        "KEYS_OFF": "yes",
        "OPEN": "ready",
        "ORIGINS": "https://a.example",
    }
    given |= {"QUEUE": "redis://q", "JOB_BYTES": "11", "JOB_QUOTA": "12", "JOB_QUOTA_BYTES": "13", "JOB_SECONDS": "14"}
    given |= {"JOB_STORAGE": "s3://b/", "WEBHOOK_HOSTS": "a.example", "WEBHOOK_SECRET": f"whsec_{'a' * 32}"}
    given |= {"WEBHOOK_PRIVATE": "yes", "FEEDBACK": "postgresql://d", "RECENT": "15"}
    assert [name.lower() for name in given] == list(Settings.model_fields)
    shown = subprocess.run(
        [sys.executable, "-c", "from serving.settings import Settings; print(*Settings.read().model_dump().values())"],
        cwd=ROOT,
        env={**os.environ, **{f"TYMPAN_{name}": value for name, value in given.items()}},
        capture_output=True,
        text=True,
        check=True,
    )
    given |= {"LABEL_STUDIO_PASSWORD": "*" * 10, "KEYS_OFF": "True", "OPEN": "('ready',)"}
    given |= {"ORIGINS": "('https://a.example',)"}
    given |= {"QUEUE": "*" * 10, "JOB_STORAGE": "('s3://b/',)", "WEBHOOK_HOSTS": "('a.example',)"}
    given |= {"WEBHOOK_SECRET": "*" * 10, "WEBHOOK_PRIVATE": "True", "FEEDBACK": "*" * 10}
    assert shown.stdout.split() == list(given.values())  # a password is not shown


@pytest.mark.parametrize("given", [{"label_studio_user": "u"}, {"label_studio_password": "a secret"}])
def test_a_user_without_a_password_or_the_reverse_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="TYMPAN_LABEL_STUDIO_PASSWORD") as refused:
        Settings.read(**given)
    assert "a secret" not in str(refused.value)


@pytest.mark.parametrize(("user", "password"), [("a:b", "p"), ("à", "p"), ("u", "clé")])
def test_a_user_or_password_that_http_cannot_carry_is_refused(user: str, password: str) -> None:
    with pytest.raises(SettingsError, match="TYMPAN_LABEL_STUDIO"):
        Settings.read(label_studio_user=user, label_studio_password=password)

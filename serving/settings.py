"""What an operator can set: each by an environment variable, `TYMPAN_` and its name in capitals."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.bundle import PRETRAINED
from serving.errors import SettingsError


class Settings(BaseSettings):
    """The service's settings. `Settings.read()` is the way to make one: it names a variable at fault."""

    model_config = SettingsConfigDict(env_prefix="TYMPAN_", frozen=True)

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    bundle: Path = Field(PRETRAINED, description="The bundle to serve, or a registry whose champion is served.")
    max_mentions: int = Field(1000, ge=1, description="The most mentions in one call.")
    max_bytes: int = Field(2**20, ge=1, description="The longest request body, in bytes.")
    threads: int | None = Field(None, ge=1, description="Threads of the network; all processors allowed by default.")

    @classmethod
    def read(cls, **given: object) -> Settings:
        """The settings of the environment, with those `given` (and not None) in their place.

        Raises SettingsError, which names the variable.
        """
        try:
            chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
            return cls(**chosen)
        except ValidationError as error:
            first = error.errors()[0]
            name = "TYMPAN_" + "_".join(map(str, first["loc"])).upper()
            raise SettingsError(name, f"cannot be used: {first['msg']}", "Set another value or unset it") from error


def version() -> str:
    """The version of Tympan that is installed."""
    try:
        return metadata.version("tympan")
    except metadata.PackageNotFoundError:  # run from a checkout that nobody installed
        return "uninstalled"

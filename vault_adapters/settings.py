"""Which vault a connector uses: the `[vault]` table of its configuration, told apart by `type`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MemoryVaultSettings(BaseModel):
    """Secrets are lost when the process ends: for tests and development."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["memory"]


class LocalVaultSettings(BaseModel):
    """One encrypted file on this machine, and where its key comes from: one of the two `key_` settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["local"]
    file: Path
    """The sealed file; control plane and data plane of one participant name the same one."""
    key_file: Path | None = None
    """A file of mode 0600 that holds the key, not in the same backup as the vault."""
    key_env: str | None = Field(default=None, min_length=1)
    """The name of the environment variable that holds the key."""

    @model_validator(mode="after")
    def _one_key(self) -> "LocalVaultSettings":
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("set exactly one of key_file and key_env")
        return self


VaultSettings = Annotated[MemoryVaultSettings | LocalVaultSettings, Field(discriminator="type")]

"""What a folder of a container holds already, as far as a transfer that wants to write there has to know."""

from dataclasses import dataclass

from azure_storage.containers import ObjectStorage
from azure_storage.errors import BlobNotFoundError
from azure_storage.listed_object import ListedObject
from azure_storage.markers import COMPLETE, FAILED, MANIFEST_FOLDER


@dataclass(frozen=True, slots=True)
class FolderContents:
    """A folder, or with an empty name the whole container; the errors are those of `ObjectStorage`."""

    storage: ObjectStorage
    account: str
    container: str
    folder: str
    key_name: str | None

    @property
    def root(self) -> str:
        """What the names of its objects begin with."""
        return f"{self.folder}/" if self.folder else ""

    async def find(self, name: str) -> ListedObject | None:
        """The object of this name relative to the folder, or None."""
        try:
            return await self.storage.get_object(self.account, self.container, self.root + name, key_name=self.key_name)
        except BlobNotFoundError:
            return None

    async def first(self, prefix: str = "") -> ListedObject | None:
        """An object whose name in the folder begins so, or None."""
        whole = self.root + prefix
        listed = self.storage.list_objects(self.account, self.container, prefix=whole, key_name=self.key_name)
        async for found in listed:
            return found
        return None

    async def receipt(self) -> ListedObject | None:
        """A marker or manifest page of whatever transfer, or None."""
        return await self.find(COMPLETE) or await self.find(FAILED) or await self.first(f"{MANIFEST_FOLDER}/")

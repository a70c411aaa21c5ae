"""Which names containers, folders and objects may have.

Sources: Azure's naming rules for containers and blobs, and the names that a transfer keeps for itself. Names are
checked before the first byte moves, so that a transfer never fails on a name after hours of copying.
"""

import re
import unicodedata
from typing import Final

from azure_storage.markers import COMPLETE, FAILED, MANIFEST_FOLDER
from connector_spi.errors import InvalidInputError

MAX_NAME_LENGTH: Final = 1024
"""Characters (UTF-16 units, as the service counts) of a blob name, its folder included."""
MAX_SLASHES: Final = 253

SYSTEM_CONTAINERS: Final = frozenset({"$root", "$logs", "$web"})
_CONTAINER: Final = re.compile(r"[a-z0-9](?:-?[a-z0-9])+")
_CONTAINER_LENGTHS: Final = range(3, 64)
_FORBIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cs"})
_FORBIDDEN_CHARACTERS: Final = frozenset({"\ufffe", "\uffff"})


def check_container(container: str, *, system_allowed: bool) -> str:
    """The container name, when it follows the rules; the service's own containers only where `system_allowed`.

    Raises:
        InvalidInputError: it does not.
    """
    if container in SYSTEM_CONTAINERS and system_allowed:
        return container
    if len(container) not in _CONTAINER_LENGTHS or not _CONTAINER.fullmatch(container):
        raise InvalidInputError(
            field="container",
            value=container,
            problem="is not the name of a container that can be used here",
            remedy="Use 3 to 63 lower-case letters and digits, with single dashes between them.",
        )
    return container


def check_object_name(name: str, *, field: str = "blobName") -> str:
    """The name of an object relative to the transfer's place, when it can be written there.

    Raises:
        InvalidInputError: it breaks a rule of the service, or is one of the transfer's own marker names.
    """
    _check_path(name, field=field)
    if name in {COMPLETE, FAILED, MANIFEST_FOLDER} or name.startswith(f"{MANIFEST_FOLDER}/"):
        raise _refused(field, name, "is a name that the transfer keeps for itself", "Rename the object.")
    return name


def check_folder(folder: str) -> str:
    """The folder's name without its trailing slash; empty means the container's root.

    Raises:
        InvalidInputError: it breaks a rule of the service.
    """
    stripped = folder.removesuffix("/")
    return _check_path(stripped, field="folderName") if folder else ""


def destination_name(folder: str, object_name: str) -> str:
    """The blob name of an object inside the transfer's folder.

    Raises:
        InvalidInputError: the object's name cannot be written, or the whole is too long.
    """
    check_object_name(object_name)
    place = check_folder(folder)
    return _check_path(f"{place}/{object_name}", field="blobName") if place else object_name


def _check_path(name: str, *, field: str) -> str:
    if not name:
        raise _refused(field, name, "is empty", "Give it a name.")
    if any(_is_forbidden(character) for character in name):
        problem = "holds a backslash, a control character or a character outside Unicode text"
        raise _refused(field, name, problem, "Rename the object.")
    if len(name.encode("utf-16-le")) // 2 > MAX_NAME_LENGTH or name.count("/") > MAX_SLASHES:
        remedy = f"At most {MAX_NAME_LENGTH} characters and {MAX_SLASHES} slashes, the folder included."
        raise _refused(field, name, "is too long", remedy)
    for segment in name.split("/"):
        if not segment:
            problem = "starts or ends with a slash, or has two slashes in a row"
            raise _refused(field, name, problem, "Every part between slashes needs a name.")
        if segment.endswith("."):
            problem = "has a part that is '.' or '..', or ends with a dot"
            raise _refused(field, name, problem, "The service would drop or resolve it: rename the object.")
    return name


def _is_forbidden(character: str) -> bool:
    return (
        character == "\\"
        or character in _FORBIDDEN_CHARACTERS
        or unicodedata.category(character) in _FORBIDDEN_CATEGORIES
    )


def _refused(field: str, name: str, problem: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(field=field, value=name, problem=problem, remedy=remedy)

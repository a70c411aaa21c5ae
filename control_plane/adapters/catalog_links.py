"""Where a counterparty says that its catalog goes on (RFC 5988 `Link`, relation `next`).

Only path and query of a link count: the call goes to the address that the counterparty is known by, never to a host
that an answer names.
"""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

CATALOG_PATH: Final = "catalog/request"
_LINKS: Final = re.compile(r"<([^<>]{1,16384})>((?:[^,<\"]|\"[^\"]*\")*)")
_RELATIONS: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))", re.IGNORECASE)


def next_page(response: httpx.Response, path: str) -> str | None:
    """The path, with a query, of the page after this one; None when there is none.

    `path`: what was asked for. As the result it is below the counterparty's address.
    """
    base = response.request.url.path.removesuffix(path.partition("?")[0])
    for target, parameters in _LINKS.findall(", ".join(response.headers.get_list("Link"))):
        relations = [word for pair in _RELATIONS.findall(parameters) for word in (pair[0] or pair[1]).lower().split()]
        if "next" in relations:
            return _below(base, target, path)
    return None


def _below(base: str, target: str, path: str) -> str | None:
    """A link without a query leads nowhere new; one beside the address is taken for the catalog's."""
    try:
        link = urlsplit(urljoin(f"http://counterparty{base}{path}", target))
    except ValueError:
        return None
    if not link.query:
        return None
    inside = link.path.startswith(base) and ".." not in link.path
    return f"{link.path.removeprefix(base) if inside else CATALOG_PATH}?{link.query}"

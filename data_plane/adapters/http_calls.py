"""HttpCalls: requests to one HttpData address, with its headers, and what fails as a leaf of the error tree."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from data_plane.adapters.http_errors import HttpUnavailableError, error_of
from outbound_http.guarded_session import GuardedSession

_FIRST_ERROR: Final = 300


class HttpCalls:
    """`headers` go with every request; one of them may be the credential."""

    def __init__(self, session: GuardedSession, headers: Mapping[str, str]) -> None:
        self._session = session
        self._headers = headers

    @asynccontextmanager
    async def call(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        data: Any = None,
        seconds: float | None = None,
        also: frozenset[int] = frozenset(),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; the answer is a success, or has one of the statuses in `also`.

        Raises:
            HttpRefusedError: the server refused.
            HttpUnavailableError: it did not answer, cannot do it now, or broke off.
            ForbiddenAddressError: the address is not allowed.
        """
        resource = str(url.with_query(None))
        try:
            async with self._session.request(
                method, url, headers={**self._headers, **headers}, data=data, seconds=seconds
            ) as answer:
                if answer.status >= _FIRST_ERROR and answer.status not in also:
                    # Else the body would be sent to its end before the connection is let go.
                    answer.close()
                    retry_after = answer.headers.get("Retry-After", "")
                    raise error_of(method, resource, status=answer.status, retry_after=retry_after)
                yield answer
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError
            # The error's own text may hold the whole address, its query included.
            raise HttpUnavailableError(method=method, resource=resource, problem=type(error).__name__) from None

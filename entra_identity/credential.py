"""One identity as the Azure SDKs take it: a token credential that speaks our errors."""

import asyncio
import logging
from types import TracebackType
from typing import Any, Final, Self

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from connector_spi.errors import ConfigurationError
from entra_identity.errors import IdentityLostError, IdentityRefusedError, identity_errors
from entra_identity.proofs import OpenedSource, SourceOpener

TOKEN_SECONDS: Final = 30
"""Limit of one request for a token, its repetitions included."""

_LOG: Final = logging.getLogger(__name__)

_Request = tuple[tuple[str, ...], tuple[tuple[str, object], ...]]


class EntraCredential:
    """Implements azure-core's `AsyncTokenCredential` and `AsyncSupportsTokenInfo`; safe for concurrent use.

    azure-identity keeps the tokens. Who asks for the same token at the same time shares one request. A refused proof
    (client secret, federated token) is read again once: when it has changed, the new one is tried.

    Out of every SDK call that needs a token come `IdentityRefusedError` and `IdentityUnavailableError`, and what
    `SourceOpener.open` raises.
    """

    def __init__(self, name: str, opener: SourceOpener, *, token_seconds: float = TOKEN_SECONDS) -> None:
        self.name = name
        self._opener = opener
        self._token_seconds = token_seconds
        self._opened: OpenedSource | None = None
        self._retired: list[OpenedSource] = []
        self._opening = asyncio.Lock()
        self._requests: dict[_Request, asyncio.Task[AccessTokenInfo]] = {}
        self._given: set[tuple[str, ...]] = set()
        """Scopes that there was a token for: configuration and rights were right once."""

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token for the scopes.

        Raises:
            IdentityRefusedError, IdentityUnavailableError: as `identity_errors` says.
            ConfigurationError: what proves the identity is missing.
            IdentityLostError: in the place of both, where there was a token for these scopes before.
        """
        request = (scopes, tuple(sorted((options or {}).items())))
        task = self._requests.get(request)
        if task is None:
            task = asyncio.create_task(self._limited_token(scopes, options))
            self._requests[request] = task
            task.add_done_callback(lambda done: self._answered(request, done))
        # A caller that gives up does not take the token from those who wait beside it.
        return await asyncio.shield(task)

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """As `get_token_info`, in the older form."""
        options: TokenRequestOptions = {"enable_cae": enable_cae}
        if claims is not None:
            options["claims"] = claims
        if tenant_id is not None:
            options["tenant_id"] = tenant_id
        info = await self.get_token_info(*scopes, options=options)
        return AccessToken(info.token, info.expires_on)

    async def renew(self) -> None:
        """Forget the tokens that are kept: a service refused one. The next one is asked for anew."""
        async with self._opening:
            self._retire()

    async def close(self) -> None:
        """Nothing: clients close what they were given, but others use this too. `EntraCredentials` closes it."""

    async def aclose(self) -> None:
        """Release connections; safe to call twice, and usable again afterwards."""
        for task in list(self._requests.values()):
            task.cancel()
        await asyncio.gather(*self._requests.values(), return_exceptions=True)
        async with self._opening:
            self._retire()
            await self._close_retired()

    async def __aenter__(self) -> Self:
        """Nothing to open: that happens with the first token."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """As `close`."""

    async def _limited_token(self, scopes: tuple[str, ...], options: TokenRequestOptions | None) -> AccessTokenInfo:
        try:
            with identity_errors(self.name):
                async with asyncio.timeout(self._token_seconds):
                    token = await self._token(scopes, options)
        except (IdentityRefusedError, ConfigurationError) as error:
            if scopes not in self._given:
                raise
            problem = f"it gave tokens before, and now: {error.message.rstrip('.')}"
            raise IdentityLostError(identity=self.name, problem=problem) from None
        self._given.add(scopes)
        return token

    async def _token(self, scopes: tuple[str, ...], options: TokenRequestOptions | None) -> AccessTokenInfo:
        opened = await self._current()
        try:
            with identity_errors(self.name):
                return await opened.source.get_token_info(*scopes, options=options)
        except IdentityRefusedError:
            fresh = await self._opened_anew(opened)
            if fresh is opened:
                raise
            _LOG.info("The proof of the identity %s had changed: it was read again.", self.name)
        with identity_errors(self.name):
            return await fresh.source.get_token_info(*scopes, options=options)

    async def _current(self) -> OpenedSource:
        async with self._opening:
            if len(self._requests) == 1:  # this one: nothing else is under way on what is retired
                await self._close_retired()
            if self._opened is None:
                self._opened = await self._opener.open()
            return self._opened

    async def _opened_anew(self, refused: OpenedSource) -> OpenedSource:
        """The source with the proof as it is now; `refused` itself when that is the same."""
        async with self._opening:
            if self._opened is refused and refused.proof is not None:
                fresh = await self._opener.open()
                if fresh.proof == refused.proof:
                    await fresh.source.close()
                else:
                    self._retire()
                    self._opened = fresh
            return self._opened or refused

    def _retire(self) -> None:
        """Out of use but open: requests may be under way on it."""
        if self._opened is not None:
            self._retired.append(self._opened)
            self._opened = None

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().source.close()

    def _answered(self, request: _Request, task: asyncio.Task[AccessTokenInfo]) -> None:
        del self._requests[request]
        if not task.cancelled():
            task.exception()  # looked at, also when all who waited have given up

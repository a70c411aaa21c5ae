"""One login to the vault: kept alive while it works, and made again when its token is refused."""

import asyncio
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Final, TypeVar

from connector_spi.errors import ConfigurationError, ConnectorError, VaultUnavailableError
from vault_adapters.hashicorp import tokens
from vault_adapters.hashicorp.calls import Act, BlockingCalls
from vault_adapters.hashicorp.connections import VaultAdapter
from vault_adapters.hashicorp.errors import VaultLoginLostError, VaultRefusedError, login_refused
from vault_adapters.hashicorp.logins import Login
from vault_adapters.hashicorp.namespaces import check_namespace
from vault_adapters.hashicorp.refused_credential import RefusedCredential
from vault_adapters.hashicorp.renewal import delay_after_failure, delay_before_renewal, is_worth_keeping
from vault_adapters.hashicorp.tokens import IssuedToken

_log = logging.getLogger(__name__)

_GOODBYE_SECONDS: Final = 2.0
"""How long the end of a process waits for the end of its token."""

T = TypeVar("T")


class VaultSession:
    """Makes calls with a token that works; logs in with the first one. For one event loop."""

    def __init__(self, login: Login, calls: BlockingCalls) -> None:
        self._login = login
        self._calls = calls
        self._token: IssuedToken | None = None
        self._replacing: asyncio.Task[IssuedToken | None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._refused = RefusedCredential()
        self._worked = False
        """Whether any call was allowed: a login that is refused from then on is not wrong, but has ended."""

    async def call(self, act: Act[T]) -> T:
        """Make a call. When its token turns out to be useless, make it once more with another one.

        Raises:
            VaultForbiddenError: the vault refused the call of a token that works, or the first login.
            VaultUnavailableError: the vault did not answer in time, or refuses a login that worked before.
        """
        answer = await self._made(act)
        self._worked = True
        return answer

    async def aclose(self) -> None:
        """End the renewal, and the token if it was made for this process."""
        if self._replacing is not None and not self._replacing.done():
            await asyncio.wait([self._replacing])  # not cancelled: callers wait for it
        if self._renewing is not None and not self._renewing.done():
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        token, self._token = self._token, None
        if token is not None and self._login.owns_token:
            with suppress(ConnectorError, TimeoutError):  # it ends by itself, only later
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._calls.run(tokens.revoke, token.text)

    async def _made(self, act: Act[T]) -> T:
        token = self._token or await self._another_than(None)
        if token is None:
            raise VaultUnavailableError("The vault was closed: this process is ending.")
        try:
            return await self._calls.run(act, token.text)
        except VaultRefusedError as refusal:
            if refusal.status != HTTPStatus.FORBIDDEN:
                raise
            fresh = await self._another_than(token)
            if fresh is None:
                raise
        return await self._calls.run(act, fresh.text)

    async def _another_than(self, refused: IssuedToken | None) -> IssuedToken | None:
        """A token in the place of a refused one; None when that one works and the call itself is not allowed.

        However many calls were refused at once, one task asks. It outlives the caller that began it.
        """
        if self._token is not None and (refused is None or self._token.text != refused.text):
            return self._token
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replaced(refused))
            self._replacing.add_done_callback(_outcome_seen)
        return await asyncio.shield(self._replacing)

    async def _replaced(self, refused: IssuedToken | None) -> IssuedToken | None:
        if refused is not None and await self._works(refused):
            return None
        fresh = await self._logged_in()
        if refused is None or fresh.text != refused.text:
            return fresh
        if self._worked:
            raise VaultLoginLostError(
                f"The vault does not take the token of the login by {self._login.method} any more, and there is no "
                f"other in its place."
            )
        return None

    async def _works(self, token: IssuedToken) -> bool:
        about = await self._calls.run(tokens.looked_up, token.text)
        return about is not None

    async def _logged_in(self) -> IssuedToken:
        try:
            token = await self._calls.run(self._log_in, None)
        except VaultRefusedError as refusal:
            raise login_refused(refusal, self._login.method, worked=self._worked) from None
        except ConfigurationError as missing:
            # It was there at the start: whoever renews it may be about to put it back.
            raise VaultUnavailableError(f"There is no login to the vault now. {missing.message}") from None
        self._adopt(token)
        return token

    def _log_in(self, adapter: VaultAdapter) -> IssuedToken:
        check_namespace(adapter)
        shown = self._login.credential.read()
        self._refused.check(shown)
        try:
            return self._login.log_in(adapter, shown)
        except VaultRefusedError as refusal:
            self._refused.note(shown, refusal)
            raise

    def _adopt(self, token: IssuedToken) -> None:
        self._token = token
        if self._renewing is not None and self._renewing is not asyncio.current_task():
            self._renewing.cancel()
        self._renewing = None
        if token.lease_seconds > 0:
            self._renewing = asyncio.create_task(self._keep(token))

    async def _keep(self, token: IssuedToken) -> None:
        """Prolong the token at two thirds of each lease; log in anew when that is not possible any more."""
        wait = delay_before_renewal(token.lease_seconds)
        while True:
            await asyncio.sleep(wait)
            try:
                renewed = await self._prolonged(token)
                if renewed is None:
                    await self._logged_in()  # which starts the next task like this one
                    return
                wait = delay_before_renewal(renewed.lease_seconds)
            except VaultUnavailableError as error:
                wait = delay_after_failure(token.lease_seconds)
                _log.warning("The vault's token was not renewed and is tried again: %s", error.message)
            except ConnectorError as error:
                _log.warning("The vault's token was not renewed; the next call logs in: %s", error.message)
                return

    async def _prolonged(self, token: IssuedToken) -> IssuedToken | None:
        """The token's new lease; None when it gets none that is worth keeping."""
        if not token.renewable:
            return None
        try:
            renewed = await self._calls.run(tokens.renewed, token.text)
        except VaultRefusedError:
            return None
        return renewed if is_worth_keeping(renewed.lease_seconds, of=token.lease_seconds) else None


def _outcome_seen(task: asyncio.Task[IssuedToken | None]) -> None:
    # All who waited may have given up; asyncio would then complain that nobody looked at the error.
    if not task.cancelled():
        task.exception()

"""WriteCredential: the signature that a flow writes with, renewed ahead of its end while calls go on.

A stored access policy that is prolonged gives the same query a later end, so two signatures are the same only when
their ends are the same too.
"""

import asyncio
import logging
import random
from datetime import datetime, timedelta
from typing import Final

from azure_storage.sas import SasToken
from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME
from connector_spi.errors import PermanentError, TransientError
from connector_spi.vault import Vault
from data_plane.domain.credential_life import CredentialLife, CredentialNeededError, RenewalTiming
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.credential_renewal import CredentialRenewal

_log = logging.getLogger(__name__)

_ASKED_AGAIN_AFTER: Final = timedelta(seconds=1)
"""Shortest wait after a renewal that did not come; the control plane may wish a longer one."""
_ENDED_FLOW: Final = "the flow has ended, so no other one is asked for"


class RenewalPendingError(TransientError):
    """No call begins now: the signature is about to end, and the next one has not come yet."""

    code = "RenewalPending"
    cause = "the signature for the destination is about to end, and the next one has not come yet"
    remedy = (
        "It waits for the next one. When it lasts, look whether the control planes reach each other, and raise "
        "`storage.sas_seconds` at the consumer."
    )


class WriteCredential:
    """One flow's; shared by all its calls."""

    def __init__(
        self, flow: DataFlow, *, vault: Vault, clock: Clock, renewal: CredentialRenewal, timing: RenewalTiming
    ) -> None:
        self._flow = flow
        self._vault = vault
        self._clock = clock
        self._renewal = renewal
        self._timing = timing
        self._lock = asyncio.Lock()
        self._token: SasToken | None = None
        self._life: CredentialLife | None = None
        self._not_to_be_had = _ENDED_FLOW if flow.is_final else ""
        """Why no other signature is to be had at all."""
        self._trouble = ""
        """Why the newest attempt at a renewal failed."""
        self._troubled_since: datetime | None = None
        self._ask_again_at: datetime | None = None
        self._came_of_refusal = False

    async def token(self) -> SasToken:
        """The signature, good for a call that begins now.

        While one caller has it renewed the others go on with the present one, for as long as it is good.

        Raises:
            CredentialNeededError: it is about to end, and no other is to be had.
            RenewalPendingError: it is about to end, and the control plane has not answered yet.
            SecretNotFoundError, SasMalformedError, VaultForbiddenError, VaultUnavailableError: as the vault is read.
        """
        if self._token is None or (self._is_due() and (self._is_late() or not self._lock.locked())):
            async with self._lock:
                present = await self._brought_up_to_date()
        else:
            present = self._token
        if self._is_late():
            raise self._nothing_to_go_on_with()
        return present

    async def refused(self, token: SasToken, *, expired: bool = False) -> bool:
        """Storage refused this signature, `expired`: as past its end. True: there is another, call again with it.

        A signature that came of a refusal and is refused too is not replaced once more: the fault lies elsewhere.

        Raises:
            CredentialNeededError: it has expired, and no other is to be had.
            RenewalPendingError: the control plane has not answered yet.
            SecretNotFoundError, SasMalformedError, VaultForbiddenError, VaultUnavailableError: as the vault is read.
        """
        async with self._lock:
            if self._token != token:
                return True
            if not self._came_of_refusal and self._may_ask():
                await self._renew()
            if self._token != token:
                self._came_of_refusal = True
                return True
        if expired or (self._life is not None and self._life.ends_at <= self._clock.now()):
            raise self._nothing_to_go_on_with()
        if not self._came_of_refusal and self._is_pending():
            raise self._pending()
        return False

    async def _brought_up_to_date(self) -> SasToken:
        if self._token is None:
            self._adopt(await self._stored())
        if self._is_due() and self._may_ask():
            await self._renew()
        return self._token or await self._stored()

    def _is_due(self) -> bool:
        return self._life is not None and self._clock.now() >= self._life.renew_at

    def _is_late(self) -> bool:
        return self._life is not None and self._clock.now() >= self._life.park_at

    def _may_ask(self) -> bool:
        rested = self._ask_again_at is None or self._clock.now() >= self._ask_again_at
        return rested and not self._not_to_be_had

    async def _renew(self) -> None:
        """Look for a newer signature in the vault, then ask for one. Leaves the present one when there is none."""
        if self._adopt(await self._stored()):
            return
        try:
            await self._renewal.renewed(self._flow)
            if not self._adopt(await self._stored()):
                self._failed("the control plane gave the same signature again", wait=_ASKED_AGAIN_AFTER)
        except TransientError as error:
            wish = timedelta(seconds=error.retry_after_seconds or 0)
            self._failed(error.told_outside, wait=max(wish, _ASKED_AGAIN_AFTER), detail=error.message)
        except PermanentError as error:
            self._not_to_be_had = error.told_outside
            _log.warning("the destination's signature cannot be renewed", extra={"reason": error.message})

    def _failed(self, trouble: str, *, wait: timedelta, detail: str = "") -> None:
        """`trouble` may reach the counterparty; `detail` is for the log."""
        now = self._clock.now()
        self._trouble = trouble
        self._troubled_since = self._troubled_since or now
        self._ask_again_at = now + wait * random.uniform(1.0, 1.25)  # noqa: S311 - jitter, not a secret
        _log.warning("the destination's signature was not renewed yet", extra={"reason": detail or trouble})

    async def _stored(self) -> SasToken:
        """What the vault holds now: the control plane puts a newer one there, under the same alias."""
        alias = self._flow.destination.get(KEY_NAME)
        self._vault.forget(alias)
        return SasToken.from_secret(await self._vault.resolve(alias))

    def _adopt(self, token: SasToken) -> bool:
        """Take the signature into use; whether it is another one than before."""
        if token == self._token:
            return False
        if self._token is not None:
            _log.info("the destination's signature was renewed", extra={"ends_at": str(token.expires_at)})
        self._token = token
        self._life = self._life_of(token)
        self._trouble, self._troubled_since, self._ask_again_at = "", None, None
        self._came_of_refusal = False
        return True

    def _life_of(self, token: SasToken) -> CredentialLife | None:
        """None where the end is not known: then the service's refusal tells."""
        if token.expires_at is None:
            return None
        drawn = random.random()  # noqa: S311 - jitter, not a secret
        return CredentialLife.left(self._clock.now(), token.expires_at, self._timing, drawn=drawn)

    def _is_pending(self) -> bool:
        since = self._troubled_since
        return since is not None and not self._not_to_be_had and self._clock.now() < since + self._timing.patience

    def _pending(self) -> RenewalPendingError:
        wait = (self._ask_again_at or self._clock.now()) - self._clock.now()
        return RenewalPendingError(
            f"The destination's next signature has not come yet: {self._trouble}",
            retry_after_seconds=max(wait.total_seconds(), 0.0),
        )

    def _nothing_to_go_on_with(self) -> TransientError:
        if self._is_pending():
            return self._pending()
        why = self._not_to_be_had or self._trouble or "storage takes the present one for expired"
        ends = f"{self._life.ends_at:%Y-%m-%d %H:%M:%S} UTC" if self._life else "a moment that it does not state"
        return CredentialNeededError(
            f"The destination's shared access signature ends at {ends}, and no other is to be had: {why.rstrip('.')}. "
            "Resume the flow with a data address that holds a new one; what was staged and published is kept."
        )


class WriteCredentials:
    """Makes the credential of each flow."""

    def __init__(self, *, vault: Vault, clock: Clock, renewal: CredentialRenewal, timing: RenewalTiming) -> None:
        self._vault = vault
        self._clock = clock
        self._renewal = renewal
        self._timing = timing

    def of(self, flow: DataFlow) -> WriteCredential:
        """The flow's; reads the vault when it is first asked for a signature."""
        return WriteCredential(flow, vault=self._vault, clock=self._clock, renewal=self._renewal, timing=self._timing)

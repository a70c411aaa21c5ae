"""Blocking calls to the vault's HTTP interface: hvac over connections that no two threads share."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import requests
from hvac.adapters import RawAdapter

from connector_spi.errors import VaultUnavailableError
from vault_adapters.hashicorp.errors import VaultUntrustedError, error_of
from vault_adapters.settings import HashiCorpVaultSettings


class VaultAdapter(RawAdapter):
    """hvac's adapter, whose every answer is a success or an error of `vault_adapters.hashicorp.errors`.

    A token is set for one call and not swapped: hvac clients cannot be shared by threads that do. Redirects are not
    followed, because requests would carry the token to wherever they point.
    """

    def __init__(self, *, settings: HashiCorpVaultSettings, token: str | None, session: requests.Session) -> None:
        super().__init__(
            base_uri=settings.url,
            token=token,
            session=session,
            namespace=settings.namespace,
            allow_redirects=False,
        )
        self._limit_seconds = settings.call_seconds

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        raise_exception: bool = True,
        **kwargs: Any,
    ) -> requests.Response:
        """Send one request.

        Raises:
            VaultUnavailableError: there was no answer.
            ConnectorError: the answer is no success, whatever `raise_exception` says; see `error_of`.
        """
        failure: VaultUnavailableError
        try:
            response = super().request(
                method, url, headers=headers, raise_exception=False, timeout=self._limit_seconds, **kwargs
            )
        except requests.exceptions.SSLError:
            failure = VaultUntrustedError(
                "The vault's certificate was not accepted. Check vault.ca_file, and whether the certificate has ended."
            )
        except OSError as error:  # which all errors of requests are
            failure = VaultUnavailableError(f"The vault did not answer ({_reason(error)}). Check vault.url.")
        else:
            return _successful(response, method, url)
        raise failure  # here, and not in the handler: what requests raises knows the headers, token included


class Connections:
    """Kept-alive connections to one vault; each serves one call at a time."""

    def __init__(self, settings: HashiCorpVaultSettings) -> None:
        self._settings = settings
        self._idle: deque[requests.Session] = deque()
        self._closed = False

    @contextmanager
    def adapter(self, token: str | None) -> Iterator[VaultAdapter]:
        """What hvac makes its calls with, with this token."""
        session = self._borrowed()
        try:
            yield VaultAdapter(settings=self._settings, token=token, session=session)
        finally:
            self._idle.append(session)
            if self._closed:
                self.close()

    def close(self) -> None:
        """Close what is idle now, and each of the others when its call ends."""
        self._closed = True
        with suppress(IndexError):  # threads that end their calls now do the same
            while True:
                self._idle.pop().close()

    def _borrowed(self) -> requests.Session:
        try:
            return self._idle.pop()
        except IndexError:
            session = requests.Session()
            session.trust_env = False  # no proxies, authorities or .netrc that the configuration does not name
            if self._settings.ca_file is not None:
                session.verify = str(self._settings.ca_file)
            return session


def _successful(response: requests.Response, method: str, url: str) -> requests.Response:
    if response.status_code in {requests.codes.ok, requests.codes.no_content}:
        return response
    raise error_of(
        f"{method.upper()} {url}",
        status=response.status_code,
        reasons=_reasons(response),
        retry_after_seconds=_retry_after(response),
    )


def _reasons(response: requests.Response) -> tuple[str, ...] | None:
    try:
        body = response.json()
    except requests.exceptions.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    return tuple(str(reason) for reason in body.get("errors") or ())


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _reason(error: OSError) -> str:
    # requests wraps what urllib3 found, which tells an unknown host, a refused connection and a time-out apart.
    wrapped = error.args[0] if error.args else None
    found = getattr(wrapped, "reason", wrapped)
    return type(found if isinstance(found, Exception) else error).__name__

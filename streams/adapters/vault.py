"""Vault's API through hvac (OpenBao speaks it too): each call bounded in time and size, each answer judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any

import hvac
import requests
import urllib3
from hvac.adapters import RawAdapter

from schemas.errors import SecretsUnavailable
from schemas.secrets import Secret
from streams.adapters.bounded import within
from streams.core.vault import Lease, Trouble, Version, judge, lease_of, version_of

CALL_S = 5.0
"""Bound on one call, from the name's resolution to the last byte of the answer."""
ANSWER_LIMIT = 1024 * 1024
"""Bytes of an answer that are read; more is none of Vault's."""
_CHUNK = 16 * 1024


class VaultClient:
    """Blocks, for `call_s` at most a call; raises SecretsUnavailable and never tells a secret. One thread at a time.

    Heeds no proxy, no `.netrc`, no token of the environment, and follows no redirect.
    """

    def __init__(self, address: str, *, mount: str, ca_file: str | None = None, call_s: float = CALL_S) -> None:
        self._mount = mount
        self._call_s = call_s
        self._client = hvac.Client(
            url=address,
            token="",
            cert=(),
            verify=ca_file or True,
            timeout=call_s,
            allow_redirects=False,
            session=_Bounded(ca_file or True, call_s),
            adapter=RawAdapter,
            ignore_exceptions=True,
        )

    def use(self, token: Secret) -> None:
        self._client.token = token.reveal()

    def login(self, role_id: str, secret_id: Secret) -> Lease:
        """As an AppRole. The token is used from now on."""
        approle = self._client.auth.approle
        lease = lease_of(self._ask(lambda: approle.login(role_id, secret_id.reveal(), use_token=False)).auth)
        self.use(lease.token)
        return lease

    def unwrap(self, wrapping: Secret) -> Mapping[str, Any]:
        """What a wrapping token holds; it gives it once."""
        self.use(wrapping)
        answer = self._ask(self._client.sys.unwrap)
        return answer.data or {}

    def adopt(self, token: Secret) -> Lease:
        """Uses a token that somebody else asked for."""
        self.use(token)
        return lease_of(self._ask(self._client.auth.token.lookup_self).data)

    def renew(self) -> Lease:
        return lease_of(self._ask(self._client.auth.token.renew_self).auth)

    def read(self, path: str) -> Version:
        kv = self._client.secrets.kv.v2
        answer = self._ask(
            lambda: kv.read_secret_version(path, mount_point=self._mount, raise_on_deleted_version=False)
        )
        return version_of(answer.data)

    def names(self, path: str) -> Version:
        """The same with the names alone, without values: `held` maps each to None."""
        return version_of(self._ask(lambda: self._client.adapter.get(f"/v1/{self._mount}/subkeys/{path}")).data)

    def write(self, path: str, values: Mapping[str, Secret], *, over: int) -> None:
        """A new version, unless the newest is no more number `over` (0: there is none): then Trouble.DENIED."""
        revealed = {name: value.reveal() for name, value in values.items()}
        kv = self._client.secrets.kv.v2
        self._ask(lambda: kv.create_or_update_secret(path, revealed, cas=over, mount_point=self._mount))

    def close(self) -> None:
        self._client.adapter.close()

    def _ask(self, call: Callable[[], requests.Response]) -> Any:
        try:
            response = within(self._call_s, call, "vault call")
        except TimeoutError:
            raise SecretsUnavailable(Trouble.SLOW, f"no whole answer within {self._call_s:.0f} s") from None
        except _TooLarge:
            raise SecretsUnavailable(Trouble.GARBAGE, f"it answers more than {ANSWER_LIMIT} bytes") from None
        except requests.Timeout:
            raise SecretsUnavailable(Trouble.SLOW, f"no answer within {self._call_s:.0f} s") from None
        except requests.exceptions.SSLError:
            raise SecretsUnavailable(Trouble.DOWN, "its certificate is refused") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise SecretsUnavailable(Trouble.DOWN, f"it cannot be reached ({type(error).__name__})") from None
        return judge(response.status_code, response.content)


class _TooLarge(Exception):  # noqa: N818 - reads as what happened
    """The answer is longer than any of Vault's."""


class _Bounded(requests.Session):
    """Reads an answer up to a size and a time; the library alone would read for ever."""

    def __init__(self, verify: str | bool, call_s: float) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = verify
        self._call_s = call_s

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        end = time.monotonic() + self._call_s
        response = super().send(request, **options | {"stream": True})
        parts, size = [], 0
        for part in response.iter_content(_CHUNK):
            size += len(part)
            if size > ANSWER_LIMIT or time.monotonic() > end:
                response.close()
                raise _TooLarge if size > ANSWER_LIMIT else requests.Timeout("the answer trickles")
            parts.append(part)
        response._content = b"".join(parts)
        return response

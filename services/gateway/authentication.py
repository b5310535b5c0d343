"""Who may ask: cheap checks first, and nothing of a request is worked on before all have passed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import redis.asyncio
import redis.exceptions

from services.gateway.metagraph import Metagraph
from services.gateway.rejection import Rejection
from services.gateway.signatures import (
    NONCE_VALID_S,
    Credentials,
    check_signature,
    check_time,
    read_credentials,
)
from services.settings import Settings

log = logging.getLogger(__name__)

NONCE_PREFIX: Final = "touchline:nonce:"
"""Redis keys of the nonces that were used, shared by all gateways."""


class Authentication:
    """Checks who sent a request: `read` before its body is read, `check` with it.

    Args:
        settings: VERIFY_ENABLED, BLACKLIST_ENABLED, SPOTCHECK_MODE, MINER_HOTKEY.
        metagraph: The validators; None where BLACKLIST_ENABLED is off.
        connection: Remembers nonces.
    """

    def __init__(
        self, settings: Settings, metagraph: Metagraph | None, connection: redis.asyncio.Redis
    ) -> None:
        self._settings = settings
        self._metagraph = metagraph
        self._redis = connection
        if not settings.verifies:
            log.warning(
                "signatures are NOT checked (VERIFY_ENABLED=0 or SPOTCHECK_MODE=1): whoever reaches this "
                "port is answered"
            )
        if metagraph is None:
            log.warning(
                "stake and permit are NOT checked (BLACKLIST_ENABLED=0, VERIFY_ENABLED=0 or SPOTCHECK_MODE=1)"
            )

    def read(self, headers: Mapping[str, str]) -> Credentials | None:
        """Check what the headers alone tell, before the body is read.

        Returns:
            What they say; None where signatures are not checked.

        Raises:
            Rejection: With the first reason that was found.
        """
        if not self._settings.verifies:
            return None
        credentials = read_credentials(headers)
        if credentials.miner != self._settings.miner_hotkey:
            raise Rejection(401, "miner", f"this request is for another hotkey: {credentials.miner}")
        check_time(credentials)
        if self._metagraph is not None:
            self._metagraph.check(credentials.validator)
        return credentials

    async def check(self, credentials: Credentials | None, body: bytes) -> str | None:
        """Check the signature of the body, and that it is used for the first time.

        Returns:
            The validator's hotkey; None where signatures are not checked.

        Raises:
            Rejection: The signature is another's, or the nonce was used before.
        """
        if credentials is None:
            return None
        check_signature(credentials, body)
        # last, so that nobody else can use up a validator's nonces
        await self._use_nonce(credentials.validator, credentials.nonce)
        return credentials.validator

    async def _use_nonce(self, hotkey: str, nonce: str) -> None:
        key = f"{NONCE_PREFIX}{hotkey}:{nonce}"
        try:
            fresh = await self._redis.set(key, b"", nx=True, ex=int(2 * NONCE_VALID_S))
        except (redis.exceptions.RedisError, OSError) as error:
            raise Rejection(503, "queue", f"Redis cannot say whether the nonce is new: {error}") from error
        if not fresh:
            raise Rejection(401, "nonce", "this nonce has been used before")

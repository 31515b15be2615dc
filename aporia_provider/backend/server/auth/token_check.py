"""Check of presented tokens, with a rate limit for wrong ones."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool

from aporia_provider.backend.server.auth.failed_attempts import AuthenticationThrottle
from aporia_provider.backend.server.auth.token_files import TokenFile
from aporia_provider.backend.server.auth.tokens import TokenPermissions, digest, find_permissions
from aporia_provider.backend.store.database import Database
from aporia_provider.errors import AuthenticationError, TransientError

log = logging.getLogger("aporia_provider.access")


class TokenCheck:
    """
    Check of tokens.

    :param database: Database with the stored tokens.
    :param token_file: Additional tokens.
    """

    def __init__(self, database: Database, token_file: TokenFile | None) -> None:
        self._database, self._token_file = database, token_file
        self._throttle = AuthenticationThrottle()

    async def permissions(self, token: str, address: str) -> TokenPermissions:
        """
        Return the permissions of a token.

        :param token: The token.
        :param address: Address of the client.
        :raises aporia_provider.errors.AuthenticationError: if the token is not accepted.
        :raises aporia_provider.errors.TransientError: if there are too many wrong tokens from the address,
            or the database does not respond.
        """
        presented = digest(token)
        async with self._throttle.throttled(address, presented):
            permissions = await self.find(presented)
            self._throttle.note(address, presented, accepted=permissions is not None)
        if permissions is None:
            raise AuthenticationError(
                "The token is not accepted: it is wrong, was revoked or has expired", status=401
            )
        return permissions

    async def find(self, presented: str) -> TokenPermissions | None:
        """
        Return the permissions of the token with a digest; None if it is not accepted.

        :raises aporia_provider.errors.TransientError: if the database does not respond.
        """
        try:
            return await run_in_threadpool(self._find, presented)
        except TransientError as error:
            log.error("%s", error.message)
            raise TransientError("The database does not respond; try again", status=503) from None

    def _find(self, presented: str) -> TokenPermissions | None:
        from_file = {} if self._token_file is None else self._token_file.permissions()
        return find_permissions(self._database, presented, from_file)

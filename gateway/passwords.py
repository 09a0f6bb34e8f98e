"""Passwords of people: kept as Argon2id hashes (RFC 9106), never as themselves. Each function takes 50 ms of CPU."""

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LEAST_CHARACTERS = 8
MOST_BYTES = 1024

#: 32 MiB, three passes, one lane: two of these at once are what a small machine can spare (OWASP asks for 19 and 2).
_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """Return the hash of *password* that is stored, with its salt and costs in it."""
    return _HASHER.hash(password)


def fits(password: str, password_hash: str) -> bool:
    """Say whether *password* is the one that *password_hash* was made of."""
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False

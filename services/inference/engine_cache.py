"""Former place of names that tests still import; goes as soon as they do not."""

from services.files import sha256_of

__all__ = ["sha256_of"]

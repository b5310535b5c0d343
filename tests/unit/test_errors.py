from __future__ import annotations

import pickle

import pytest

from services.errors import (
    ERROR_TYPES,
    ChallengeError,
    ConnectFailed,
    InvalidChallenge,
    SourceRejected,
    error_from_wire,
    error_to_wire,
)


@pytest.mark.parametrize("name", sorted(ERROR_TYPES))
def test_every_error_survives_the_wire_and_pickling(name: str) -> None:
    error = ERROR_TYPES[name]("what happened", stage="here", retryable=True)
    for copy in (error_from_wire(error_to_wire(error)), pickle.loads(pickle.dumps(error))):
        assert type(copy) is ERROR_TYPES[name]
        assert (copy.message, copy.stage, copy.retryable) == ("what happened", "here", True)
        assert str(copy) == "what happened"


def test_defaults_come_from_the_class() -> None:
    assert (ConnectFailed("x").stage, ConnectFailed("x").retryable) == ("connect", True)
    assert (SourceRejected("x").stage, SourceRejected("x").retryable) == ("download", False)


def test_unknown_type_is_still_an_error() -> None:
    error = error_from_wire({"type": "FromTheFuture", "message": "m"})
    assert type(error) is ChallengeError
    assert error.message == "m"


def test_the_tree_in_the_docstring_is_complete() -> None:
    import services.errors as module

    assert all(name in (module.__doc__ or "") for name in ERROR_TYPES)
    assert issubclass(InvalidChallenge, ChallengeError)

"""The subnet's validators, from a snapshot file that something else writes; never read on a request's path.

    {"block": 123, "neurons": [{"hotkey": "5...", "stake": 1234.5, "validator_permit": true}, ...]}

The file is read again when it changes. A snapshot that cannot be read is not used: the former one stays, and
its age is shown.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from services.errors import SettingsError
from services.gateway.refusal import Refusal

log = logging.getLogger(__name__)


class Neuron(msgspec.Struct, frozen=True):
    """One participant of the subnet; stake in the unit of MIN_STAKE_THRESHOLD."""

    hotkey: str
    stake: float
    validator_permit: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """The subnet at one block."""

    neurons: list[Neuron]
    block: int = 0


@dataclass(slots=True)
class _Read:
    validators: dict[str, Neuron]
    block: int
    at: float
    changed: float


class Metagraph:
    """Who may ask.

    Args:
        file: The snapshot.
        min_stake: Minimum stake of a validator.

    Raises:
        SettingsError: There is no readable snapshot at the start.
    """

    def __init__(self, file: Path, min_stake: float) -> None:
        self._file = file
        self._min_stake = min_stake
        try:
            self._read = self._load()
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(f"METAGRAPH_FILE={file} cannot be read: {error}") from error

    @property
    def age_s(self) -> float:
        """Seconds since the snapshot was written."""
        return max(0.0, time.time() - self._read.changed)

    @property
    def block(self) -> int:
        """The block of the snapshot."""
        return self._read.block

    def refresh(self) -> None:
        """Read the snapshot again if the file has changed; called in the background."""
        try:
            if self._file.stat().st_mtime == self._read.changed:
                return
            self._read = self._load()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning(
                "METAGRAPH_FILE=%s cannot be read, the snapshot of %.0f s ago stays in use: %s",
                self._file,
                self.age_s,
                error,
            )

    def check(self, hotkey: str) -> None:
        """Check that a hotkey is a validator with enough stake.

        Raises:
            Refusal: 403.
        """
        neuron = self._read.validators.get(hotkey)
        if neuron is None:
            raise Refusal(403, "unknown", f"the hotkey {hotkey} is not in the metagraph (block {self.block})")
        if not neuron.validator_permit:
            raise Refusal(403, "permit", f"the hotkey {hotkey} has no validator permit")
        if neuron.stake < self._min_stake:
            text = f"the stake of {hotkey} is {neuron.stake:g}, MIN_STAKE_THRESHOLD is {self._min_stake:g}"
            raise Refusal(403, "stake", text)

    def _load(self) -> _Read:
        changed = self._file.stat().st_mtime
        snapshot = msgspec.json.decode(self._file.read_bytes(), type=Snapshot)
        validators = {neuron.hotkey: neuron for neuron in snapshot.neurons}
        return _Read(validators, snapshot.block, time.time(), changed)

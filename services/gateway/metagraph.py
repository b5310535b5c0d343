"""The subnet's validators, as of a snapshot that is refreshed in the background.

No request waits for the chain or for a file: it is checked against the latest snapshot that could be read,
however old that is; its age is shown by `/readyz` and `/metrics`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from services.chain.snapshot import ChainSnapshot, Neuron, decode_snapshot, read_snapshot, write_snapshot
from services.errors import ChainUnreadable, SettingsError
from services.gateway.rejection import Rejection
from services.settings import Settings
from tasks.worker_process import command

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 10.0
"""Seconds between two looks at a snapshot file."""
RETRY_S: Final = 60.0
"""Seconds until the next attempt after the chain could not be read, at most."""
CHAIN_S: Final = 90.0
"""Seconds that `touchline chain` may take, its start included."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A snapshot, and the time at which it was taken, seconds since 1970."""

    snapshot: ChainSnapshot
    at: float


class Source(Protocol):
    """Where snapshots come from."""

    async def read(self) -> Dated | None:
        """The latest snapshot; None when it is the one that was read before.

        Raises:
            ChainUnreadable: There is none.
        """

    def pause_s(self, failed: bool) -> float:
        """Seconds until the next read."""


class SnapshotFile:
    """A file that a job of the operator writes; it is read when it has changed.

    Args:
        file: The file (services/chain/snapshot.py).
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, ...] = ()

    async def read(self) -> Dated | None:
        """The content of the file, if it has changed."""
        return await asyncio.to_thread(self.read_now)

    def read_now(self) -> Dated | None:
        """The content of the file, if it has changed."""
        try:
            status = self._file.stat()
        except OSError as error:
            raise ChainUnreadable(f"METAGRAPH_FILE={self._file}: {error.strerror}") from error
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        if state == self._seen:
            return None
        snapshot = _with_validators(read_snapshot(self._file), f"METAGRAPH_FILE={self._file}")
        self._seen = state
        return Dated(snapshot, status.st_mtime)

    def pause_s(self, failed: bool) -> float:
        """Seconds until the next look."""
        return LOOK_EVERY_S


class Chain:
    """The chain itself, read by a process of its own: `touchline chain`.

    Neither the SDK's memory nor the time that it takes to decode the chain's answer is the gateway's.

    Args:
        network: METAGRAPH_NETWORK.
        netuid: NETUID.
        every_s: METAGRAPH_REFRESH_S.
        kept_in: METAGRAPH_FILE: where the latest snapshot is kept for the next start.
    """

    def __init__(self, network: str, netuid: int, every_s: float, kept_in: Path | None = None) -> None:
        self._words = ("chain", "--network", network, "--netuid", str(netuid))
        self._network = network
        self._every_s = every_s
        self._kept_in = kept_in

    async def read(self) -> Dated:
        """The neurons at the latest block."""
        at = time.time()
        snapshot = _with_validators(decode_snapshot(await self._output()), self._network)
        if self._kept_in is not None:
            await asyncio.to_thread(self._keep, self._kept_in, snapshot)
        return Dated(snapshot, at)

    def pause_s(self, failed: bool) -> float:
        """Seconds until the next read."""
        return min(RETRY_S, self._every_s) if failed else self._every_s

    async def _output(self) -> bytes:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*command(*self._words), stdout=pipe, stderr=pipe)
        except OSError as error:
            raise ChainUnreadable(f"`touchline chain` cannot be started: {error}") from error
        try:
            async with asyncio.timeout(CHAIN_S):
                out, err = await process.communicate()
        except TimeoutError as error:
            raise ChainUnreadable(f"{self._network} was not read within {CHAIN_S:g} s") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise ChainUnreadable(
                err.decode(errors="replace").strip()[-500:] or f"{self._network}: no answer"
            )
        return out

    @staticmethod
    def _keep(file: Path, snapshot: ChainSnapshot) -> None:
        try:
            write_snapshot(file, snapshot)
        except OSError as error:
            log.warning("the snapshot cannot be kept in METAGRAPH_FILE=%s: %s", file, error)


def _with_validators(snapshot: ChainSnapshot, where: str) -> ChainSnapshot:
    """The snapshot, if it is one of a subnet with validators: one without would refuse everybody.

    Raises:
        ChainUnreadable: It has none.
    """
    if not any(neuron.validator_permit for neuron in snapshot.neurons or ()):
        raise ChainUnreadable(f"{where} lists no neuron with a validator permit")
    return snapshot


class Metagraph:
    """Who may ask.

    Args:
        source: Where snapshots come from.
        min_stake: MIN_STAKE_THRESHOLD.
        first: The snapshot to begin with; without one nobody may ask until one has been read.
    """

    def __init__(self, source: Source, min_stake: float, first: Dated | None = None) -> None:
        self._source = source
        self._min_stake = min_stake
        self._failed = False
        self._validators: dict[str, Neuron] = {}
        self._dated: Dated | None = None
        if first is not None:
            self._take(first)

    @property
    def age_s(self) -> float | None:
        """Seconds since the snapshot's time; None while there is none."""
        return None if self._dated is None else max(0.0, time.time() - self._dated.at)

    @property
    def block(self) -> int | None:
        """The snapshot's block; None while there is none."""
        return None if self._dated is None else self._dated.snapshot.block

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        while True:
            try:
                await self.refresh()
            except Exception:
                # the snapshot stays in use, and its age is shown
                log.exception("refreshing the metagraph failed")
            await asyncio.sleep(self._source.pause_s(self._failed))

    async def refresh(self) -> None:
        """Take a newer snapshot if there is one; the former one stays in use when it cannot be read."""
        try:
            found = await self._source.read()
        except ChainUnreadable as error:
            self._failed = True
            age = (
                "there is none yet" if self.age_s is None else f"that of {self.age_s:.0f} s ago stays in use"
            )
            log.warning("no new snapshot of the metagraph, %s: %s", age, error)
            return
        self._failed = False
        if found is not None:
            self._take(found)

    def check(self, hotkey: str) -> None:
        """Check that a hotkey is a validator with enough stake.

        Raises:
            Rejection: 403; 503 while the validators are not known.
        """
        if self._dated is None:
            raise Rejection(503, "metagraph", "the subnet's validators are not known yet; try again")
        neuron = self._validators.get(hotkey)
        if neuron is None:
            raise Rejection(
                403, "unknown", f"the hotkey {hotkey} is not in the metagraph (block {self.block})"
            )
        if not neuron.validator_permit:
            raise Rejection(403, "permit", f"the hotkey {hotkey} has no validator permit")
        if neuron.stake < self._min_stake:
            text = f"the stake of {hotkey} is {neuron.stake:g}, MIN_STAKE_THRESHOLD is {self._min_stake:g}"
            raise Rejection(403, "stake", text)

    def _take(self, dated: Dated) -> None:
        self._validators = {neuron.hotkey: neuron for neuron in dated.snapshot.neurons or ()}
        self._dated = dated


def metagraph_from(settings: Settings) -> Metagraph:
    """The metagraph that the settings name, with the snapshot that its file holds.

    Raises:
        SettingsError: They name none, or the file that they name instead of a network cannot be read.
    """
    file = None if settings.metagraph_file is None else Path(settings.metagraph_file)
    network = settings.metagraph_network
    if file is None and network is None:
        raise SettingsError(
            "METAGRAPH_NETWORK=finney or METAGRAPH_FILE is needed to check stake and permit; "
            "BLACKLIST_ENABLED=0 answers without"
        )
    first = None
    if file is not None and (network is None or file.exists()):
        from_file = SnapshotFile(file)
        try:
            first = from_file.read_now()
        except ChainUnreadable as error:
            if network is None:
                raise SettingsError(str(error)) from error
            log.warning("the kept snapshot is not used: %s", error)
    if network is None:
        source: Source = from_file
    else:
        source = Chain(network, settings.netuid, settings.metagraph_refresh_s, kept_in=file)
    return Metagraph(source, settings.min_stake_threshold, first)

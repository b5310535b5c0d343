"""Models of a hub, downloaded once and kept with their checksums.

    <MODEL_CACHE_DIR>/hub/owner/repo/revision/path/to/file.pt
                                                      file.pt.sha256     as `sha256sum` writes it
                                                      file.pt.part       what has come so far
                                                      file.pt.lock

A file has its name only when it is whole. It is checked against its checksum whenever it is asked for.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import certifi
import httpx

from services.errors import ModelNotReady
from services.inference.engine_cache import sha256_of
from services.inference.hub_reference import HubReference
from services.settings import Settings

log = logging.getLogger(__name__)

TRIES = 4
"""In a row that brought nothing."""
PAUSE_S = 0.5
"""Before the second try; doubled before each further one."""
RANGE_REFUSED = 416
ADVICE = {
    401: "the hub wants a token: set HF_TOKEN to one that may read the repository",
    403: "HF_TOKEN may not read it: accept the model's conditions on its page, or use another token",
    404: "no such repository, revision or file; private ones look the same without HF_TOKEN",
}


class HubStore:
    """Downloaded models below one folder.

    Args:
        folder: Where they are kept; it is made when the first one comes.
        endpoint: Address of the hub.
        token: Sent to the hub and to no host that it redirects to; None for public models.
        allow_unpinned: Accept references behind which the content may change.
        ca_file: Authorities that are trusted besides the bundled ones.
        timeout_s: Longest wait for the hub's next byte.
    """

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        token: str | None = None,
        allow_unpinned: bool = False,
        ca_file: str | None = None,
        timeout_s: float = 15.0,
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._token = token
        self._allow_unpinned = allow_unpinned
        self._ca_file = ca_file
        self._timeout_s = timeout_s

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The store that the settings describe."""
        return cls(
            cache_folder(settings) / "hub",
            settings.hf_endpoint,
            settings.hf_token,
            settings.allow_unpinned_models,
            settings.ca_file,
        )

    def find(self, reference: HubReference) -> Path | None:
        """The file, if it is there and as it came; nothing is downloaded.

        Raises:
            ModelNotReady: The reference is not pinned, and unpinned ones are not allowed.
        """
        self._check_pinned(reference)
        path = self._path(reference)
        if not path.is_file():
            return None
        kept = _kept_checksum(path)
        actual = sha256_of(path)
        if kept != actual:
            log.warning("%s is not what was downloaded; it is fetched again when wanted", path)
            return None
        return path if reference.sha256 in (None, actual) else None

    def get(self, reference: HubReference) -> Path:
        """The file, downloaded if it is not there.

        Raises:
            ModelNotReady: It is not pinned, cannot be had, is not what its checksum says, or cannot be kept.
        """
        found = self.find(reference)
        if found is not None:
            return found
        path = self._path(reference)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path.with_name(path.name + ".lock")):
                # somebody else may have fetched it meanwhile
                return self.find(reference) or self._fetched(reference, path)
        except OSError as error:
            raise ModelNotReady(
                f"{path}: a model cannot be kept there: {error}; make MODEL_CACHE_DIR a folder with room "
                "that this user may write"
            ) from error

    def _path(self, reference: HubReference) -> Path:
        return Path(reference.file_below(str(self._folder)))

    def _check_pinned(self, reference: HubReference) -> None:
        if not (reference.is_pinned or self._allow_unpinned):
            raise ModelNotReady(
                f"{reference}: name a commit (@ and 40 hexadecimal digits) or a checksum (#sha256=...): "
                "loading a model may run what it contains, and a branch can change; "
                "ALLOW_UNPINNED_MODELS=1 accepts that"
            )

    def _fetched(self, reference: HubReference, path: Path) -> Path:
        part = path.with_name(path.name + ".part")
        if not reference.is_pinned:
            # the rest may be another version's
            part.unlink(missing_ok=True)
        log.info("fetching %s", reference)
        said = self._download(reference, part)
        actual = sha256_of(part)
        wanted = reference.sha256 or said
        if wanted not in (None, actual):
            part.unlink()
            raise ModelNotReady(
                f"{reference}: the file that came has the SHA-256 {actual}, not {wanted}; check the "
                "reference, and take the checksum from the model's page"
            )
        _sync(part)
        path.with_name(path.name + ".sha256").write_text(f"{actual}  {path.name}\n", encoding="utf-8")
        part.rename(path)
        log.info("fetched %s: %d bytes, SHA-256 %s", reference, path.stat().st_size, actual)
        return path

    def _download(self, reference: HubReference, part: Path) -> str | None:
        """Bring the file into `part`, going on where it ends; the checksum that the hub names, if it does."""
        failures = 0
        with self._client() as client:
            while True:
                had = _size(part)
                try:
                    return self._attempt(client, reference, part)
                except (httpx.TransportError, httpx.TooManyRedirects) as error:
                    failures = 1 if _size(part) > had else failures + 1
                    text = str(error) or type(error).__name__
                    if failures == TRIES:
                        raise ModelNotReady(
                            f"{reference}: {self._endpoint} could not be reached or broke off: {text}; check "
                            "the network and HF_ENDPOINT, or fetch the file elsewhere and name its path. "
                            "What has come is kept."
                        ) from error
                    log.warning("%s: %s; trying again", reference, text)
                    time.sleep(PAUSE_S * 2 ** (failures - 1))

    def _attempt(self, client: httpx.Client, reference: HubReference, part: Path) -> str | None:
        have = _size(part)
        headers = {"range": f"bytes={have}-"} if have else {}
        with client.stream("GET", reference.url(self._endpoint), headers=headers) as response:
            if response.status_code == RANGE_REFUSED and have:
                # it is longer than the file, or exactly it: the checksum will not be guessed at
                part.unlink()
                raise httpx.ReadError("the part that was kept does not fit the file")
            if response.status_code not in (200, 206):
                _refuse(reference, response)
            goes_on = response.status_code == 206 and response.headers.get("content-range", "").startswith(
                f"bytes {have}-"
            )
            with part.open("ab" if goes_on else "wb") as file:
                for chunk in response.iter_raw():
                    file.write(chunk)
            return _named_checksum(response)

    def _client(self) -> httpx.Client:
        try:
            context = ssl.create_default_context(cafile=certifi.where())
            if self._ca_file:
                context.load_verify_locations(self._ca_file)
        except OSError as error:
            raise ModelNotReady(f"CA_FILE={self._ca_file!r}: cannot be read: {error}") from error
        headers = {"accept-encoding": "identity", "user-agent": "touchline"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        # httpx drops the token where a redirect leads to another host, as hubs redirect to their stores
        return httpx.Client(
            verify=context,
            headers=headers,
            timeout=self._timeout_s,
            follow_redirects=True,
            max_redirects=5,
            trust_env=False,
            event_hooks={"request": [self._check_scheme]},
        )

    def _check_scheme(self, request: httpx.Request) -> None:
        if self._endpoint.startswith("https://") and request.url.scheme != "https":
            raise ModelNotReady(f"the hub redirects to {request.url.host!r} without TLS; nothing was fetched")


def cache_folder(settings: Settings) -> Path:
    """The folder of downloaded and exported models."""
    return Path(settings.model_cache_dir).expanduser()


def _refuse(reference: HubReference, response: httpx.Response) -> None:
    status = response.status_code
    if status >= 500 or status == 429:
        raise httpx.ReadError(f"the hub answered {status}")
    advice = ADVICE.get(status, "check the reference and HF_ENDPOINT")
    raise ModelNotReady(f"{reference}: the hub answered {status}: {advice}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _named_checksum(response: httpx.Response) -> str | None:
    """The SHA-256 that the hub has on record: the entity tag of what it stores as a large file.

    Source: `X-Linked-Etag` in huggingface_hub's file_download.py.
    """
    for answer in (*response.history, response):
        tag = answer.headers.get("x-linked-etag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", tag):
            return str(tag)
    return None


def _kept_checksum(path: Path) -> str | None:
    try:
        return path.with_name(path.name + ".sha256").read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return None


def _sync(path: Path) -> None:
    """Have the content on the disk before the name is, or a crash could leave zeros under it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # the kernel frees it when its process ends; the file stays, or two could hold two of one name
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)

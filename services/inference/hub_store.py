"""Models of a hub, downloaded once with huggingface_hub and checked whenever they are asked for.

They lie in huggingface_hub's cache below `MODEL_CACHE_DIR/hub`. A file that the hub stores as a large file is
named there by its SHA-256, so that a damaged one is noticed. Once a file is there, no network is needed.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
from pathlib import Path
from typing import Final, Self

import certifi
import httpx

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference.hub_reference import HubReference
from services.settings import Settings

# huggingface_hub reads these while it is imported: no second network stack, no messages to its makers
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 15.0
"""Maximum wait for the hub's next byte, seconds."""
ADVICE: Final = {
    401: "the hub wants a token: set HF_TOKEN to one that may read the repository",
    403: "HF_TOKEN may not read it: accept the model's conditions on its page, or use another token",
    404: "no such repository, revision or file; private ones look the same without HF_TOKEN",
}
"""What to do about a refusal, by its status."""


class HubStore:
    """Downloaded models below one folder.

    Args:
        folder: Where they are kept; it is made when the first one is downloaded.
        endpoint: Address of the hub.
        token: Sent to the hub and to no host that it redirects to; None for public models.
        allow_unpinned: Accept references behind which the content may change.
        ca_file: Certificate authorities that are trusted in addition to the bundled ones.
    """

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        token: str | None = None,
        allow_unpinned: bool = False,
        ca_file: str | None = None,
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._allow_unpinned = allow_unpinned
        self._ca_file = ca_file

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The store that the settings describe."""
        return cls(
            settings.model_cache_folder / "hub",
            settings.hf_endpoint,
            settings.hf_token,
            settings.allow_unpinned_models,
            settings.ca_file,
        )

    def find(self, reference: HubReference) -> Path | None:
        """The file, if it is there and intact; nothing is downloaded.

        Raises:
            ModelNotReady: The reference is not pinned, and unpinned ones are not allowed.
        """
        from huggingface_hub import try_to_load_from_cache

        self._check_pinned(reference)
        found = try_to_load_from_cache(
            reference.repository, reference.path, cache_dir=self._folder, revision=reference.revision
        )
        if not isinstance(found, str):
            return None
        return Path(found) if _is_intact(Path(found), reference) else None

    def get(self, reference: HubReference) -> Path:
        """The file, downloaded if it is not there.

        Raises:
            ModelNotReady: It is not pinned, cannot be had, does not match its checksum, or cannot be kept.
        """
        found = self.find(reference)
        if found is not None:
            return found
        log.info("downloading %s", reference)
        path = self._download(reference)
        if not _is_intact(path, reference):
            # huggingface_hub keeps a file that is there: a damaged one has to go first
            log.warning("%s is damaged; it is downloaded again", path)
            path.resolve().unlink()
            path = self._download(reference)
        if not _is_intact(path, reference):
            actual = sha256_of(path)
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise ModelNotReady(
                f"{reference}: the downloaded file has the SHA-256 {actual}; check the reference, and take "
                "the checksum from the model's page"
            )
        log.info("downloaded %s: %d bytes", reference, path.stat().st_size)
        return path

    def _check_pinned(self, reference: HubReference) -> None:
        if not (reference.is_pinned or self._allow_unpinned):
            raise ModelNotReady(
                f"{reference}: name a commit (@ and 40 hexadecimal digits) or a checksum (#sha256=...): "
                "loading a model may run what it contains, and a branch can change; "
                "ALLOW_UNPINNED_MODELS=1 accepts that"
            )

    def _download(self, reference: HubReference) -> Path:
        from huggingface_hub import hf_hub_download, set_client_factory
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        set_client_factory(self._client)
        try:
            return Path(
                hf_hub_download(
                    reference.repository,
                    reference.path,
                    revision=reference.revision,
                    cache_dir=self._folder,
                    endpoint=self._endpoint,
                    token=self._token or False,
                )
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, httpx.HTTPError) as error:
            raise self._refusal(reference, error) from error
        except OSError as error:
            raise ModelNotReady(
                f"{self._folder}: a model cannot be kept there: {error}; make MODEL_CACHE_DIR a folder with "
                "room that this user may write"
            ) from error

    def _refusal(self, reference: HubReference, error: Exception) -> ModelNotReady:
        cause: BaseException | None = error
        while cause is not None:
            status = getattr(getattr(cause, "response", None), "status_code", None)
            if status is not None:
                advice = ADVICE.get(status, "check the reference and HF_ENDPOINT")
                return ModelNotReady(f"{reference}: the hub answered {status}: {advice}")
            if isinstance(cause, ModelNotReady):
                return cause
            cause = cause.__cause__ or cause.__context__
        return ModelNotReady(
            f"{reference}: {self._endpoint} could not be reached or broke off: {error}; check the network "
            "and HF_ENDPOINT and try again, or download the file elsewhere and name its path."
        )

    def _client(self) -> httpx.Client:
        try:
            context = ssl.create_default_context(cafile=certifi.where())
            if self._ca_file:
                context.load_verify_locations(self._ca_file)
        except OSError as error:
            raise ModelNotReady(f"CA_FILE={self._ca_file!r}: cannot be read: {error}") from error
        return httpx.Client(
            verify=context,
            timeout=TIMEOUT_S,
            follow_redirects=True,
            trust_env=False,
            event_hooks={"request": [self._check_scheme]},
        )

    def _check_scheme(self, request: httpx.Request) -> None:
        if self._endpoint.startswith("https://") and request.url.scheme != "https":
            raise ModelNotReady(
                f"the hub redirects to {request.url.host!r} without TLS; nothing was downloaded"
            )


def _is_intact(path: Path, reference: HubReference) -> bool:
    """Whether a file matches the reference's checksum, or else the one that its name in the cache holds."""
    named = path.resolve().name
    expected = reference.sha256 or (named if re.fullmatch(r"[0-9a-f]{64}", named) else None)
    return expected is None or sha256_of(path) == expected

"""Models of a hub, from a real TLS server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.errors import ModelNotReady
from services.inference.hub_reference import HubReference
from services.inference.hub_store import HubStore
from services.inference.model_files import resolve_model
from services.settings import load_settings
from tests.support.hub import hub_file
from touchline_lab.demo_origin.server import DemoOrigin, Fault

pytestmark = pytest.mark.integration
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = f"owner/repo/resolve/{COMMIT}/best.pt"
CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REFERENCE = HubReference("owner", "repo", "best.pt", COMMIT)
PINNED = HubReference("owner", "repo", "best.pt", COMMIT, SHA256)


def faulty(**fault: object) -> Fault:
    return hub_file(CONTENT, COMMIT, **fault)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DemoOrigin]:
    """A hub with one repository, which has one file."""
    with DemoOrigin(tmp_path / "hub") as server:
        for revision in (COMMIT, "main"):
            name = f"owner/repo/resolve/{revision}/best.pt"
            file = tmp_path / "hub" / name
            file.parent.mkdir(parents=True)
            file.write_bytes(CONTENT)
            server.set_fault(name, faulty())
        yield server


@pytest.fixture
def store(hub: DemoOrigin, tmp_path: Path) -> HubStore:
    return HubStore(tmp_path / "cache", hub.base_url, ca_file=str(hub.ca_file))


def downloads(hub: DemoOrigin) -> int:
    return sum(request.method == "GET" for request in hub.requests())


def test_a_setting_names_a_hub_model_that_is_downloaded_once(hub: DemoOrigin, tmp_path: Path) -> None:
    settings = load_settings(
        hf_endpoint=hub.base_url, ca_file=str(hub.ca_file), model_cache_dir=str(tmp_path / "cache")
    )
    with pytest.raises(ModelNotReady, match="touchline models fetch"):
        resolve_model(str(REFERENCE), "DETECTOR_MODEL", settings, fetch=False)
    path = resolve_model(str(REFERENCE), "DETECTOR_MODEL", settings)
    assert path.read_bytes() == CONTENT
    assert resolve_model(str(PINNED), "DETECTOR_MODEL", settings) == path
    assert downloads(hub) == 1


def test_no_network_is_needed_once_a_file_is_there(hub: DemoOrigin, store: HubStore, tmp_path: Path) -> None:
    path = store.get(REFERENCE)
    offline = HubStore(tmp_path / "cache", "https://127.0.0.1:1")
    assert offline.get(REFERENCE) == path


def test_a_kept_file_that_changed_is_downloaded_again(hub: DemoOrigin, store: HubStore) -> None:
    store.get(REFERENCE).resolve().write_bytes(b"something else")
    assert store.find(REFERENCE) is None
    assert store.get(REFERENCE).read_bytes() == CONTENT
    assert downloads(hub) == 2


def test_a_wrong_checksum_leaves_no_file(store: HubStore) -> None:
    other = HubReference("owner", "repo", "best.pt", COMMIT, "0" * 64)
    with pytest.raises(ModelNotReady, match=SHA256):
        store.get(other)
    assert store.find(REFERENCE) is None


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "HF_TOKEN"), (403, "conditions"), (404, "no such repository"), (418, "HF_ENDPOINT")],
)
def test_a_refusal_says_what_to_do(hub: DemoOrigin, store: HubStore, status: int, advice: str) -> None:
    hub.set_fault(FILE, Fault(status=status))
    with pytest.raises(ModelNotReady, match=f"{status}.*{advice}"):
        store.get(REFERENCE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """huggingface_hub waits up to 8 s between its attempts to connect."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)


def test_an_unreachable_hub_is_named_with_what_to_do(
    hub: DemoOrigin, tmp_path: Path, impatient: None
) -> None:
    gone = HubStore(tmp_path / "cache", "https://127.0.0.1:1", ca_file=str(hub.ca_file))
    with pytest.raises(ModelNotReady, match=r"127\.0\.0\.1:1 could not be reached.*name its path"):
        gone.get(REFERENCE)


def test_a_hub_with_an_unknown_certificate_authority_is_refused(
    hub: DemoOrigin, tmp_path: Path, impatient: None
) -> None:
    with pytest.raises(ModelNotReady, match="could not be reached"):
        HubStore(tmp_path / "cache", hub.base_url).get(REFERENCE)


def test_a_download_that_breaks_off_leaves_no_file_and_can_be_repeated(
    hub: DemoOrigin, store: HubStore
) -> None:
    hub.set_fault(FILE, faulty(cut_after=400_000))
    with pytest.raises(ModelNotReady, match="broke off"):
        store.get(PINNED)
    assert store.find(PINNED) is None
    hub.set_fault(FILE, faulty())
    assert store.get(PINNED).read_bytes() == CONTENT


def test_a_branch_is_refused_unless_it_is_allowed(hub: DemoOrigin, store: HubStore, tmp_path: Path) -> None:
    branch = HubReference("owner", "repo", "best.pt")
    with pytest.raises(ModelNotReady, match="ALLOW_UNPINNED_MODELS=1"):
        store.get(branch)
    assert hub.stats().requests == 0
    allowing = HubStore(tmp_path / "cache", hub.base_url, allow_unpinned=True, ca_file=str(hub.ca_file))
    assert allowing.get(branch).read_bytes() == CONTENT


def test_a_redirect_out_of_tls_is_refused(hub: DemoOrigin, store: HubStore) -> None:
    hub.set_fault(FILE, faulty(redirect="http://127.0.0.1:9/stored.pt"))
    with pytest.raises(ModelNotReady, match="without TLS"):
        store.get(REFERENCE)


def test_a_folder_that_cannot_be_written_is_named(hub: DemoOrigin, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(ModelNotReady, match="MODEL_CACHE_DIR"):
        HubStore(tmp_path / "cache", hub.base_url, ca_file=str(hub.ca_file)).get(REFERENCE)

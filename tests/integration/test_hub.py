"""Models of a hub, from a real TLS server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.errors import ModelNotReady
from services.inference import hub_store
from services.inference.hub_reference import HubReference
from services.inference.hub_store import HubStore
from services.inference.registry import resolve_model
from services.settings import load_settings
from touchline_lab.demo_origin.server import DemoOrigin, Fault

pytestmark = pytest.mark.integration
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = f"owner/repo/resolve/{COMMIT}/best.pt"
CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REFERENCE = HubReference("owner", "repo", "best.pt", COMMIT)
PINNED = HubReference("owner", "repo", "best.pt", COMMIT, SHA256)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoOrigin]:
    monkeypatch.setattr(hub_store, "PAUSE_S", 0.0)
    for revision in (COMMIT, "main"):
        file = tmp_path / "hub" / "owner/repo/resolve" / revision / "best.pt"
        file.parent.mkdir(parents=True)
        file.write_bytes(CONTENT)
    with DemoOrigin(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def store(hub: DemoOrigin, tmp_path: Path) -> HubStore:
    return HubStore(tmp_path / "cache", hub.base_url, ca_file=str(hub.ca_file))


def test_a_setting_names_a_hub_model_that_is_fetched_once(hub: DemoOrigin, tmp_path: Path) -> None:
    settings = load_settings(
        hf_endpoint=hub.base_url, ca_file=str(hub.ca_file), model_cache_dir=str(tmp_path / "cache")
    )
    with pytest.raises(ModelNotReady, match="touchline models fetch"):
        resolve_model(str(REFERENCE), "DETECTOR_MODEL", settings, fetch=False)
    path = resolve_model(str(REFERENCE), "DETECTOR_MODEL", settings)
    assert path.read_bytes() == CONTENT
    assert path.with_name("best.pt.sha256").read_text() == f"{SHA256}  best.pt\n"
    assert resolve_model(str(PINNED), "DETECTOR_MODEL", settings) == path
    assert hub.stats().requests == 1


def test_a_kept_file_that_changed_is_fetched_again(hub: DemoOrigin, store: HubStore) -> None:
    path = store.get(REFERENCE)
    path.write_bytes(b"something else")
    assert store.find(REFERENCE) is None
    assert store.get(REFERENCE).read_bytes() == CONTENT
    assert hub.stats().requests == 2


def test_a_wrong_checksum_leaves_nothing(store: HubStore, tmp_path: Path) -> None:
    other = HubReference("owner", "repo", "best.pt", COMMIT, "0" * 64)
    with pytest.raises(ModelNotReady, match=f"{SHA256}, not 0000"):
        store.get(other)
    assert [file.suffix for file in (tmp_path / "cache").rglob("*.*") if file.is_file()] == [".lock"]


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "HF_TOKEN"), (403, "conditions"), (404, "no such repository"), (418, "HF_ENDPOINT")],
)
def test_a_refusal_says_what_to_do_and_is_not_tried_again(
    hub: DemoOrigin, store: HubStore, status: int, advice: str
) -> None:
    hub.set_fault(FILE, Fault(status=status))
    with pytest.raises(ModelNotReady, match=f"{status}.*{advice}"):
        store.get(REFERENCE)
    assert hub.stats().requests == 1


def test_a_hub_that_keeps_failing(hub: DemoOrigin, store: HubStore) -> None:
    hub.set_fault(FILE, Fault(status=503))
    with pytest.raises(ModelNotReady, match="answered 503"):
        store.get(REFERENCE)
    assert hub.stats().requests == hub_store.TRIES


def test_no_network(hub: DemoOrigin, tmp_path: Path) -> None:
    gone = HubStore(tmp_path / "cache", "https://127.0.0.1:1", ca_file=str(hub.ca_file))
    with pytest.raises(ModelNotReady, match=r"127\.0\.0\.1:1 could not be reached.*name its path"):
        gone.get(REFERENCE)


def test_a_hub_with_an_unknown_authority_is_not_believed(hub: DemoOrigin, tmp_path: Path) -> None:
    with pytest.raises(ModelNotReady, match="certificate"):
        HubStore(tmp_path / "cache", hub.base_url).get(REFERENCE)


def test_a_broken_download_goes_on_where_it_ended(hub: DemoOrigin, store: HubStore) -> None:
    hub.set_fault(FILE, Fault(cut_after=200_000, rate=2_000_000))
    assert store.get(PINNED).read_bytes() == CONTENT
    ranges = [request.range for request in hub.requests()]
    assert ranges[0] is None
    assert len(ranges) > hub_store.TRIES, "every one of them brought something"
    starts = [int(str(wanted)[6:-1]) for wanted in ranges[1:]]
    assert starts == sorted(set(starts))
    assert starts[0] > 0


def test_what_an_earlier_process_left_is_gone_on_with(
    hub: DemoOrigin, store: HubStore, tmp_path: Path
) -> None:
    part = Path(PINNED.file_below(str(tmp_path / "cache"))).with_name("best.pt.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:100_000])
    assert store.get(PINNED).read_bytes() == CONTENT
    assert [request.range for request in hub.requests()] == ["bytes=100000-"]


@pytest.mark.parametrize("fault", [Fault(no_range=True), Fault()], ids=["no ranges", "too long"])
def test_a_part_that_cannot_be_gone_on_with(
    hub: DemoOrigin, store: HubStore, tmp_path: Path, fault: Fault
) -> None:
    part = Path(PINNED.file_below(str(tmp_path / "cache"))).with_name("best.pt.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT if fault == Fault() else CONTENT[:1000])
    hub.set_fault(FILE, fault)
    assert store.get(PINNED).read_bytes() == CONTENT


def test_a_branch_is_refused_unless_it_is_allowed(hub: DemoOrigin, store: HubStore, tmp_path: Path) -> None:
    branch = HubReference("owner", "repo", "best.pt")
    with pytest.raises(ModelNotReady, match="ALLOW_UNPINNED_MODELS=1"):
        store.get(branch)
    assert hub.stats().requests == 0
    allowing = HubStore(tmp_path / "cache", hub.base_url, allow_unpinned=True, ca_file=str(hub.ca_file))
    assert allowing.get(branch).read_bytes() == CONTENT


def test_a_redirect_is_followed_but_not_out_of_tls(hub: DemoOrigin, store: HubStore, tmp_path: Path) -> None:
    (tmp_path / "hub" / "stored.pt").write_bytes(CONTENT)
    hub.set_fault(FILE, Fault(redirect="http://127.0.0.1:9/stored.pt"))
    with pytest.raises(ModelNotReady, match="without TLS"):
        store.get(REFERENCE)
    hub.set_fault(FILE, Fault(redirect=hub.url("stored.pt")))
    assert store.get(REFERENCE).read_bytes() == CONTENT


def test_several_at_once_fetch_it_once(hub: DemoOrigin, tmp_path: Path) -> None:
    hub.set_fault(FILE, Fault(delay=0.2))
    together = threading.Barrier(3)

    def fetch(_: int) -> Path:
        together.wait()
        return HubStore(tmp_path / "cache", hub.base_url, ca_file=str(hub.ca_file)).get(REFERENCE)

    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(fetch, range(3)))) == 1
    assert hub.stats().requests == 1


def test_a_folder_that_cannot_be_written(hub: DemoOrigin, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(ModelNotReady, match="MODEL_CACHE_DIR"):
        HubStore(tmp_path / "cache", hub.base_url, ca_file=str(hub.ca_file)).get(REFERENCE)

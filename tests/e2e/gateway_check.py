"""Asks a running gateway from outside what validators and spot checks ask, and checks what it answers.

    python -m tests.e2e.gateway_check prepare metagraph           # writes metagraph/metagraph.json
    python -m tests.e2e.gateway_check ask http://127.0.0.1:8000 https://demo:8443/demo.mp4 --signed

`prepare` is for a gateway with METAGRAPH_FILE=/metagraph/metagraph.json and the MINER_HOTKEY that it prints.
`--answers FILE` keeps the answers, with which `--same-as FILE` compares those of another system. No test
collects this file: it needs a container engine (docs/guides/docker.md).
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from pathlib import Path

import httpx

from services.wire.gsr import decode_response, frames_part
from services.wire.private_track import decode_response as decode_private
from services.wire.spot_check import compared_part
from tests.support.gateways import METAGRAPH, MINER, fiber_message, headers_of, turbovision_message

READY_S = 300.0
"""Seconds that a spot check waits for `/docs`."""


def prepare(folder: Path) -> None:
    """Write the metagraph of a test validator."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metagraph.json").write_text(json.dumps(METAGRAPH))
    print(f"MINER_HOTKEY={MINER}")


def wait_until_ready(client: httpx.Client) -> None:
    """Poll `/docs` as spot checks do."""
    end = time.monotonic() + READY_S
    while client.get("/docs").status_code != httpx.codes.OK:
        assert time.monotonic() < end, "the models did not become warm"
        time.sleep(3)


def ask(url: str, clip: str, signed: bool, kinds: list[str]) -> dict[str, str]:
    """The parts of the answers that depend on the clip alone, by kind, in base64 where they are bytes."""
    found: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=130, trust_env=False) as client:
        wait_until_ready(client)
        assert client.get("/availability").json() == {"available": True}
        for kind in kinds:
            route = "/soccer/challenge" if kind == "gsr" else "/challenge"
            given = {"challenge_id": f"check-{kind}-{time.time_ns()}", "type": kind, "video_url": clip}
            body = json.dumps(given).encode()
            headers = {"X-Miner-Hotkey": MINER}
            if signed:
                message = fiber_message if kind == "gsr" else turbovision_message
                assert client.post(route, content=body, headers=headers).status_code == 401
                headers = headers_of(body, message=message)
            began = time.monotonic()
            answer = client.post(route, content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            if kind == "gsr":
                frames = decode_response(answer.content).frames
                assert [frame.frame_number for frame in frames] == list(range(len(frames)))
                found[kind] = base64.b64encode(frames_part(answer.content)).decode()
                what = f"{len(frames)} frames"
            else:
                what = f"{len(decode_private(answer.content).prediction.items)} actions"  # type: ignore[union-attr]
                found[kind] = json.dumps(compared_part(answer.json()))
            seconds = time.monotonic() - began
            print(f"{kind}: {what}, {len(answer.content)} bytes after {seconds:.2f} s")
            if signed:
                replayed = client.post(route, content=body, headers=headers)
                assert replayed.json()["error"] == "nonce", replayed.text
    return found


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare").add_argument("folder", type=Path)
    asking = commands.add_parser("ask")
    asking.add_argument("url")
    asking.add_argument("clip")
    asking.add_argument("--signed", action="store_true")
    asking.add_argument("--kinds", default="gsr")
    asking.add_argument("--answers", type=Path)
    asking.add_argument("--same-as", type=Path)
    options = parser.parse_args()
    if options.command == "prepare":
        prepare(options.folder)
        return
    found = ask(options.url, options.clip, options.signed, options.kinds.split(","))
    again = ask(options.url, options.clip, options.signed, options.kinds.split(","))
    assert again == found, "the same clip was answered in two ways"
    if options.answers is not None:
        options.answers.write_text(json.dumps(found))
    if options.same_as is not None:
        stored = json.loads(options.same_as.read_text())
        for kind in stored.keys() & found.keys():
            assert stored[kind] == found[kind], f"{kind}: not the answer in {options.same_as}"
            print(f"{kind}: the same bytes as in {options.same_as}")
    print("gateway: checked")


if __name__ == "__main__":
    main()

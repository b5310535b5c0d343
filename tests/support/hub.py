"""What a model hub says of a file in the headers of its response, besides the content."""

from __future__ import annotations

import hashlib

from touchline_lab.demo_origin.faults import Fault


def hub_file(content: bytes, commit: str, **fault: object) -> Fault:
    """How the demo origin answers for a large file of a hub: `origin.set_fault(name, hub_file(...))`.

    Source: `X-Repo-Commit`, `X-Linked-Etag` and `X-Linked-Size` in huggingface_hub's file_download.py.
    """
    headers = (
        ("x-repo-commit", commit),
        ("x-linked-etag", f'"{hashlib.sha256(content).hexdigest()}"'),
        ("x-linked-size", str(len(content))),
    )
    return Fault(headers=headers, **fault)  # type: ignore[arg-type]

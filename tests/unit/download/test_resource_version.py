from __future__ import annotations

import pytest

from services.download.resource_version import ResourceVersion
from services.errors import SourceChanged

DAY = "Mon, 02 Mar 2026 12:00:00 GMT"
NEXT_DAY = "Tue, 03 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ResourceVersion(10), ResourceVersion(None)),
        (ResourceVersion(10, '"a"'), ResourceVersion(10)),
        (ResourceVersion(10, '"a"'), ResourceVersion(10, 'W/"a"')),
        (ResourceVersion(10, '"a"', DAY), ResourceVersion(10, '"a"', NEXT_DAY)),
        (ResourceVersion(10, "", DAY), ResourceVersion(10, "", DAY)),
    ],
    ids=["no size", "no tag", "tag weakened", "tag outweighs date", "same date"],
)
def test_one_version(first: ResourceVersion, second: ResourceVersion) -> None:
    first.joined_with(second)
    second.joined_with(first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ResourceVersion(10), ResourceVersion(11)),
        (ResourceVersion(10, '"a"'), ResourceVersion(10, '"b"')),
        (ResourceVersion(10, "", DAY), ResourceVersion(10, "", NEXT_DAY)),
        (ResourceVersion(10, '"a"', DAY), ResourceVersion(10, "", NEXT_DAY)),
    ],
    ids=["size", "tag", "date", "date where one tag lacks"],
)
def test_two_versions(first: ResourceVersion, second: ResourceVersion) -> None:
    with pytest.raises(SourceChanged):
        first.joined_with(second)


def test_what_only_a_later_response_tells_is_kept() -> None:
    known = ResourceVersion(None).joined_with(ResourceVersion(10, '"a"', DAY))
    assert known == ResourceVersion(10, '"a"', DAY)
    assert known.joined_with(ResourceVersion(None)) == known


@pytest.mark.parametrize(
    ("version", "validator"),
    [
        (ResourceVersion(10, '"a"', DAY), '"a"'),
        (ResourceVersion(10, "", DAY), DAY),
        (ResourceVersion(10, 'W/"a"', DAY), ""),
        (ResourceVersion(10), ""),
    ],
    ids=["strong tag", "date", "weak tag is no condition", "nothing"],
)
def test_if_range(version: ResourceVersion, validator: str) -> None:
    assert version.validator == validator

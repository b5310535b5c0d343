from __future__ import annotations

import pytest

from services.errors import CorruptVideo
from services.wire.reply import Answer, pack_answer, pack_error, unpack_reply


def test_answer_bytes_pass_through_untouched() -> None:
    body = b'{"frames":[]}' + bytes(range(256))
    answer = Answer("id", body, True, {"total": 1.5})
    assert unpack_reply(pack_answer(answer)) == answer


def test_errors_come_out_as_they_went_in() -> None:
    error = CorruptVideo("cut off", stage="index")
    with pytest.raises(CorruptVideo, match="cut off") as caught:
        unpack_reply(pack_error("id", error, {"total": 0.1}))
    assert caught.value.stage == "index"
    assert caught.value.timeline == {"total": 0.1}

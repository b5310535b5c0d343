from __future__ import annotations

import threading

from services.timeline import Timeline, with_result_wait


def test_pieces_of_a_stage_add_up() -> None:
    timeline = Timeline()
    timeline.add("decode", 1.0, 2.0)
    timeline.add("decode", 3.0, 5.0, busy=0.5)
    span = timeline.to_dict()["stages"]["decode"]
    assert span == {"start": 1.0, "end": 5.0, "busy": 1.5}


def test_mark_keeps_the_first_moment() -> None:
    timeline = Timeline()
    timeline.mark("first_frame")
    first = timeline.to_dict()["stages"]["first_frame"]
    timeline.mark("first_frame")
    assert timeline.to_dict()["stages"]["first_frame"] == first


def test_stages_come_in_the_order_of_the_pipeline() -> None:
    timeline = Timeline()
    for stage in ("encode", "own", "queue", "decode"):
        timeline.add(stage, 0, 1)
    assert list(timeline.to_dict()["stages"]) == ["queue", "decode", "encode", "own"]


def test_counting_from_many_threads_loses_nothing() -> None:
    timeline = Timeline()
    threads = [threading.Thread(target=lambda: [timeline.count("n") for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timeline.to_dict()["facts"].get("n") == 8000


def test_the_queue_ends_where_the_timeline_begins_and_is_never_negative() -> None:
    timeline = Timeline()
    timeline.add_queue(timeline.began - 0.5)
    assert timeline.to_dict()["stages"]["queue"] == {"start": -0.5, "end": 0.0, "busy": 0.5}
    timeline.add_queue(timeline.began + 3.0)
    assert timeline.to_dict()["stages"]["queue"]["busy"] == 0.0


def test_the_front_end_adds_how_long_it_waited_for_the_result() -> None:
    worker = {"began": 100.0, "total": 2.0, "stages": {}, "facts": {}}
    stages = with_result_wait(worker, 102.25, 99.0)["stages"]
    assert stages["result_wait"] == {"start": 2.0, "end": 2.25, "busy": 0.25}


def test_nobody_waited_for_a_stored_answer_or_an_older_timeline() -> None:
    stored = {"began": 100.0, "total": 2.0, "stages": {}, "facts": {}}
    older = {"stages": {}, "facts": {}, "total": 2.0}
    assert with_result_wait(stored, 201.0, 200.0) == stored
    assert with_result_wait(older, 201.0, 200.0) == older

"""One challenge, from its URL to the bytes of its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.cancellation import CancelScope
from services.challenges.kind import Assembly
from services.challenges.kinds import ServedKind, ServedKinds
from services.concurrency import OrderedExecutor, Prefetcher, TimedOut
from services.deadline import Deadline
from services.download.byte_stream import ByteStream
from services.download.download import Download
from services.download.pool import ConnectionPool
from services.errors import CorruptVideo, DeadlineExceeded, SourceChanged, TransportError
from services.frame_plan import FramePlan
from services.inference.devices import choose_device
from services.inference.model_times import TimesModels
from services.inference.predictors import Interruptible
from services.pipeline.batching import BatchSchedule
from services.pipeline.pictures import Pictures
from services.sampling.costs import Costs
from services.sampling.deadline_classes import available, choose
from services.sampling.needed_bytes import needed_bytes
from services.settings import Settings
from services.timeline import Timeline
from services.video.decode import Clip, DecodeLimits, open_clip, open_clip_on
from services.video.letterbox import Frame, Letterbox
from services.video.nvdec import choose_decoder
from services.wire.challenge import Challenge
from services.wire.reply import Answer

RESERVE_S = 0.5
"""Seconds before the deadline that are kept free for filling, encoding and publishing."""
PUBLISH_S = 0.3
"""Seconds of the reserve that threads which end late leave for publishing."""
LAST_BATCH_S = 0.1
"""Seconds of the reserve that a batch which was not full when the time was over may take."""
MAX_BEGINNINGS = 3
"""How often a challenge is begun whose video becomes another file while it is fetched."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What a process keeps between challenges.

    Attributes:
        pool: Warm connections.
        kinds: What is answered.
        settings: The settings.
        costs: What a frame costs, by kind; the plan of a kind without costs does not mind the deadline.
    """

    pool: ConnectionPool
    kinds: ServedKinds
    settings: Settings
    costs: Mapping[str, Costs] = field(default_factory=dict)


def run_challenge(
    challenge: Challenge, state: ProcessState, timeline: Timeline, scope: CancelScope | None = None
) -> Answer:
    """Answer one challenge; download, decoding and inference run at the same time.

    Args:
        challenge: What to answer, and until when.
        state: Pool, kinds and settings of this process.
        timeline: Gets every stage.
        scope: Cancel it from another thread to give up; one is made when none is given.

    Raises:
        ChallengeError: Typed, before the deadline; no thread or half-read response is left behind.
    """
    scope = scope or CancelScope()
    deadline = Deadline.from_epoch(challenge.deadline)
    timeline.add_queue(challenge.submitted_at)
    if deadline.check("queue") < RESERVE_S:
        raise DeadlineExceeded(
            f"{deadline.remaining():.2f} s are left, too few for any answer", stage="queue"
        )
    settings = state.settings
    served = state.kinds.get(challenge.kind)
    pool = state.pool if settings.use_connection_pool else ConnectionPool(settings)
    try:
        for beginning in range(1, MAX_BEGINNINGS + 1):
            try:
                return _answer(challenge, served, state, timeline, scope, deadline, pool, beginning)
            except SourceChanged:
                if beginning == MAX_BEGINNINGS:
                    raise
                timeline.note(beginnings=beginning + 1)
        raise AssertionError("the last beginning returns or raises")
    finally:
        scope.cancel()
        if pool is not state.pool:
            pool.close()


def _answer(
    challenge: Challenge,
    served: ServedKind,
    state: ProcessState,
    timeline: Timeline,
    whole: CancelScope,
    deadline: Deadline,
    pool: ConnectionPool,
    beginning: int,
) -> Answer:
    """Answer from the beginning; the first time with all connections, then with one."""
    scope, settings = CancelScope(), state.settings
    whole.on_cancel(scope.cancel)
    source: Download | Pictures
    if challenge.video_url:
        source = Download(
            pool,
            challenge.video_url,
            settings,
            deadline,
            scope,
            timeline,
            sparse=settings.frame_profile == "keyframes",
            use_range_connections=beginning == 1,
        )
    else:
        source = Pictures(pool, challenge.pictures, settings, deadline, scope, timeline)
    try:
        return _Work(challenge, served, state, timeline, scope, deadline, source).answer()
    finally:
        scope.cancel()
        # one that still opens a connection ends with its time-out, and no answer waits for that
        source.join(min(1.0, max(0.0, deadline.remaining() - PUBLISH_S)))


class _Work:
    """The state of one challenge while it is being worked on."""

    def __init__(
        self,
        challenge: Challenge,
        served: ServedKind,
        state: ProcessState,
        timeline: Timeline,
        scope: CancelScope,
        deadline: Deadline,
        source: Download | Pictures,
    ) -> None:
        self._challenge = challenge
        self._served = served
        self._settings = state.settings
        self._costs = state.costs.get(challenge.kind)
        self._timeline = timeline
        self._scope = scope
        self._deadline = deadline
        self._source = source
        self._sampled = 0
        self._slowest_s = 0.0
        self._assembly: Assembly[Any]

    def answer(self) -> Answer:
        started = time.perf_counter()
        timeline = self._timeline
        kind, predictor, slots = self._served.kind, self._served.predictor, self._served.slots
        clip = self._open()
        granted = self._challenge.deadline - self._challenge.submitted_at
        left = available(granted, self._deadline.remaining(), self._settings.time_budget_s, RESERVE_S)
        choice = choose(kind, clip, self._settings, self._costs, left)
        plan, box, settings = choice.plan, choice.box, choice.settings
        timeline.note(
            frames=clip.count,
            size=f"{clip.width}x{clip.height}",
            plan=choice.name,
            stride=plan.stride,
            reader=clip.reader,
        )
        self._source.restrict_to(needed_bytes(clip.index, plan))
        self._assembly = kind.assemble(self._challenge, clip, plan, settings, predictor)
        if isinstance(self._served.loaded, TimesModels):
            self._served.loaded.take_model_runs()  # those of the keep-warm thread do not count

        def predict(batch: Sequence[Frame]) -> Sequence[Any]:
            begin = time.perf_counter()
            with timeline.span("inference"):
                results = predictor.predict(batch, box)
            timeline.count("batches")
            self._slowest_s = max(self._slowest_s, (time.perf_counter() - begin) / len(batch))
            timeline.mark("first_detections")
            return results

        schedule = BatchSchedule(settings.first_batch_size, settings.batch_size, plan.sampled_count, slots)
        work = OrderedExecutor(predict, self._take, slots, self._scope)
        frames = Prefetcher(
            self._timed_frames(clip, plan, box), 2 * settings.batch_size, self._scope, "touchline-decode"
        )
        try:
            partial = self._infer(frames, schedule, work)
        finally:
            self._scope.cancel()
            loaded = self._served.loaded
            work.close(loaded.interrupt if isinstance(loaded, Interruptible) else None)
            frames.join(5.0)
            self._note_models()
        self._note_clip(clip, partial)
        with timeline.span("fill"):
            timeline.note(**self._assembly.fill())
        with timeline.span("encode"):
            body = self._assembly.encode(time.perf_counter() - started)
        timeline.note(answer_bytes=len(body))
        return Answer(self._challenge.challenge_id, body, partial, timeline.to_dict())

    def _take(self, results: Sequence[Any]) -> None:
        """Results go into the answer while later frames are still being decoded and inferred."""
        with self._timeline.span("track"):
            self._assembly.add(results)
        self._sampled += len(results)

    def _open(self) -> Clip:
        source = self._source
        if isinstance(source, Pictures):
            return source.open(self._settings.max_frames, self._settings.max_pixels)
        stream = source.start()
        if not self._settings.chunked_streaming:
            stream.wait_complete()
        limits = DecodeLimits(
            max_frames=self._settings.max_frames,
            max_pixels=self._settings.max_pixels,
            threads=self._settings.decode_threads,
            allow_cut=self._settings.partial_download,
            min_start_bytes=self._settings.stream_min_start_bytes,
            start_timeout_s=self._settings.stream_buffer_timeout_s,
        )
        clip = self._opened(stream, limits)
        self._timeline.mark("index")
        return clip

    def _opened(self, stream: ByteStream, limits: DecodeLimits) -> Clip:
        if not self._settings.use_nvdec:
            return open_clip(stream, limits)
        choice = choose_decoder(choose_device(self._settings.device))
        clip, choice = open_clip_on(choice, stream, limits)
        self._timeline.note(decoder=str(choice))
        return clip

    def _timed_frames(self, clip: Clip, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        """The decode stage, timed; busy is what its threads computed, not what they waited for."""
        timeline = self._timeline
        items = clip.frames(plan, box)
        while True:
            start, busy = timeline.now(), clip.stats.busy_s
            frame = next(items, None)
            timeline.add("decode", start, timeline.now(), clip.stats.busy_s - busy)
            if frame is None:
                return
            timeline.mark("first_frame")
            yield frame

    def _infer(
        self, frames: Prefetcher[Frame], schedule: BatchSchedule, work: OrderedExecutor[Sequence[Frame], Any]
    ) -> bool:
        """Batch and infer until the frames end; whether time, or the download, ended before they did."""
        timeline = self._timeline
        limit = self._deadline.remaining() - RESERVE_S
        if self._settings.time_budget_s:
            limit = min(limit, self._settings.time_budget_s - timeline.now())
        end = timeline.now() + limit
        begun = ended = late = broken = False
        while not (ended or late or broken):
            batch: list[Frame] = []
            size = schedule.next()
            while len(batch) < size and not (ended or late or broken):
                try:
                    batch.append(frames.get(end - timeline.now()))
                except StopIteration:
                    ended = True
                except TimedOut:
                    late = True
                except SourceChanged:
                    raise
                except TransportError as error:
                    if not (begun or batch):
                        raise
                    # half a clip scores more than none; the front end sees `partial` and may ask again
                    timeline.note(broke_off=str(error))
                    broken = True
            if batch and (not late or not begun or len(batch) * self._slowest_s <= LAST_BATCH_S):
                work.submit(batch)
                begun = True
            late = late or (not ended and timeline.now() >= end)
        work.drain()
        if not begun:
            if late:
                raise DeadlineExceeded("no frame could be inferred before the deadline", stage="inference")
            raise CorruptVideo("no sampled frame of the video could be decoded")
        return late or broken

    def _note_models(self) -> None:
        """Each model's calls as a stage of its own, where the predictor tells them."""
        if isinstance(self._served.loaded, TimesModels):
            for run in self._served.loaded.take_model_runs():
                start, end = self._timeline.at(run.start), self._timeline.at(run.end)
                self._timeline.add(f"inference_{run.model}", start, end)

    def _note_clip(self, clip: Clip, partial: bool) -> None:
        if partial and clip.count is None:
            # the length is known only to the end of the file, which was not reached
            clip.stats.count = clip.stats.decoded
        if clip.stats.index_disagrees:
            self._timeline.note(reader=clip.reader, index_disagrees=clip.stats.index_disagrees)
        self._timeline.note(
            frames=clip.stats.count,
            sampled=self._sampled,
            decoded=clip.stats.decoded,
            dropped_packets=clip.stats.dropped,
            damaged_packets=clip.stats.damaged,
            partial=partial,
        )

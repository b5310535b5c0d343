"""Every error that a challenge can end in, and how a failure travels.

    TouchlineError
    ├── SettingsError                 a setting has a value that is not allowed; stops the start
    ├── ReportFailed                  a report cannot be made from what was given, or not be written
    ├── ChainUnreadable               the chain, or a file with a snapshot of it, could not be read
    ├── StartFailed                   a part of the system (server, worker, Flower) did not come up
    │   ├── BrokenPlugin              a plug-in cannot be found, loaded or used; stops the start
    │   └── MissingExtra              a command needs packages that this installation was made without
    └── ChallengeError                carries `stage`, `retryable`; always becomes a reply
        ├── InvalidChallenge          the message is not a challenge (wrong types, nothing to look at)
        │   └── UnsupportedKind       of a kind that this deployment does not serve
        ├── DeadlineExceeded          it cannot, or could not, be answered in time
        ├── Cancelled                 somebody no longer wants the answer
        ├── WorkerLost                the process that worked on it died
        ├── QueueUnavailable          Redis could not be reached
        │   └── QueueFull             too many challenges wait
        ├── TransportError
        │   ├── ConnectFailed         name, TCP or TLS did not come up
        │   ├── StreamStalled         the origin went silent or broke off
        │   ├── SourceRejected        the origin answered, but not with the video (404, 403, ...)
        │   ├── SourceChanged         the file became another one while it was fetched
        │   └── UrlRefused            our own guard does not allow this URL
        ├── VideoError
        │   ├── UnsupportedVideo      not a video, or one that we do not decode
        │   ├── CorruptVideo          a video that is damaged, cut off, or has no frames
        │   └── TooLarge              more bytes, pixels or frames than the limits allow
        └── InferenceError
            ├── ModelNotReady         a model file is missing or does not fit
            ├── OutOfDeviceMemory     the batch does not fit the device
            └── DeviceLost            the device failed; the process must be replaced

Errors of other libraries are mapped to these where they enter (download/, video/, inference/), nowhere else.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TouchlineError(Exception):
    """Base of everything that this project raises on purpose."""


class SettingsError(TouchlineError):
    """A setting has a value that is not allowed. The text names variable, value and what is allowed."""


class ReportFailed(TouchlineError):
    """A report cannot be made. The text says what was wrong with what was given."""


class ChainUnreadable(TouchlineError):
    """The chain, or a file with a snapshot of it, could not be read. The text says which, and why."""


class StartFailed(TouchlineError):
    """A part of the system did not come up, or ended. The text says which, why, and what to do."""


class BrokenPlugin(StartFailed):
    """A plug-in cannot be found, loaded or used. The text names the distribution that it came from."""


class MissingExtra(StartFailed):
    """A command needs packages that this installation was made without. The text says what to install."""


class ChallengeError(TouchlineError):
    """A challenge that ends without an answer.

    Args:
        message: What happened and what to do, in one sentence.
        stage: The stage of the timeline in which it happened, or what else was being done: `accept`,
            `warmup`, `worker`, `pipeline`, `deadline`, `cancel`, `reply`, `gateway`; the class has a default.
        retryable: Whether the same challenge may succeed when it is sent again; the class has a default.

    Attributes:
        timeline: The stages up to the failure, as far as they are known.
    """

    default_stage: ClassVar[str] = "challenge"
    default_retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, stage: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.stage = self.default_stage if stage is None else stage
        self.retryable = self.default_retryable if retryable is None else retryable
        self.timeline: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, stage={self.stage!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return error_from_wire, (error_to_wire(self),)


class InvalidChallenge(ChallengeError):
    """The message is not a challenge that this deployment answers."""

    default_stage = "accept"


class UnsupportedKind(InvalidChallenge):
    """A challenge of a kind that this deployment does not serve. The text lists what it serves."""


class DeadlineExceeded(ChallengeError):
    """The deadline has passed, or what is left of it cannot be enough."""

    default_stage = "deadline"


class Cancelled(ChallengeError):
    """The work was cancelled from outside."""

    default_stage = "cancel"


class WorkerLost(ChallengeError):
    """The worker process died while it worked on the challenge."""

    default_stage = "worker"
    default_retryable = True


class QueueUnavailable(ChallengeError):
    """Redis could not be reached, so the challenge was not enqueued or its reply not read."""

    default_stage = "queue"
    default_retryable = True


class QueueFull(QueueUnavailable):
    """So many challenges wait that another could not be answered in time; it was not enqueued."""


class TransportError(ChallengeError):
    """The bytes did not come."""

    default_stage = "download"
    default_retryable = True


class ConnectFailed(TransportError):
    """Name resolution, TCP or TLS did not come up."""

    default_stage = "connect"


class StreamStalled(TransportError):
    """The origin went silent or broke the stream off."""


class SourceRejected(TransportError):
    """The origin answered with a status that is not the video.

    Args:
        message: As in every error.
        stage: As in every error.
        retryable: As in every error.
        retry_after_s: Seconds after which the origin asks to be asked again, where it says so.
    """

    default_retryable = False

    def __init__(
        self,
        message: str,
        *,
        stage: str | None = None,
        retryable: bool | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, stage=stage, retryable=retryable)
        self.retry_after_s = retry_after_s


class SourceChanged(TransportError):
    """The resource became another one while it was fetched; parts of the two are never put together."""


class UrlRefused(TransportError):
    """The guard does not allow this URL (scheme, host, address, port or redirect)."""

    default_stage = "accept"
    default_retryable = False


class VideoError(ChallengeError):
    """The bytes are not a video that can be answered."""

    default_stage = "decode"


class UnsupportedVideo(VideoError):
    """Not a video, or a format that is not decoded here."""


class CorruptVideo(VideoError):
    """A damaged or cut-off video, or one without frames."""


class TooLarge(VideoError):
    """More bytes, pixels or frames than the limits allow."""


class InferenceError(ChallengeError):
    """The models could not do their work."""

    default_stage = "inference"


class ModelNotReady(InferenceError):
    """A model file is missing, unreadable, or does not fit what it is used for."""

    default_stage = "warmup"


class OutOfDeviceMemory(InferenceError):
    """The batch does not fit into the device's memory; lower BATCH_SIZE or IMG_SIZE."""


class DeviceLost(InferenceError):
    """The device failed; the process ends so that a clean one takes over."""

    default_retryable = True


def _tree(root: type[ChallengeError]) -> dict[str, type[ChallengeError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


ERROR_TYPES: dict[str, type[ChallengeError]] = _tree(ChallengeError)


def error_to_wire(error: ChallengeError) -> dict[str, Any]:
    """Describe an error as plain data, for a reply or a log line."""
    return {
        "type": type(error).__name__,
        "message": error.message,
        "stage": error.stage,
        "retryable": error.retryable,
    }


def error_from_wire(data: dict[str, Any]) -> ChallengeError:
    """Build the error that `error_to_wire` described; an unknown type becomes a plain `ChallengeError`."""
    kind = ERROR_TYPES.get(str(data.get("type")), ChallengeError)
    return kind(
        str(data.get("message", "unknown error")),
        stage=str(data.get("stage", kind.default_stage)),
        retryable=bool(data.get("retryable", kind.default_retryable)),
    )

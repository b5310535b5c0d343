"""Settings of the queue and of the worker."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from services.settings.redis_url import check_redis_url


class QueueSettings(BaseSettings, defer_build=True):
    """Settings of the queue and of the worker."""

    redis_url: str | None = Field(
        None,
        pattern=r"^(rediss?|unix|redis\+sentinel)://.+",
        description="The Redis or Valkey server: `redis://`, `rediss://` (TLS), `unix://`, or "
        "`redis+sentinel://HOST:PORT,HOST:PORT/NAME` for the primary that Sentinels name. `touchline up` "
        "starts an embedded Valkey when it is unset.",
    )
    queue_name: str = Field(
        "touchline", pattern=r"^[\w.:-]{1,64}$", description="Celery queue of the challenges."
    )
    default_deadline_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Deadline of a challenge that names none, in seconds from submission.",
    )
    max_queue: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Maximum number of waiting challenges; a further one is refused at submission.",
    )
    reply_ttl_s: int = Field(
        300,
        ge=10,
        le=86_400,
        description="Seconds for which a reply is kept in Redis: until its caller takes it, and for callers "
        "that submit the same challenge again.",
    )
    worker_concurrency: int = Field(
        1, ge=1, le=64, description="Child processes of one worker on one device; for several GPUs see GPUS."
    )
    spare_children: int = Field(
        0,
        ge=0,
        le=8,
        description="Warm child processes beyond WORKER_CONCURRENCY, which take over as soon as another one "
        "is lost. Each takes the memory of one more set of models. Not with GPUS.",
    )
    worker_start_timeout_s: int = Field(
        180,
        ge=5,
        le=3600,
        description="Maximum time a child may take to start (imports, models, warm-up), in seconds.",
    )
    memory_headroom_mb: int = Field(
        4096,
        ge=0,
        le=1_000_000,
        description="Memory that a child may take for a challenge on top of what it has when it is warm, in "
        "MB; a file that unfolds to more ends in an error. 0: no limit.",
    )
    state_dir: str = Field(
        "/tmp/touchline",
        min_length=1,
        description="Folder in which workers mark that they are ready and lock their devices.",
    )

    @field_validator("redis_url")
    @classmethod
    def _redis_url_is_understood(cls, value: str | None) -> str | None:
        return None if value is None else check_redis_url(value)

"""Every setting of the system, in one place. No other module reads the environment.

Names are those that operators already use (`FRAME_STRIDE`, `BATCH_SIZE`, ...), then ours. Values come
from the environment or a `.env` file in the working directory; the environment wins.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.errors import SettingsError
from services.settings.messages import describe_problem

DEVICE_PATTERN = r"^(auto|cpu|mps|cuda(:\d{1,2})?)$"
CsvList = Annotated[tuple[str, ...], NoDecode]


DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
"""Where clients look, and where `touchline up` puts its embedded server, when REDIS_URL is unset."""


BUNDLED = "bundled"
"""The predictor that ships with the project, as PREDICTOR names it."""

DETECTED_CLASSES = ("ball", "goalkeeper", "player", "referee", "none")
"""What CLASS_MAP may call a class: those of the wire by their ids, then none of them."""


class Settings(BaseSettings):
    """The settings; each field's description is its documentation (docs/reference/settings.md)."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # -- what operators already set -------------------------------------------------------------
    use_connection_pool: bool = Field(
        True, description="Keep one warmed HTTP/2 pool per process. 0 opens a fresh connection per challenge."
    )
    chunked_streaming: bool = Field(
        True, description="Decode while downloading. 0 waits for the last byte before the first frame."
    )
    partial_download: bool = Field(
        False,
        description="Use only the first PARTIAL_DOWNLOAD_MB of the clip. Costs most of the score: "
        "frames past the cut are extrapolated.",
    )
    partial_download_mb: float = Field(4.0, gt=0, le=1024, description="Megabytes used by PARTIAL_DOWNLOAD.")
    stream_min_start_bytes: int = Field(
        262_144, ge=0, le=64 << 20, description="Bytes to have before a file without an index is probed."
    )
    stream_buffer_timeout_s: float = Field(
        0.1, ge=0, le=60, description="Longest wait, in seconds, for STREAM_MIN_START_BYTES."
    )
    img_size: int = Field(
        384, ge=32, le=2048, description="Longer side of the picture that the models see, in pixels."
    )
    batch_size: int = Field(
        16, ge=1, le=1024, description="Most frames per batch; 64 suits a GPU, 16 keeps two CPU cores busy."
    )
    frame_stride: int = Field(
        6,
        ge=1,
        le=250,
        description="Every n-th frame is decoded and inferred; "
        "the frames between are filled from tracks and camera motion.",
    )
    frame_profile: Literal["every", "snap", "keyframes"] = Field(
        "every",
        description="Which frames are taken. every: each FRAME_STRIDE-th. snap: the nearest to it "
        "that is no B-frame. keyframes: those that stand alone in the file, at least FRAME_STRIDE apart.",
    )
    pitch_stride: int = Field(
        1,
        ge=1,
        le=25,
        description="Every n-th inferred frame is looked at for keypoints; "
        "the camera is interpolated between them.",
    )
    time_budget_s: float = Field(
        0.0,
        ge=0,
        le=600,
        description="Plan for this many seconds, and stop inferring after them and fill the rest "
        " (marked `partial`). "
        "0 leaves the cut to the deadline alone: the whole clip, the same answer every time.",
    )
    inference_cost_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="Milliseconds per inferred frame, by which a deadline may bring a coarser plan; "
        "0: measured at the start; set it to plan the same on every machine.",
    )
    decode_cost_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="The same per decoded frame of 1280x720.",
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="auto, cpu, cuda, cuda:N or mps. auto takes CUDA where there is one.",
    )
    gpus: str | None = Field(
        None,
        pattern=r"^(all|\d{1,2}(,\d{1,2})*)$",
        description="One child process for each of these GPUs: `all`, or numbers as 0,1,3; "
        "WORKER_CONCURRENCY is not looked at then. With DEVICE=cpu the children share the CPU. "
        "Not run on GPUs yet.",
    )
    use_nvdec: bool = Field(
        False,
        description="Decode on the GPU, where the models run on CUDA and torchcodec is installed (the extra "
        "nvdec); else on the CPU, and the worker's log says why. Not run on a GPU yet.",
    )
    conf_threshold: float = Field(0.35, gt=0, lt=1, description="Least confidence of a detected box.")
    max_detections: int = Field(150, ge=1, le=1000, description="Most boxes kept per frame.")
    disable_tracking: bool = Field(
        False,
        description="No tracks: every box keeps its own id and frames between samples repeat the nearest.",
    )
    skip_pitch: bool = Field(
        False, description="Do not load or run the keypoint model; all keypoints are absent."
    )

    # -- queue ------------------------------------------------------------------------------------
    redis_url: str | None = Field(
        None,
        pattern=r"^(rediss?|unix)://.+",
        description="The Redis or Valkey server. `touchline up` starts an embedded Valkey when it is unset.",
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
        100, ge=1, le=100_000, description="Challenges waiting before a further one is refused at submission."
    )
    reply_ttl_s: int = Field(
        300, ge=10, le=86_400, description="Seconds that an uncollected reply is kept in Redis."
    )
    worker_concurrency: int = Field(
        1, ge=1, le=64, description="Child processes of one worker, on one device; for several GPUs: GPUS."
    )
    worker_start_timeout_s: int = Field(
        180, ge=5, le=3600, description="Longest start of a child (imports, models, warm-up), in seconds."
    )
    state_dir: str = Field(
        "/tmp/touchline", min_length=1, description="Folder for the ready markers of the workers."
    )

    # -- challenge kinds ------------------------------------------------------------------------------
    served_kinds: CsvList = Field(
        ("gsr",),
        description="Challenge kinds that are answered, comma-separated; each is warmed at the start. "
        "`touchline kinds` lists what is installed.",
    )
    predictor: CsvList = Field(
        (BUNDLED,),
        description="What looks at the frames: `bundled`, or the name of an installed plug-in; "
        "`kind=name,kind=name` where kinds differ.",
    )

    # -- download -----------------------------------------------------------------------------------
    origins: CsvList = Field(
        ("https://scoredata.me/",),
        description="URLs, comma-separated, whose connections are opened at the start and kept warm; "
        "a lone comma means none.",
    )
    keepwarm_interval_s: float = Field(
        20.0,
        ge=0.05,
        le=3600,
        description="Seconds between two touches of an idle origin; below its idle time-out.",
    )
    connect_timeout_s: float = Field(
        5.0, gt=0, le=120, description="Longest set-up of a connection, in seconds."
    )
    stall_timeout_s: float = Field(5.0, gt=0, le=120, description="Longest silence of an origin, in seconds.")
    range_connections: int = Field(
        64,
        ge=0,
        le=128,
        description="Most extra connections, kept warm to each origin, over which a video comes in ranges: "
        "24 on an ordinary way, more from a round trip of 100 ms on. 0: none.",
    )
    range_min_rtt_ms: float = Field(
        10.0,
        ge=0,
        le=10_000,
        description="Least round trip to an origin at which RANGE_CONNECTIONS are opened; "
        "close by they save nothing.",
    )
    reuse_probe_s: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Longest wait for the first byte on a reused connection before a fresh one is tried.",
    )
    allowed_hosts: CsvList = Field(
        ("*",),
        description="Hosts that may be fetched from, comma-separated; `*.name`: its subdomains, `*`: all.",
    )
    allow_private_addresses: bool = Field(
        False,
        description="Fetch from loopback, private and link-local addresses (tests, a mirror close by).",
    )
    allow_http: bool = Field(False, description="Accept http:// URLs besides https://.")
    max_redirects: int = Field(
        3, ge=0, le=20, description="Redirects followed; each target is checked like the URL."
    )
    max_video_mb: float = Field(256.0, gt=0, le=4096, description="Largest body accepted, in MB.")
    ca_file: str | None = Field(
        None,
        validation_alias=AliasChoices("ca_file", "SSL_CERT_FILE"),
        description="PEM file of the authorities trusted instead of the bundled ones (also SSL_CERT_FILE).",
    )
    user_agent: str = Field(
        "touchline/0.1", min_length=1, max_length=200, description="User-Agent of all requests."
    )

    # -- video ----------------------------------------------------------------------------------------
    max_frames: int = Field(20_000, ge=1, le=1_000_000, description="Longest clip accepted, in frames.")
    max_pixels: int = Field(
        3840 * 2160, ge=64 * 64, le=8192 * 8192, description="Largest picture accepted, width times height."
    )
    decode_threads: int = Field(
        0, ge=0, le=64, description="Decoder threads; 0 takes one per core, at most 4."
    )

    # -- models -----------------------------------------------------------------------------------------
    detector_model: str = Field(
        "touchline-detect",
        min_length=1,
        description="Detector: a bundled name, the path of any model that ultralytics loads, or "
        "`hf:owner/repo/file.pt@commit` on a model hub.",
    )
    pitch_model: str = Field(
        "touchline-pitch",
        min_length=1,
        description="32-keypoint pitch model, named like DETECTOR_MODEL: a pose model with 32 keypoints, "
        "or a detector with the classes kp01 to kp32.",
    )
    ball_model: str | None = Field(
        None,
        min_length=1,
        description="A detector, named like DETECTOR_MODEL, whose balls replace those of DETECTOR_MODEL.",
    )
    ball_search: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Kinds gsr, tv_predict and, by rule, soccer_action: look for the ball once more with a "
        "small network, in inferred frames and in those between that are decoded in any case. auto: with the "
        "bundled detector only, since the network has seen rendered pictures alone.",
    )
    class_map: CsvList = Field(
        (),
        description="What the detector's classes are, where their names do not say it: "
        "`cls0=player,staff=none` (ball, goalkeeper, player, referee, none), comma-separated.",
    )
    model_cache_dir: str = Field(
        "~/.cache/touchline",
        min_length=1,
        description="Folder of downloaded models and of those exported for this machine; "
        "Docker keeps it in a volume.",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co", pattern=r"^https?://.+", description="The hub that `hf:` models come from."
    )
    hf_token: str | None = Field(
        None, min_length=1, max_length=400, description="Token for models that the hub gives to you alone."
    )
    allow_unpinned_models: bool = Field(
        False,
        description="Load `hf:` models that name neither a commit nor a checksum. Their content may be "
        "exchanged by others, and loading a .pt runs what it contains.",
    )
    pitch_conf_threshold: float = Field(0.35, gt=0, lt=1, description="Least confidence of a pitch keypoint.")
    first_batch_size: int = Field(
        1, ge=1, le=1024, description="Frames of the first batch, so that inference starts early."
    )
    runtime: Literal["auto", "torch", "openvino", "tensorrt"] = Field(
        "auto",
        description="What models run in. auto: on a CPU OpenVINO (a .pt is exported at the first start), on "
        "CUDA a TensorRT engine that was made before; else torch. tensorrt makes the engine at the start, "
        "which takes minutes once; not run on a GPU yet.",
    )
    inference_slots: int = Field(
        0,
        ge=0,
        le=64,
        validation_alias=AliasChoices("inference_slots", "INFERENCE_LANES"),
        description="Batches that run at once under OpenVINO; 0: one for each core.",
    )
    torch_threads: int = Field(
        0, ge=0, le=256, description="CPU threads of each model; 0 shares the cores among what runs at once."
    )
    half: bool = Field(
        True, description="Half precision on CUDA; the CPU always computes in single precision."
    )

    # -- observing --------------------------------------------------------------------------------------
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level of log lines."
    )
    flower_port: int = Field(5555, ge=1, le=65_535, description="Port of Flower under `touchline up`.")
    flower_basic_auth: str | None = Field(
        None, pattern=r"^[^:]+:.+$", description="user:password that Flower asks for."
    )

    @field_validator("origins", "allowed_hosts", "served_kinds", "predictor", "class_map", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _gpus_fit_device(self) -> Self:
        if self.gpus is not None and self.device not in ("auto", "cuda", "cpu"):
            raise ValueError(
                f"GPUS={self.gpus} names the devices already: DEVICE={self.device} contradicts it"
            )
        if len(set(self.listed_gpus)) != len(self.listed_gpus):
            raise ValueError(f"GPUS={self.gpus} names a device twice")
        return self

    @property
    def second_ball_pass(self) -> bool:
        """Whether BALL_SEARCH comes to on."""
        bundled = type(self).model_fields["detector_model"].default
        own = self.detector_model == bundled and self.ball_model is None
        return self.ball_search == "on" or (self.ball_search == "auto" and own)

    @property
    def listed_gpus(self) -> tuple[int, ...]:
        """The numbers in GPUS; none for `all` and when it is unset."""
        return () if self.gpus in (None, "all") else tuple(int(part) for part in self.gpus.split(","))

    @field_validator("served_kinds")
    @classmethod
    def _kinds_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one kind, and none twice")
        return value

    @field_validator("predictor")
    @classmethod
    def _one_predictor_for_each(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kinds = [part.partition("=")[0].strip() if "=" in part else "" for part in value]
        if not value or len(set(kinds)) < len(kinds) or any(part.endswith("=") for part in value):
            raise ValueError(
                "one name for all kinds, or kind=name for some and at most one name for the rest"
            )
        unserved = sorted(set(kinds) - {"", *info.data.get("served_kinds", kinds)})
        if unserved:
            raise ValueError(f"SERVED_KINDS does not name {', '.join(unserved)}")
        return value

    def predictor_for(self, kind: str) -> str:
        """The name in PREDICTOR that goes with a kind; `bundled` where none does."""
        named = {head.strip(): name.strip() for head, sign, name in map(_halves, self.predictor) if sign}
        rest = next((part for part in self.predictor if "=" not in part), BUNDLED)
        return named.get(kind, rest)

    @property
    def uses_bundled(self) -> bool:
        """Whether a served kind takes the bundled predictor, and with it DETECTOR_MODEL and PITCH_MODEL."""
        return any(self.predictor_for(kind) == BUNDLED for kind in self.served_kinds)

    @property
    def broker_url(self) -> str:
        """`redis_url`, or the default when it is unset."""
        return self.redis_url or DEFAULT_REDIS_URL

    @field_validator("class_map")
    @classmethod
    def _classes_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            name, separator, wanted = item.rpartition("=")
            if not separator or not name.strip() or wanted.strip() not in DETECTED_CLASSES:
                raise ValueError(f"{item!r} is not `name=class`, class being {', '.join(DETECTED_CLASSES)}")
        return value

    @field_validator("origins")
    @classmethod
    def _origins_are_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("https://", "http://")):
                raise ValueError(f"{url!r} is not an http(s) URL")
        return value


def _halves(text: str) -> tuple[str, str, str]:
    return text.partition("=")


def load_settings(**overrides: Any) -> Settings:
    """Read and check all settings.

    Args:
        **overrides: Values that win over environment and `.env`, by field name.

    Raises:
        SettingsError: A value is not allowed; the text names each variable, its value and what is allowed.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [describe_problem(problem, Settings.model_fields) for problem in error.errors()]
        hint = "Allowed values: docs/reference/settings.md, or `touchline doctor`."
        raise SettingsError(
            "These settings are not allowed:\n  " + "\n  ".join(lines) + f"\n{hint}"
        ) from error


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()

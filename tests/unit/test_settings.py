import pytest

from services.errors import SettingsError
from services.settings import Settings, get_settings, load_settings
from services.settings.cautions import cautions
from services.settings.messages import variable_name


@pytest.fixture(autouse=True)
def clean_environment(tmp_path, monkeypatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_name(field), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("FRAME_STRIDE", "0", "whole number, at least 1, at most 250"),
        ("FRAME_STRIDE", "six", "whole number, at least 1, at most 250"),
        ("BATCH_SIZE", "1.5", "whole number, at least 1, at most 1024"),
        ("CONF_THRESHOLD", "nan", "number, above 0, below 1"),
        ("CONF_THRESHOLD", "1", "number, above 0, below 1"),
        ("TIME_BUDGET_S", "inf", "number, at least 0, at most 600"),
        ("USE_CONNECTION_POOL", "maybe", "0 or 1"),
        ("DEVICE", "gpu", "text matching"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING, ERROR"),
        ("REDIS_URL", "localhost:6379", "text matching"),
        ("QUEUE_NAME", "two words", "text matching"),
        ("ORIGINS", "ftp://example.org/", "comma-separated list"),
        ("USE_NVDEC", "perhaps", "0 or 1"),
        ("SERVED_KINDS", ",", "comma-separated list"),
        ("SERVED_KINDS", "gsr,gsr", "comma-separated list"),
        ("PREDICTOR", "one,two", "comma-separated list"),
        ("PREDICTOR", "gsr=", "comma-separated list"),
        ("PREDICTOR", "chess=deep-blue", "SERVED_KINDS does not name chess"),
        ("USER_AGENT", "x" * 201, "text of 1 to 200 characters"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert f"{name}=" in message
    assert value in message
    assert allowed in message


def test_all_wrong_values_are_named_at_once(monkeypatch) -> None:
    monkeypatch.setenv("FRAME_STRIDE", "0")
    monkeypatch.setenv("BATCH_SIZE", "0")
    with pytest.raises(SettingsError, match=r"(?s)FRAME_STRIDE.*BATCH_SIZE|BATCH_SIZE.*FRAME_STRIDE"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("REDIS_URL", "http://user:hunter2@example.org"), ("FLOWER_BASIC_AUTH", "hunter2")],
)
def test_messages_hide_passwords(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_environment_wins_over_the_file_and_empty_counts_as_unset(tmp_path, monkeypatch) -> None:
    (tmp_path / ".env").write_text("FRAME_STRIDE=3\nBATCH_SIZE=8\nIMG_SIZE=\nUNKNOWN=1\n")
    monkeypatch.setenv("FRAME_STRIDE", "12")
    settings = load_settings()
    assert (settings.frame_stride, settings.batch_size, settings.img_size) == (12, 8, 1024)


def test_lists_are_split_at_commas(monkeypatch) -> None:
    monkeypatch.setenv("ORIGINS", "https://a.example/, https://b.example/,")
    assert load_settings().origins == ("https://a.example/", "https://b.example/")


def test_the_ca_file_has_its_usual_name_too(monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ca.pem")
    assert load_settings().ca_file == "/etc/ca.pem"


def test_overrides_win(monkeypatch) -> None:
    monkeypatch.setenv("FRAME_STRIDE", "12")
    assert load_settings(frame_stride=2).frame_stride == 2


def test_settings_are_read_once_and_frozen() -> None:
    get_settings.cache_clear()
    try:
        assert get_settings() is get_settings()
        with pytest.raises(ValueError, match="frozen"):
            get_settings().frame_stride = 2  # type: ignore[misc]
    finally:
        get_settings.cache_clear()


@pytest.mark.parametrize(
    "name", ["USE_NVDEC=1", "PARTIAL_DOWNLOAD=1", "CHUNKED_STREAMING=0", "TIME_BUDGET_S=1.5"]
)
def test_what_is_allowed_but_costs_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert cautions(load_settings(_env_file=None)) == []
    variable, _, value = name.partition("=")
    monkeypatch.setenv(variable, value)
    found = cautions(load_settings(_env_file=None))
    assert [caution.split(":")[0] for caution in found] == [name]


def test_a_predictor_for_each_kind() -> None:
    settings = load_settings(served_kinds="gsr,soccer_action", predictor="soccer_action=spotter")
    assert settings.predictor_for("gsr") == "bundled"
    assert settings.predictor_for("soccer_action") == "spotter"
    assert settings.uses_bundled
    assert not load_settings(predictor="mine").uses_bundled
    assert load_settings(predictor="mine").predictor_for("gsr") == "mine"


@pytest.mark.parametrize(
    ("wanted", "second_pass", "fine"),
    [
        ({}, True, True),
        ({"detector_model": "touchline-detect-rendered"}, True, False),
        ({"detector_model": "own.pt"}, False, False),
        ({"ball_model": "own.pt"}, False, False),
        ({"detector_model": "own.pt", "ball_search": "on"}, True, True),
        ({"detector_model": "touchline-detect-rendered", "ball_search": "on"}, True, True),
        ({"ball_search": "off"}, False, False),
    ],
)
def test_the_ball_is_searched_with_the_bundled_detectors(
    wanted: dict[str, str], second_pass: bool, fine: bool
) -> None:
    settings = load_settings(**wanted)
    assert settings.second_ball_pass is second_pass
    assert settings.fine_ball_detector is fine

from services.settings import Settings
from services.settings.messages import variable_name
from touchline_lab.settings_reference import FILES, GROUPS, env_example, outdated


def test_the_committed_files_are_what_the_settings_render_to() -> None:
    assert outdated() == [], "run `make settings`"


def test_every_file_names_every_setting() -> None:
    for name, render in FILES.items():
        text = render()
        missing = [field for field in Settings.model_fields if variable_name(field) not in text]
        assert not missing, name


def test_the_groups_name_fields_that_exist() -> None:
    assert set(GROUPS) <= set(Settings.model_fields)
    assert next(iter(Settings.model_fields)) in GROUPS


def test_the_example_with_every_line_uncommented_is_the_defaults(tmp_path, monkeypatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_name(field), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    lines = [
        line[1:] if line.startswith("#") and "=" in line.split()[0] else line
        for line in env_example().splitlines()
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    assert Settings() == Settings(_env_file=None)

"""Settings of challenge kinds and predictors."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from services.settings.constants import BUNDLED, CsvList


class KindSettings(BaseSettings, defer_build=True):
    """Settings of challenge kinds and predictors."""

    served_kinds: CsvList = Field(
        ("gsr",),
        description="Challenge kinds that are answered, comma-separated; each is loaded and warmed at the "
        "start. `touchline kinds` lists what is installed.",
    )
    predictor: CsvList = Field(
        (BUNDLED,),
        description="What turns sampled frames into results: `bundled`, or the name of an installed plug-in; "
        "`kind=name,kind=name` where kinds differ.",
    )

"""Whether a worker's models still have to be downloaded or exported; asked without loading torch."""

from __future__ import annotations

from services.errors import ModelNotReady
from services.inference.export_cache import ExportCache
from services.inference.hub_reference import PREFIX, HubReference
from services.inference.hub_store import HubStore
from services.inference.model_files import resolve_model, wanted_models
from services.inference.openvino_export import find_export
from services.inference.runtimes import QUANTISED, has_openvino
from services.settings import BUNDLED, Settings


def needs_preparing(settings: Settings) -> bool:
    """Whether something takes longer than a start of a worker's child may: it is done before there are any.

    What is wrong with a model is left to the child to say.
    """
    if all(settings.predictor_for(kind) != BUNDLED for kind in settings.served_kinds):
        return False
    try:
        return any(_needs_preparing(name, settings) for name in wanted_models(settings).values())
    except ModelNotReady:
        return False


def _needs_preparing(name: str, settings: Settings) -> bool:
    if name.startswith(PREFIX) and HubStore.from_settings(settings).find(HubReference.parse(name)) is None:
        return True
    path = resolve_model(name, "model", settings, fetch=False)
    on_cpu = settings.device in ("auto", "cpu") and settings.gpus is None
    if (
        not on_cpu
        or settings.runtime not in ("auto", "openvino")
        or path.suffix != ".pt"
        or path.with_suffix(QUANTISED).is_file()
        or not has_openvino()
    ):
        return False
    return find_export(path, ExportCache(settings.model_cache_folder / "openvino")) is None

"""From what a user wrote to the settings of a search: options, a preset, a stored run, and defaults, in this order."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from ..errors import UsageError, nearest
from ..metrics.settings import ScoreSettings, check_settings
from ..units import parse_count, parse_share
from .algorithms import find_algorithm
from .budget import Budget, parse_budget
from .limits import Limits
from .presets import find_preset
from .settings import BATCH_LINEAGES, CLOSED_FORM_LINEAGES, DEFAULT_EVALUATIONS, DEFAULT_VERIFY, SearchSettings
from .space import load_space, parse_space

_SCORE_OPTIONS = (
    "estimator",
    "convention",
    "norm",
    "alpha",
    "batch_size",
    "draws",
    "precision",
    "seed",
    "precision_mode",
    "device",
)


RULES = ("default", "none")


class Request(NamedTuple):
    """The options of `zen search` as they were written; None and () for those that were not."""

    space: str | None = None
    rules: str | None = None
    preset: str | None = None
    resolution: int | None = None
    num_classes: int | None = None
    max_params: str | None = None
    max_macs: str | None = None
    max_layers: str | None = None
    max_sublayers: str | None = None
    max_depth_width_ratio: float | None = None
    budget: tuple[str, ...] = ()
    patience: int | None = None
    algorithm: str | None = None
    population: int | None = None
    lineages: int | None = None
    proxy: str | None = None
    gap: str | None = None
    verify: int | None = None
    top: int | None = None
    estimator: str | None = None
    convention: str | None = None
    norm: str | None = None
    alpha: float | None = None
    batch_size: int | None = None
    draws: int | None = None
    precision: float | None = None
    seed: int | None = None
    precision_mode: str | None = None
    device: str | None = None


def check_request(request: Request, stored: SearchSettings | None = None) -> SearchSettings:
    """The settings that a request asks for.

    Args:
        request: what was written.
        stored: the settings of a run to go on with.

    Raises:
        UsageError: a value that cannot be, an unknown name, or a change to a stored run that would change the search.
        SpecError: a space that contradicts itself, or a resolution too small for it.
    """
    preset = find_preset(request.preset) if request.preset is not None else None
    if stored is None:
        base: dict[str, Any] = {
            "space_document": None,
            "resolution": 224 if preset is None else preset.resolution,
            "num_classes": 1000 if preset is None else preset.num_classes,
            "limits": Limits() if preset is None else preset.limits,
            "algorithm": "evolution",
        }
    else:
        base = {name: getattr(stored, name) for name in SearchSettings.model_fields if name != "schema_"}
    named = request.space or (preset.space if preset is not None and stored is None else None)
    if named is not None or base["space_document"] is None:
        space = load_space(named or "zennet-resnet")
        base["space_document"] = space.to_dict()
        if preset is None and stored is None and (network := space.made_for()):
            base |= {"resolution": network.resolution, "num_classes": network.num_classes}
    if preset is not None and stored is not None:
        base |= {"resolution": preset.resolution, "num_classes": preset.num_classes, "limits": preset.limits}
        base["space_document"] = load_space(preset.space).to_dict()
    if request.rules is not None:
        base["space_document"] = _with_rules(base["space_document"], request.rules)
    for name in ("resolution", "num_classes", "patience", "population", "lineages", "proxy", "verify", "top"):
        value = getattr(request, name)
        if value is not None:
            base[name] = value
    if request.algorithm is not None:
        find_algorithm(request.algorithm)
        base["algorithm"] = request.algorithm
    if request.gap is not None:
        base["gap"] = parse_share(request.gap, "gap")
    base["limits"] = _limits(request, base["limits"])
    base["score"] = _score(request, None if stored is None else stored.score)
    if request.budget:
        base["budget"] = parse_budget(request.budget)
    elif stored is None:
        base["budget"] = Budget(evaluations=DEFAULT_EVALUATIONS if base["algorithm"] == "evolution" else None)
    _fill_in(base)
    try:
        settings = SearchSettings(**base)
    except ValidationError as error:
        fault = error.errors()[0]
        option, bounds = "--" + str(fault["loc"][-1]).replace("_", "-"), fault.get("ctx", {})
        hint = f"out of range; {fault['msg'].lower()}"
        if "ge" in bounds:
            hint = f"too small; use at least {bounds['ge']}"
        elif "le" in bounds:
            hint = f"too large; use at most {bounds['le']}"
        raise UsageError(f"{option}: {fault['input']} is {hint}") from None
    if stored is not None:
        stored.check_resumable(settings)
    elif settings.lineages > (settings.budget.evaluations or settings.lineages):
        most = settings.budget.evaluations
        raise UsageError(f"lineages: {settings.lineages} propose more at once than the budget of {most}; use fewer")
    settings.seed_network()
    return settings


def _with_rules(document: dict[str, Any], word: str) -> dict[str, Any]:
    """The document of a space with the default rules, or with none."""
    if word not in RULES:
        raise UsageError(f"rules: unknown {word!r}; {nearest(word, RULES)}")
    return parse_space({**document, "rules": None if word == "none" else {}}).to_dict()


def _limits(request: Request, base: Limits) -> Limits:
    wanted: dict[str, Any] = {}
    for name in ("params", "macs", "layers", "sublayers"):
        text = getattr(request, f"max_{name}")
        if text is not None:
            wanted[name] = parse_count(text, f"max_{name}")
    ratio = request.max_depth_width_ratio
    if ratio is not None:
        if not 0 < ratio < float("inf"):
            raise UsageError(f"--max-depth-width-ratio: {ratio} is not positive; write a number like 0.5")
        wanted["depth_width_ratio"] = ratio
    return base._replace(**wanted)


def _score(request: Request, base: ScoreSettings | None) -> ScoreSettings:
    wanted = {name: getattr(request, name) for name in _SCORE_OPTIONS if getattr(request, name) is not None}
    if base is None:
        return check_settings(**{"estimator": "mean-field", **wanted})
    known = {name: getattr(base, name) for name in _SCORE_OPTIONS}
    if "precision" in wanted or ("draws" not in wanted and known["precision"] is not None):
        known["draws"] = None
    if "draws" in wanted:
        known["precision"] = None
    return check_settings(**{**known, **wanted})


def _fill_in(base: dict[str, Any]) -> None:
    """What follows from the score: how many lineages pay, and whether a Monte-Carlo check says anything new."""
    if "lineages" not in base:
        lineages = CLOSED_FORM_LINEAGES if _has_closed_form(base) else BATCH_LINEAGES
        base["lineages"] = min(lineages, base["budget"].evaluations or lineages)  # so that one step fits
    if "verify" not in base:
        base["verify"] = DEFAULT_VERIFY if base.get("proxy") is None else 0


def _has_closed_form(base: dict[str, Any]) -> bool:
    if base.get("proxy") is None:
        return bool(base["score"].estimator == "mean-field")
    from ..metrics import find

    return find(base["proxy"], "proxy").closed_form is not None

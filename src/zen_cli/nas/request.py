"""From what a user wrote to the settings of a search: options, a preset, a stored run, and defaults, in this order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ..errors import UsageError, nearest
from ..metrics import find
from ..metrics.fields import usage_error
from ..metrics.settings import DEPLOYMENT, ScoreSettings, check_settings
from ..net.spec import ArchSpec
from ..units import parse_real, parse_share
from .algorithms import find_algorithm
from .budget import Budget, parse_budget
from .defaults import default_evenness, default_limits, with_ending
from .limits import Limits, limit_names, parse_limit
from .options import (
    BATCH_LINEAGES,
    CLOSED_FORM_LINEAGES,
    DEFAULT_ALGORITHM,
    DEFAULT_EVALUATIONS,
    DEFAULT_SPACE,
    DEFAULT_VERIFY,
    FRONT_TOP,
    ONLY_SOME,
    front_lineages,
)
from .presets import find_preset
from .settings import SearchSettings
from .space import load_space, parse_space

_TAKEN = (
    "resolution",
    "num_classes",
    "patience",
    "population",
    "lineages",
    "proxy",
    "verify",
    "tolerance",
    "top",
    "similar",
)
RULES = ("default", "none")
_OWN = ("space", "from_", "rules", "preset", "budget", "algorithm", "gap", "limit", "evenness", "front")


def check_request(
    request: Mapping[str, Any], stored: SearchSettings | None = None, note: Callable[[str], None] = lambda _: None
) -> SearchSettings:
    """The settings that a user asks for.

    Args:
        request: what was written: fields of `SearchSettings` and `ScoreSettings`, `space` and `preset` by name, a
            network as `from_`, `budget` as texts, `gap` as a share, and limits, `max_params` or `limit` as texts
            `params=1M`. None is not written.
        stored: the settings of a run to go on with.
        note: told of a limit that was added because none was given.

    Raises:
        UsageError: a value that cannot be, an unknown name, a setting without effect, or a change to a stored run that
            would change the search.
        SpecError: a space that contradicts itself, or a resolution too small for it.
    """
    given = {name: value for name, value in request.items() if value is not None and value != ()}
    known = {*_TAKEN, *_OWN, *ScoreSettings.model_fields, *(f"max_{name}" for name in limit_names())}
    for name in given:
        if name not in known:
            raise UsageError(f"{name}: is no setting of a search; {nearest(name, known)}")
    base = _problem(given, stored)
    base |= {name: given[name] for name in _TAKEN if name in given}
    if base.get("proxy") == "zen":
        base["proxy"] = None
    if "algorithm" in given:
        find_algorithm(given["algorithm"])
        base["algorithm"] = given["algorithm"]
    if "gap" in given:
        base["gap"] = parse_share(str(given["gap"]), "gap")
    base["limits"] = base["limits"].replace(**_limits(given))
    base["score"] = _score(given, None if stored is None else stored.score)
    base["limits"] = _fit_into(base["limits"], base["score"]) if stored is None else base["limits"]
    line = _add_defaults(base, given.get("from_")) if stored is None else ""
    if "front" in given:
        base["front"] = _front(given["front"], base["limits"])
    if "evenness" in given:
        base["evenness"] = _width(str(given["evenness"]))
    if "budget" in given:
        base["budget"] = parse_budget(given["budget"])
    elif stored is None:
        base["budget"] = Budget(evaluations=DEFAULT_EVALUATIONS if _counts_evaluations(base) else None)
    _fill_in(base)
    try:
        settings = SearchSettings(**base)
    except ValidationError as error:
        raise usage_error(error, SearchSettings) from None
    if stored is not None:
        stored.check_resumable(settings)
    else:
        settings = with_ending(settings, given.keys())
        _refuse_unused(given, settings)
    settings.seed_network()
    if line:
        note(line)
    return settings


def _problem(given: Mapping[str, Any], stored: SearchSettings | None) -> dict[str, Any]:
    """The space, the input and the limits of a preset or of a stored run, with a space that is given instead."""
    preset = find_preset(given["preset"]) if "preset" in given else None
    base: dict[str, Any] = {"space_document": None, "resolution": 224, "num_classes": 1000, "limits": Limits()}
    base["algorithm"] = DEFAULT_ALGORITHM
    if stored is not None:
        base = {name: getattr(stored, name) for name in SearchSettings.model_fields if name != "schema_"}
    if preset is not None:
        base |= {"resolution": preset.resolution, "num_classes": preset.num_classes, "limits": preset.limits}
    if "from_" in given:
        if stored is not None:
            raise UsageError("from_: a run that goes on has its network already; leave it out")
        base |= _around(given)
    named = given.get("space") or (preset.space if preset is not None else None)
    if named is not None or base["space_document"] is None:
        space = load_space(named or DEFAULT_SPACE)
        base["space_document"] = space.to_dict()
        if preset is None and stored is None and (network := space.made_for()):
            base |= {"resolution": network.side, "num_classes": network.num_classes}
    if "rules" in given:
        base["space_document"] = _with_rules(base["space_document"], given["rules"])
    return base


def _around(given: Mapping[str, Any]) -> dict[str, Any]:
    """The space and the input of a search around a network."""
    for name in ("space", "preset"):
        if name in given:
            raise UsageError(
                f"from_: given together with {name}; the network says where to search, keep one of the two"
            )
    from .original import problem_around

    return problem_around(_for_input(given["from_"], given))


def _for_input(network: ArchSpec, given: Mapping[str, Any]) -> ArchSpec:
    """A network for the resolution and the classes that were given instead of its own."""
    return network.replace(**{name: given[name] for name in ("resolution", "num_classes") if name in given})


def _add_defaults(base: dict[str, Any], origin: ArchSpec | None) -> str:
    """Adds a limit on MACs and a band of evenness, the defaults where nothing is said; a line about the limit."""
    space = parse_space(base["space_document"])
    if origin is None:
        base["limits"], line = default_limits(space, base["resolution"], base["limits"])
    else:
        from .original import limits_of

        base["limits"], line = limits_of(_for_input(origin, base), base["limits"])
    if base.get("proxy") is None and "evenness" in find_algorithm(base["algorithm"]).uses:
        base["evenness"] = default_evenness(space, base["limits"])
    return line


def _fit_into(limits: Limits, score: ScoreSettings) -> Limits:
    """The limits, with those of the target on memory and weights where none were given."""
    target = score.target
    if target is None:
        return limits
    sizes = {"memory": target.memory, "weights": target.weights}
    return limits.replace(**{name: size for name, size in sizes.items() if size and name not in limits})


def _width(text: str) -> float | None:
    """The width of the band in nats, None for `off`."""
    return None if text == "off" else parse_real(text, "evenness", least=0.0, most=10.0)


def _front(names: str | Sequence[str], limits: Limits) -> tuple[str, ...]:
    """The costs of a front, each of which has a limit."""
    words = [word.strip() for word in names.split(",")] if isinstance(names, str) else list(names)
    for index, word in enumerate(words):
        if word not in limit_names():
            raise UsageError(f"front: {word!r} is no cost; {nearest(word, limit_names())}")
        if word in words[:index]:
            raise UsageError(f"front: {word} is given twice; name each cost once")
        if word not in limits:
            raise UsageError(f"front: {word} has no limit, from which the front goes down; add max_{word}")
    return tuple(words)


def _with_rules(document: dict[str, Any], word: str) -> dict[str, Any]:
    """The document of a space with the default rules, or with none."""
    if word not in RULES:
        raise UsageError(f"rules: unknown {word!r}; {nearest(word, RULES)}")
    return parse_space({**document, "rules": None if word == "none" else {}}).to_dict()


def _counts_evaluations(base: Mapping[str, Any]) -> bool:
    return find_algorithm(base["algorithm"]).unit == "evaluations"


def _limits(given: Mapping[str, Any]) -> dict[str, float]:
    bounds: dict[str, float] = {}
    for text in given.get("limit", ()):
        name, equals, bound = str(text).partition("=")
        if not equals:
            raise UsageError(f"limit: {text!r} has no bound; write a metric and a number, like activations=5M")
        if name not in limit_names():
            raise UsageError(f"limit: {name!r} cannot be limited; {nearest(name, limit_names())}")
        bounds[name] = parse_limit(name, bound, "limit")
    for name in limit_names():
        if f"max_{name}" in given:
            bounds[name] = parse_limit(name, given[f"max_{name}"], f"max_{name}")
    return bounds


def _score(given: Mapping[str, Any], base: ScoreSettings | None) -> ScoreSettings:
    wanted = {name: value for name, value in given.items() if name in ScoreSettings.model_fields}
    if base is None:
        return check_settings(**{"estimator": "mean-field", **wanted})
    known = base.model_dump()
    if "precision" in wanted or ("draws" not in wanted and known["precision"] is not None):
        known["draws"] = None
    if "draws" in wanted:
        known["precision"] = None
    return check_settings(**{**known, **wanted})


def _fill_in(base: dict[str, Any]) -> None:
    """What follows from the score: how many lineages pay, and whether a Monte-Carlo check says anything new."""
    if base.get("front"):
        base.setdefault("top", FRONT_TOP)
        lineages = front_lineages(base["top"], is_banded=base.get("evenness") is not None)
        base.setdefault("lineages", min(lineages, base["budget"].evaluations or lineages))
        base.setdefault("verify", base["top"] if base.get("proxy") is None else 0)
    if "lineages" not in base:
        lineages = CLOSED_FORM_LINEAGES if _is_closed(base) else BATCH_LINEAGES
        base["lineages"] = min(lineages, base["budget"].evaluations or lineages)  # so that one step fits
    if "verify" not in base:
        base["verify"] = DEFAULT_VERIFY if base.get("proxy") is None else 0


def _is_closed(base: Mapping[str, Any]) -> bool:
    if base.get("proxy") is None:
        return bool(base["score"].estimator == "mean-field")
    return find(base["proxy"], "proxy").closed_form is not None


def _refuse_unused(given: Mapping[str, Any], settings: SearchSettings) -> None:
    """Refuses settings that were given and have no effect, by what the algorithm and the metrics say they use."""
    algorithm = find_algorithm(settings.algorithm)
    for name in sorted(ONLY_SOME & given.keys() - algorithm.uses):
        raise UsageError(f"{name}: has no effect on {settings.algorithm}; leave it out")
    most = settings.budget.evaluations
    if "lineages" in algorithm.uses and most is not None and settings.lineages > most:
        raise UsageError(f"lineages: {settings.lineages} propose more at once than the budget of {most}; use fewer")
    metric = find("zen" if settings.proxy is None else settings.proxy, "proxy")
    if settings.proxy is not None and "estimator" in given and len(metric.estimators) == 1:
        raise UsageError(f"estimator: has no effect on {metric.name}; leave it out")
    used = {
        *metric.uses(settings.score.estimator),
        *DEPLOYMENT,
        "seed",
        "estimator",
    }  # the search draws from the seed as well
    if settings.proxy is not None:
        used |= {"convention", "norm", "alpha"}  # of the Zen-score in the records
    if "tolerance" in given and not settings.verify:
        raise UsageError("tolerance: has no effect without verification; leave it out")
    if "tolerance" in given and settings.front:
        raise UsageError("tolerance: has no effect on a front, whose networks do not compete; leave it out")
    if "tolerance" in given and settings.score.precision is not None:
        raise UsageError("tolerance: given together with precision; keep one of the two")
    if "tolerance" in given and settings.proxy is not None:
        raise UsageError(f"tolerance: has no effect on {settings.proxy}, whose ranking is kept; leave it out")
    if settings.verify:
        used |= {*find("zen").uses("monte-carlo")}
    for name in given:
        if name in ScoreSettings.model_fields and name not in used:
            why = f"{metric.name} ({metric.estimator(settings.score.estimator)}) without verification"
            raise UsageError(f"{name}: has no effect on {why}; leave it out")

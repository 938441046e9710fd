"""From defaults, a TOML file and ``TAPELINE_<SECTION>__<KEY>`` variables to one checked tree, with each value's origin.

The environment wins over the file, the file over the defaults. An unknown key is refused with its path and the nearest
name that exists; so is a value of the wrong type or out of bounds, and a combination that cannot work.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from tapeline.core.config.base import Section
from tapeline.core.config.phrase import phrase
from tapeline.core.config.streams import from_scanner
from tapeline.core.config.tree import Config
from tapeline.core.errors import ConfigError

PREFIX = "TAPELINE_"
NOT_SETTINGS = frozenset({"TAPELINE_HOME", "TAPELINE_LLM_API_KEY"})
"""Variables with our prefix that are no settings of the tree."""

SYNONYMS = {"feed.rate_limit_rpm": "feed.requests_per_minute", "feed.use_batch_polling": "feed.strategy"}
"""Names that pollers commonly have for ours: the one in the file or, prefixed, in the environment is taken for the
other. A switch for batches chooses between the two ends of ``feed.strategy``."""
BARE = frozenset({"use_batch_polling", "rate_limit_rpm", "batch_size", "max_concurrent_batches"})
"""Names of ``feed`` that are read from the environment without our prefix, too, in any case."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The tree, and where each value came from: path -> ``default``, the file's name or the variable's."""

    config: Config
    origins: Mapping[str, str]


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Build the tree.

    Parameters
    ----------
    path
        The TOML file, or None for none.
    environ
        The environment; names with our prefix and a section are read, and those of ``BARE``.

    Raises
    ------
    ConfigError
        With one sentence that names the path of the key, what is wrong and what to do.
    """
    given: dict[str, Any] = {}
    origins = {where: "default" for where, _ in leaves(Config())}
    if path is not None:
        given = _with_our_names(_read(path))
        _check_keys(given, str(path))
        origins.update({where: str(path) for where in _paths(given) if where in origins})
    # Bare names come first, so that the name of ours that stands beside one wins.
    for name, text in sorted(environ.items(), key=lambda item: (item[0].lower() not in BARE, item[0])):
        if name.lower() in BARE or (name.startswith(PREFIX) and name not in NOT_SETTINGS):
            where, value = _setting(name, text)
            _place(given, where, value)
            origins[where] = name
    try:
        config = msgspec.convert(given, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), given, origins)) from None
    check(config)
    return Loaded(config, origins)


def leaves(section: Section, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of every setting below ``section``, in the order of the tree."""
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def check(config: Config) -> None:
    """Refuse combinations that cannot work. Raises ConfigError."""
    risk, live = config.trade.risk, config.live
    if config.streams.lease_s > 5.0:
        raise ConfigError(
            f"streams.lease_s is {config.streams.lease_s}: a dead worker's lane must pass on within 5 s; "
            "choose 5 or less"
        )
    if risk.max_position_pct > risk.max_invested_pct:
        raise ConfigError(
            f"trade.risk.max_position_pct ({risk.max_position_pct}) is above trade.risk.max_invested_pct "
            f"({risk.max_invested_pct}): one name may not be more than all together"
        )
    if list(live.timeframes_s) != sorted(set(live.timeframes_s)) or any(
        later % earlier for earlier, later in zip(live.timeframes_s, live.timeframes_s[1:], strict=False)
    ):
        raise ConfigError(
            f"live.timeframes_s is {list(live.timeframes_s)}: give rising numbers of seconds, "
            "each a multiple of the one before"
        )
    if not config.signals.weights or min(config.signals.weights.values()) <= 0:
        raise ConfigError("signals.weights needs a positive weight for at least one group")
    if config.signals.quorum_groups > len(config.signals.weights):
        raise ConfigError(
            f"signals.quorum_groups is {config.signals.quorum_groups}, but signals.weights names only "
            f"{len(config.signals.weights)} groups: no signal could ever be formed"
        )


def _read(path: Path) -> dict[str, Any]:
    """Read a file of settings: TOML, or the JSON that a node leaves for its workers."""
    try:
        text = path.read_text(encoding="utf-8")
        return from_scanner(msgspec.json.decode(text, type=dict)) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}: `tapeline init` writes one") from None
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}; give a TOML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the configuration file {path} is no text: give a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None


def _section_fields(kind: type[Section]) -> dict[str, Any]:
    return get_type_hints(kind)


def _kind_at(path: tuple[str, ...]) -> type[Section] | None:
    """Return the section type at ``path``, or None when a value or nothing stands there."""
    kind: Any = Config
    for name in path:
        hint = _section_fields(kind).get(name)
        if not (isinstance(hint, type) and issubclass(hint, Section)):
            return None
        kind = hint
    return kind  # type: ignore[no-any-return]


def _check_keys(given: Mapping[str, Any], origin: str, path: tuple[str, ...] = ()) -> None:
    kind = _kind_at(path)
    if kind is None:
        return
    known = _section_fields(kind)
    for key, value in given.items():
        if key not in known:
            raise ConfigError(_unknown(".".join((*path, key)), key, known, origin))
        inner = (*path, key)
        if _kind_at(inner) is not None:
            if not isinstance(value, Mapping):
                raise ConfigError(f"{'.'.join(inner)} in {origin} is a section, not a value: write [{'.'.join(inner)}]")
            _check_keys(value, origin, inner)


def _unknown(path: str, key: str, known: Mapping[str, Any], origin: str) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(sorted(known))}"
    return f"unknown key `{path}` in {origin}: {hint}"


def _with_our_names(given: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file with every synonym under our name; ours wins where both stand."""
    for theirs, ours in SYNONYMS.items():
        section, _, key = theirs.partition(".")
        table = given.get(section)
        if isinstance(table, dict) and key in table:
            value = table.pop(key)
            table.setdefault(ours.partition(".")[2], _strategy_of(value) if key == "use_batch_polling" else value)
    return given


def _setting(name: str, text: str) -> tuple[str, Any]:
    """Return the path and the value that a variable sets."""
    if name.lower() in BARE:
        return _setting(f"{PREFIX}FEED__{name}", text)
    theirs = name.removeprefix(PREFIX).lower().replace("__", ".")
    if theirs in SYNONYMS:
        where = SYNONYMS[theirs]
        value = _parse(text.lower(), "feed.requests_per_minute", name)
        return where, _strategy_of(value) if where == "feed.strategy" else value
    where = _path_of_variable(name)
    return where, _parse(text, where, name)


def _strategy_of(switch: Any) -> Any:
    """Return the strategy that a switch for batches means; what is no switch is left for the check of types."""
    if isinstance(switch, int):
        return {1: "hybrid", 0: "sequential"}.get(switch, str(switch))
    return switch


def _path_of_variable(name: str) -> str:
    parts = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
    for depth, part in enumerate(parts):
        kind = _kind_at(parts[:depth])
        if kind is None or part not in (known := _section_fields(kind)):
            known = _section_fields(kind) if kind is not None else {}
            raise ConfigError(_unknown(".".join(parts), part, known, f"the environment ({name})"))
    if _kind_at(parts) is not None:
        raise ConfigError(f"{name} names a section: add the key, as in {name}__<KEY>")
    return ".".join(parts)


def _parse(text: str, where: str, name: str) -> Any:
    """Read a variable as the TOML value it looks like, or as a plain string where the tree wants one."""
    path = where.split(".")
    kind = _kind_at(tuple(path[:-1]))
    if kind is not None and _section_fields(kind)[path[-1]] is str:
        return text
    if "\n" in text:
        raise ConfigError(f"{name} holds more than one line: give one TOML value")
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _place(tree: dict[str, Any], where: str, value: Any) -> None:
    *sections, key = where.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[key] = value


def _paths(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _explain(text: str, given: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """Say where the converter stumbled, over what, and what to give instead."""
    what, _, where = text.partition(" - at `$.")
    path, _, item = where.rstrip("`").partition("[")
    *sections, key = path.split(".")
    value: Any = given
    for name in (*sections, key) if path else ():
        value = value.get(name) if isinstance(value, Mapping) else value
    kind = _kind_at(tuple(sections)) if path else None
    hint = None if kind is None or item else get_type_hints(kind, include_extras=True).get(key)
    inside = [origins[name] for name in origins if name.startswith(f"{path}.") and origins[name] != "default"]
    origin = origins.get(path) or ", ".join(dict.fromkeys(inside)) or "the configuration"
    return f"{path or 'the configuration'} ({origin}): {phrase(what, value, hint)}"

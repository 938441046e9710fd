"""``config`` shows the effective settings and where each came from; ``init`` writes a commented file."""

from __future__ import annotations

import ast
import inspect
import itertools
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tapeline.core.config import Config, Section
from tapeline.core.config.load import Loaded, leaves, load
from tapeline.core.config.secrets import without_password
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home

ConfigOption = Annotated[Path | None, typer.Option("--config", help="A TOML file instead of the home's tapeline.toml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def load_settings(path: Path | None) -> Loaded:
    """Return the settings from ``path``, or from the home's file when there is one, under the environment."""
    file = settings_path(path)
    return load(file if path is not None or file.is_file() else None, os.environ)


def settings_path(path: Path | None) -> Path:
    """Return the settings file: ``path``, or the home's, which need not be there."""
    return path or default_home(os.environ).config_path


def add_to(app: typer.Typer) -> None:
    """Add the verbs ``config`` and ``init``."""
    app.command("config")(show)
    app.command("init")(init)


def show(path: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every setting, its value and where it comes from."""
    loaded = load_settings(path)
    rows = [(where, _shown(value), loaded.origins[where]) for where, value in leaves(loaded.config)]
    if as_json:
        tree_of = {where: {"value": value, "from": origin} for where, value, origin in rows}
        typer.echo(msgspec.json.encode(tree_of).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "from", title="effective settings; secrets stay in the environment")
    for where, value, origin in rows:
        table.add_row(where, to_toml(value), origin, style="bold" if origin != "default" else None)
    Console().print(table)


def init(
    path: Annotated[Path | None, typer.Argument(help="Where to write; the home's tapeline.toml by default.")] = None,
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Write a configuration file in which every setting stands, with its reason, commented out."""
    home = default_home(os.environ)
    target = path or home.config_path
    if target.exists() and not force:
        raise BadInput(f"{target} is there already: give another path, or --force to replace it")
    if path is None:
        home.prepare()
    try:
        target.write_text(commented_file(), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write {target}: {error.strerror}") from None
    typer.echo(f"wrote {target}", err=True)


def commented_file() -> str:
    """Return the text of a file that changes nothing: every setting commented out at its default."""
    lines = ["# Tapeline's settings. Every line shows a default; take the # away to change one.", ""]
    lines += ["# The environment wins: TAPELINE_<SECTION>__<KEY>, e.g. TAPELINE_SCAN__TOP=30.", ""]
    _describe(Config(), "", lines)
    return "\n".join(lines)


def _describe(section: Section, prefix: str, lines: list[str]) -> None:
    reasons = _reasons(type(section))
    values = [(name, getattr(section, name)) for name in section.__struct_fields__]
    for name, value in values:
        if not isinstance(value, Section):
            lines += [f"# {line}" for line in reasons.get(name, "").splitlines()]
            lines += [f"# {name} = {to_toml(value)}"]
    for name, value in values:
        if isinstance(value, Section):
            where = f"{prefix}{name}"
            summary = (inspect.getdoc(type(value)) or "").splitlines()[0]
            lines += ["", f"# {summary}", f"[{where}]"]
            _describe(value, f"{where}.", lines)
    if not prefix:
        lines.append("")


def _reasons(kind: type[Section]) -> dict[str, str]:
    """Return field -> the sentence that stands below it in the section's source."""
    source = ast.parse(inspect.getsource(sys.modules[kind.__module__]))
    body = next(node.body for node in source.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    reasons: dict[str, str] = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            reasons[field.target.id] = inspect.cleandoc(str(ast.literal_eval(after.value)))
    return reasons


def _shown(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value


def to_toml(value: Any) -> str:
    """Return a setting as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if isinstance(value, tuple | list):
        return f"[{', '.join(to_toml(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {to_toml(item)}' for key, item in value.items())} }}"
    return str(value)

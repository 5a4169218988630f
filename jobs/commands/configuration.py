"""Commands for the configuration: `config check`, `config test`, `config schema` and `init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import screen
from jobs.options import AsJson, ConfigPath, chosen

config_app = typer.Typer(help="Is the configuration right?", no_args_is_help=True)


@config_app.command()
def check(ctx: typer.Context, json: AsJson = False, config: ConfigPath = None) -> None:
    """Check the configuration and that every credential is where its reference says."""
    from config.connecting import connections
    from config.errors import ConfigError, Problem
    from config.load import load, load_groups

    deployment = load(chosen(ctx, config))
    groups = load_groups(deployment)
    problems: list[Problem] = []
    for group in groups.values():
        try:
            connections(deployment, group)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    found = [
        {"group_key": key, "name": group.name, "integrations": list(group.integrations), "config": group.fingerprint}
        for key, group in groups.items()
    ]
    if json:
        screen.as_json(found)
    else:
        screen.table(
            ["group", "name", "integrations"],
            ([key, group.name, ", ".join(group.integrations)] for key, group in groups.items()),
        )
        screen.say("The configuration is right.")


@config_app.command("test")
def run_tests(ctx: typer.Context, json: AsJson = False, config: ConfigPath = None) -> None:
    """Run the tests that the mappings carry, offline."""
    from config.load import load, load_groups
    from jobs.rehearsal import mapping_test

    results = []
    for key, group in load_groups(load(chosen(ctx, config))).items():
        for name, enabled in group.integrations.items():
            for number, test in enumerate(enabled.tests, start=1):
                wrong = mapping_test(group, name, test)
                results.append({"group_key": key, "integration": name, "test": number, "ok": not wrong, "why": wrong})
    failed = [result for result in results if not result["ok"]]
    if json:
        screen.as_json(results)
    else:
        for one in failed:
            screen.say(f"{one['group_key']}: {one['integration']}: test {one['test']}: {one['why']}")
        screen.say(f"{screen.counted(len(results) - len(failed), 'mapping test')} passed, {len(failed)} failed")
    raise typer.Exit(1 if failed else 0)


@config_app.command()
def schema(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="deployment (flatdrop.yaml) or group (a file of groups/).")
    ] = "group",
    _json: AsJson = True,
) -> None:
    """Print the JSON Schema of a configuration file, for editors."""
    from config.schema import deployment_schema, group_schema

    schemas = {"deployment": deployment_schema, "group": group_schema}
    if what not in schemas:
        raise typer.BadParameter(f"{what}: there are {' and '.join(schemas)}")
    screen.as_json(schemas[what]())


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")], json: AsJson = False
) -> None:
    """Write a starting configuration that runs against the sandbox."""
    from config import starting

    files = starting.write(folder)
    if json:
        screen.as_json([str(file) for file in files])
        return
    for file in files:
        screen.say(f"wrote {file}")
    screen.say("\nNext, in one terminal:   flatdrop sandbox")
    screen.say(f"and in another:          cd {folder} && flatdrop run")

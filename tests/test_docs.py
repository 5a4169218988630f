"""The docs against the code: generated pages are fresh, everything has its place in them, and links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from batch import batch, outcome
from batch.codes import CODES, MAPPING, VALUE
from batch.planning import planner
from config.group import Group
from integrations.catalog import CATALOG
from integrations.integration import Integration
from jobs import reference
from jobs.commandline import commands
from mappers.attribute import RULES_OF, TYPES, Attribute, AttributeType

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
MADE = reference.pages()
_CONFIG = ("config check", "config test", "config schema")
_CONNECT = ("connect test",)
_KEYS = ("keys create", "keys list", "keys revoke")
CONTRACT = [
    *"demo init run serve check preview batches show audit rerun forget integrations sandbox".split(),
    *_CONFIG,
    *_CONNECT,
    *_KEYS,
]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("place", MADE)
def test_a_generated_page_is_what_the_code_says(place: str) -> None:
    assert (DOCS / place).read_text("utf-8") == MADE[place], "stale: run `make docs`"


def test_every_page_of_the_reference_is_generated() -> None:
    assert {str(file.relative_to(DOCS)) for file in (DOCS / "reference").rglob("*.*")} == MADE.keys()


def test_make_docs_writes_the_pages(tmp_path: Path) -> None:
    reference.main(tmp_path)
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")} == MADE.keys()


def test_the_contract_s_commands_are_there_and_documented() -> None:
    names = {name.removeprefix("flatdrop ") for name, _ in commands()}
    assert names - {"flatdrop"} == set(CONTRACT)
    assert [f"\n## flatdrop {name}\n" in MADE["reference/cli.md"] for name in CONTRACT] == [True] * len(CONTRACT)


@pytest.mark.parametrize(("name", "command"), [*commands()], ids=[name for name, _ in commands()])
def test_every_command_and_option_is_explained(name: str, command: Any) -> None:
    page = MADE["reference/cli.md"]
    part = page[page.index(f"\n## {name}\n") :].split("\n## ")[1]
    assert command.help
    assert command.help in part
    for one in command.params:
        assert one.help, f"{name}: {one.name} has no help"
        assert one.help in part.replace("\\|", "|")
        assert all(option in part for option in one.opts if one.param_type_name == "option")


def test_the_codes_are_those_that_the_sources_use() -> None:
    texts = set(_texts("batch", "mappers", "integrations"))
    used = texts | {text.partition(":")[0] for text in texts if ": " in text}
    families = {code.partition(".")[0] for code in CODES if "." in code} - {"rejected", "consent"}
    shape = re.compile(rf"({'|'.join(families)})\.[a-z][a-z_]*")
    assert {text for text in texts if shape.fullmatch(text)} - CODES.keys() == set()
    assert CODES.keys() - {"rejected.*", "consent.*"} - _made_up() - used == set()


def _made_up() -> set[str]:
    """Codes that the sources put together from a type and a word."""
    return {f"{kind}.format" for kind in TYPES} & VALUE.keys()


def _texts(*packages: str) -> Iterator[str]:
    for package in packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.name != "codes.py":
                for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield node.value


def test_every_rule_has_its_code() -> None:
    rules = RULES_OF.keys() - {"region", "format"} | {"required"}
    assert rules <= VALUE.keys()
    assert MAPPING.keys() >= {"mapping.required", "mapping.failed"}


def test_every_type_rule_outcome_and_state_is_told() -> None:
    assert set(TYPES) == set(get_args(AttributeType))
    assert RULES_OF.keys() | {"type", "required", "clearable"} == Attribute.model_fields.keys()
    assert outcome.MEANINGS.keys() == set(outcome.Outcome)
    assert batch.MEANINGS.keys() == set(batch.State)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text("utf-8"))
    for target in _LINK.findall(text):
        if target.startswith(("https://", "http://")):
            continue
        place, _, anchor = target.partition("#")
        there = (page.parent / place).resolve() if place else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_is_reached_from_the_index() -> None:
    linked = set[Path]()
    for page in (DOCS / "index.md", DOCS / "reference" / "integrations" / "index.md"):
        targets = (target.partition("#")[0] for target in _LINK.findall(page.read_text("utf-8")))
        linked |= {(page.parent / target).resolve() for target in targets}
    folders = {DOCS / "decisions"}
    loose = {DOCS / "index.md", DOCS / "quick-start.md"}
    assert {page for page in DOCS.rglob("*.md") if page.parent not in folders} - loose <= linked
    assert folders <= linked


def test_decisions_are_numbered_and_of_one_shape() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(page.name[:3]) for page in pages] == list(range(1, len(pages) + 1))
    for number, page in enumerate(pages, start=1):
        text = page.read_text("utf-8")
        assert text.startswith(f"# {number}. "), page.name
        assert [part in text for part in ("**Context.**", "**Decision.**", "**Consequences.**")] == [True] * 3, (
            page.name
        )
        assert "**Seen.**" in text, page.name


def blocks(page: str, kind: str) -> list[str]:
    return [body for found, body in _FENCE.findall((DOCS / page).read_text("utf-8")) if found == kind]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_yaml_in_the_docs_is_yaml(page: Path) -> None:
    text = page.read_text("utf-8")
    for kind, body in _FENCE.findall(text if "reference" in page.parts else text.replace("\n   ", "\n")):
        if kind == "yaml":
            assert isinstance(yaml.safe_load(body), dict), body


def test_the_integration_of_the_how_to_works(monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = blocks("how-to/write-an-integration.md", "python")
    module: dict[str, Any] = {}
    exec(compile(source, "listly.py", "exec"), module)
    one: Integration = module["INTEGRATION"]
    assert len(source.splitlines()) < 80
    monkeypatch.setattr("batch.planning.CATALOG", {**CATALOG, one.name: one})
    contract = runpy.run_path(str(ROOT / "tests" / "integrations" / "test_catalog.py"))
    holds = {name: check for name, check in contract.items() if takes_an_integration(check)}
    assert len(holds) > 15, "the whole contract suite is to hold for it"
    for name, check in holds.items():
        if name == "test_a_file_is_short_and_named_after_its_integration":
            continue  # it is not in the catalog
        with suppress(pytest.skip.Exception):
            check(one)


def takes_an_integration(check: object) -> bool:
    """Whether a test is one for every integration, and asks for nothing else."""
    return (
        callable(check)
        and list(getattr(getattr(check, "__code__", None), "co_varnames", ())[:1]) == ["integration"]
        and check.__code__.co_argcount == 1
        and check.__name__.startswith("test_")
    )


def test_the_way_to_a_new_group_works(tmp_path: Path) -> None:
    text = (DOCS / "how-to/new-group.md").read_text("utf-8").replace("\n   ", "\n")
    script = "\n".join(body for kind, body in _FENCE.findall(text) if kind == "sh")
    assert script.count("flatdrop ") == 4
    bin_ = Path(sys.executable).parent
    whole = f"set -eu\nexport PATH={bin_}:$PATH\nflatdrop init here > /dev/null\ncd here\n{script}"
    done = subprocess.run(["bash", "-c", whole], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "acme-no" in done.stdout
    group = tmp_path / "here" / "groups" / "acme-no.yaml"
    group.write_text(group.read_text("utf-8").replace("email_address: email", "email_adress: email"), "utf-8")
    command = [bin_ / "flatdrop", "config", "check"]
    wrong = subprocess.run(command, cwd=tmp_path / "here", capture_output=True, text=True, check=False)
    (said,) = [body for kind, body in _FENCE.findall(text) if kind == "text"]
    assert said.strip() in wrong.stderr
    assert wrong.returncode == 2


def test_every_integration_has_its_page() -> None:
    assert {f"reference/integrations/{name}.md" for name in CATALOG} <= MADE.keys()


@pytest.mark.parametrize("one", CATALOG.values(), ids=list(CATALOG))
def test_the_example_of_an_integrations_page_is_a_configuration_that_is_right(one: Integration) -> None:
    page = MADE[f"reference/integrations/{one.name}.md"]
    (block,) = [body for kind, body in _FENCE.findall(page) if kind == "yaml"]
    lists = {name for it in one.example.records for name, value in it.items() if isinstance(value, list)}
    document = {"group_key": "abc", "attributes": {it: {"type": "list"} for it in lists}, **yaml.safe_load(block)}
    group = Group.from_document(json.dumps(document))
    planner(group, one.name)

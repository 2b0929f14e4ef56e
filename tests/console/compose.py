"""Reads docker-compose.yml as Docker would: merged, interpolated, and with host names resolved to where tests run."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
# ${NAME}, ${NAME:-default} and ${NAME:?message}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


class MissingVariable(Exception):
    """A variable that the compose file demands is not set."""


def compose_file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose_file()["services"]
    return found


def our_services() -> dict[str, dict[str, Any]]:
    """The services that run our own image."""
    return {name: service for name, service in services().items() if "build" in service}


def variables_demanded() -> set[str]:
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    return {found["name"] for found in _VARIABLE.finditer(text)}


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"])
        if given:
            return given
        if found["kind"] == "-":
            return found["rest"]
        raise MissingVariable(f"{found['name']}: {found['rest']}")

    return _VARIABLE.sub(value, text)


def resolved(text: str, hosts: Mapping[str, str]) -> str:
    """Replace each `host:port` of the compose network by where that service runs for the test."""
    for address, here in hosts.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(address)}(?!\d)", here, text)
    return text


def environment_of(service: str, *, variables: Mapping[str, str], hosts: Mapping[str, str]) -> dict[str, str]:
    """A service's environment as its container would have it, with `hosts` ("kafka:9092" to "127.0.0.1:…")."""
    declared = services()[service].get("environment", {})
    return {name: resolved(interpolated(str(value), variables), hosts) for name, value in declared.items()}


def command_of(service: str) -> list[str]:
    command: list[str] = services()[service]["command"]
    return command

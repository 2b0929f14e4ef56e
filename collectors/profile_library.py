"""The profiles that come with Wattledger: their names, and each of them loaded once."""

from functools import cache
from importlib.resources import files

from collectors.errors import BadFile
from collectors.profile import Profile
from collectors.profile_file import parse_profile, variant_names

_FOLDER = "profiles"


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles that come with Wattledger; a variant's is `profile/variant`."""
    return tuple(
        name
        for file in _file_names()
        for name in (file, *(f"{file}/{variant}" for variant in variant_names(path=file, text=_text(file))))
    )


@cache
def load_profile(name: str) -> Profile:
    """Load a profile by name; raises BadFile, naming every wrong key, or the names there are."""
    if name not in profile_names():
        raise BadFile(path=f"profile {name!r}", errors=["is not known; use one of " + ", ".join(profile_names())])
    file, _, variant = name.partition("/")
    return parse_profile(path=f"collectors/{_FOLDER}/{file}.toml", text=_text(file), variant=variant)


def _file_names() -> list[str]:
    folder = files("collectors").joinpath(_FOLDER)
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _text(file: str) -> str:
    return files("collectors").joinpath(_FOLDER, f"{file}.toml").read_text(encoding="utf-8")

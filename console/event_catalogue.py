"""The page of every event type, made from the facts themselves so that it cannot be wrong about them."""

import inspect
import sys

from msgspec import inspect as types

from ledger.domain.event import FACTS, UPCASTS, Fact
from ledger.store import mapper  # noqa: F401 - importing it registers every fact

HEADER = """# Events

Every type of event that the ledger holds, made from the code by `wattledger events catalogue` (a test compares them).
An event is a fact at its place: stream, version in it, position in the ledger. It is stored as JSON under its topic,
and never changes; a topic's number is the version of its shape. Money is integer micro-units (10⁻⁶ of the currency),
energy integer milliwatt-hours, times are ISO 8601 with their zone. A field with a default may be missing.
"""

# The longest ending that fits is a field's unit.
UNITS = {
    "_micros": "micro-units of currency",
    "_milliwh": "mWh",
    "_millivarh": "mvarh",
    "_millivah": "mVAh",
    "_w": "W",
    "_s": "s",
    "_bps": "basis points",
    "_percent": "%",
}
_WORDS: dict[type[types.Type], str] = {
    types.AnyType: "anything",
    types.NoneType: "none",
    types.BoolType: "yes or no",
    types.IntType: "integer",
    types.StrType: "text",
    types.DateTimeType: "time",
    types.DateType: "date",
    types.UUIDType: "UUID",
    types.RawType: "JSON",
}
_FLOATS = (types.FloatType, types.DecimalType)


def page() -> str:
    """Return the page in Markdown."""
    inner: dict[str, types.StructType] = {}
    parts = [HEADER]
    previous = ""
    for topic, cls in sorted(FACTS.items()):
        stream = topic.partition(".")[0]
        if stream != previous:
            parts.append(_stream_heading(stream, cls))
            previous = stream
        parts.append(_fact(topic, cls, inner))
    parts.append("## Values inside events\n")
    for name in sorted(inner):
        parts.append(f"### {name}\n\n{_docstring(inner[name].cls)}\n\n{_table(inner[name], {})}")
    return "\n".join(parts)


def _stream_heading(stream: str, cls: type[Fact]) -> str:
    about = inspect.cleandoc(sys.modules[cls.__module__].__doc__ or "").partition("\n\n")[0]
    return f"## Stream `{stream}`\n\n{about}\n"


def _fact(topic: str, cls: type[Fact], inner: dict[str, types.StructType]) -> str:
    shape = types.type_info(cls)
    if not isinstance(shape, types.StructType):
        raise AssertionError(f"{topic} is no struct")
    notes = ["Moves money: " + ("yes, by its postings." if "postings" in cls.__struct_fields__ else "no.")]
    if topic in UPCASTS:
        notes.append("No longer written; read as the next version.")
    return f"### `{topic}`\n\n{_docstring(cls)}\n\n{' '.join(notes)}\n\n{_table(shape, inner)}"


def _docstring(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _table(shape: types.StructType, inner: dict[str, types.StructType]) -> str:
    rows = [f"| `{field.name}` | {_row(field, inner)} |" for field in shape.fields]
    # An array has no names, and what follows from them says so.
    order = "As a JSON array, in this order.\n\n" if shape.array_like else ""
    return "\n".join([f"{order}| field | type | unit | may be missing |", "| --- | --- | --- | --- |", *rows, ""])


def _row(field: types.Field, inner: dict[str, types.StructType]) -> str:
    return f"{described(field.type, inner)} | {unit_of(field.name)} | {'' if field.required else 'yes'}"


def unit_of(name: str) -> str:
    """Return the unit that a field's name ends with, empty where it has none."""
    endings = [ending for ending in UNITS if name.endswith(ending)]
    return UNITS[max(endings, key=len)] if endings else ""


def described(kind: types.Type, inner: dict[str, types.StructType]) -> str:
    """Return a type in words; structs met on the way are added to `inner` with all that they hold."""
    if isinstance(kind, types.StructType):
        _meet(kind, inner)
        return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
    if isinstance(kind, types.LiteralType):
        return " or ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, types.UnionType):
        return " or ".join(described(one, inner) for one in kind.types)
    if isinstance(kind, types.Metadata):
        return described(kind.type, inner)
    if isinstance(kind, _FLOATS):
        raise AssertionError("no event holds a number that is not an integer: write it as text or in smaller units")
    return _WORDS[type(kind)] if type(kind) in _WORDS else _collection(kind, inner)


def _collection(kind: types.Type, inner: dict[str, types.StructType]) -> str:
    match kind:
        case types.ListType() | types.VarTupleType() | types.SetType() | types.FrozenSetType():
            return f"list of {described(kind.item_type, inner)}"
        case types.TupleType():
            return f"({', '.join(described(one, inner) for one in kind.item_types)})"
        case types.DictType():
            return f"{described(kind.value_type, inner)} by {described(kind.key_type, inner)}"
        case _:
            raise AssertionError(f"the catalogue has no words for {kind}; add them")


def _meet(kind: types.StructType, inner: dict[str, types.StructType]) -> None:
    name = kind.cls.__name__
    if name not in inner:
        inner[name] = kind
        for field in kind.fields:
            described(field.type, inner)

"""The `system.` methods, answered from the declarations of the verbs."""

from collections.abc import Mapping, Sequence
from typing import Any

from virgate.api.verb import Verb

_OWN = {
    "system.listMethods": "The names of all methods.",
    "system.methodHelp": "What a method does.",
    "system.methodSignature": "The type a method answers with, and its parameters' types.",
}
_WIRE_TYPES = {"integer": "int", "boolean": "boolean", "struct": "struct", "array": "array"}


def answer_about(verbs: Mapping[str, Verb], method: str, arguments: Sequence[Any]) -> Any:
    """The reply of a `system.` method; None when there is none of that name and these arguments."""
    if method == "system.listMethods":
        return None if arguments else sorted([*verbs, *_OWN])
    if method not in _OWN or len(arguments) != 1:
        return None
    name = arguments[0] if isinstance(arguments[0], str) else ""
    found = verbs.get(name)
    if method == "system.methodHelp":
        return found.summary if found else _OWN.get(name, "")
    if found is None:
        return "signatures not supported"
    return [["struct", *(_WIRE_TYPES.get(parameter.kind, "string") for parameter in found.parameters)]]

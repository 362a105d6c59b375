"""Parameter types of verbs: how leniently each accepts what old clients send (specs xmlrpc-host-vm 1.5,
xmlrpc-storage 1).

Each type is `Annotated[python type, converter, name for people]`. A converter raises `InvalidParameter`.
"""

from typing import Annotated, Any

from virgate.errors import InvalidParameter
from virgate.ids import is_uuid

BLANK_UUID = "00000000-0000-0000-0000-000000000000"


def text(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    if not isinstance(value, str):
        raise InvalidParameter("text", value)
    return value


def uuid(value: Any) -> str:
    """Lower-case 8-4-4-4-12 hexadecimal digits, nothing else."""
    if not is_uuid(value):
        raise InvalidParameter("uuid", value)
    return str(value)


def integer(value: Any) -> int:
    """An integer or a decimal string of one."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(text(value).strip())
    except ValueError:
        raise InvalidParameter("integer", value) from None


def flag(value: Any) -> bool:
    """True for true, "true" in any case, and integers or integer strings that are not zero; false for all else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() == "true":
        return True
    try:
        return bool(int(value))
    except (TypeError, ValueError, OverflowError):
        return False


def truthy(value: Any) -> bool:
    """Old verbs that test a flag without reading it: any non-empty string is true, "false" too."""
    return bool(value)


def struct(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParameter("struct", value)
    return value


def array(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise InvalidParameter("array", value)
    return list(value)


def anything(value: Any) -> Any:
    return value


Text = Annotated[str, text, "string"]
Uuid = Annotated[str, uuid, "uuid"]
Integer = Annotated[int, integer, "integer"]
Flag = Annotated[bool, flag, "boolean"]
Truthy = Annotated[bool, truthy, "boolean"]
Struct = Annotated[dict[str, Any], struct, "struct"]
Array = Annotated[list[Any], array, "array"]
Anything = Annotated[Any, anything, "any"]

"""Prints the tail of the house: the longest modules, widest classes and longest functions, and the test ratio.

Good code shows in its tail, not in its medians; near 400 lines, 20 methods or 50 lines an idea wants to be split.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("core", "plugins", "guest")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")


def measure(path: Path, text: str) -> Iterator[tuple[str, int, str]]:
    yield "module (lines)", text.count("\n"), str(path)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            methods = sum(isinstance(child, FUNCTIONS) for child in node.body)
            yield "class (methods)", methods, f"{path}:{node.lineno} {node.name}"
        elif isinstance(node, FUNCTIONS):
            yield (
                "function (lines)",
                (node.end_lineno or node.lineno) - node.lineno + 1,
                f"{path}:{node.lineno} {node.name}",
            )


def main() -> int:
    found: dict[str, list[tuple[int, str]]] = {}
    for path, text in modules(*ROOMS):
        for kind, size, name in measure(path, text):
            found.setdefault(kind, []).append((size, name))
    for kind, rows in sorted(found.items(), reverse=True):
        print(f"\nlongest: {kind}")
        for size, name in sorted(rows, reverse=True)[:10]:
            print(f"{size:6d}  {name}")
    code = sum(text.count("\n") for _, text in modules(*ROOMS))
    tests = sum(text.count("\n") for _, text in modules("tests"))
    print(f"\ncode {code} lines, tests {tests} lines, ratio {tests / max(code, 1):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

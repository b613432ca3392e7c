from typing import Any


def run(stack: Any) -> dict[str, Any]:
    raise NotImplementedError

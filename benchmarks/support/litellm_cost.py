"""What a call costs through LiteLLM's Router, for comparison: `python -m ... URL COUNT`.

It runs in a process of its own, because importing it takes seconds and changes global state, and
prints the milliseconds of CPU of a call as JSON. It needs `uv sync --group comparison`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import import_module
from typing import Any, Final

WARM_UP: Final = 30


async def _measure(url: str, count: int) -> dict[str, float]:
    began = time.process_time()
    litellm: Any = import_module("litellm")
    imported = time.process_time() - began
    deployment = {
        "model_name": "quick",
        "litellm_params": {"model": "openai/quick", "api_base": f"{url}/v1", "api_key": "none"},
    }
    router = litellm.Router(model_list=[deployment], num_retries=0)
    messages = [{"role": "user", "content": "x"}]
    for _ in range(WARM_UP):
        await router.acompletion(model="quick", messages=messages)
    began = time.process_time()
    for _ in range(count):
        await router.acompletion(model="quick", messages=messages)
    spent = (time.process_time() - began) * 1000 / count
    return {"import_s": imported, "cpu_ms": spent}


if __name__ == "__main__":
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    figures = asyncio.run(_measure(sys.argv[1], int(sys.argv[2])))
    sys.stdout.write(json.dumps(figures) + "\n")

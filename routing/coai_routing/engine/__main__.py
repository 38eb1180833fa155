"""The engine's process: `python -m coai_routing.engine SPEC`, started by a daemon."""

from __future__ import annotations

import sys

from coai_routing.engine.host import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

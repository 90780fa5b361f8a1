"""llama.cpp's own server (`llama-server`, from `xllamacpp`) on a free port of loopback, for journeys: MODEL [TEMPLATE-FILE]."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

import xllamacpp


def main() -> None:
    """Announce the address, then serve until the process is ended."""
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # Random weights seldom end by themselves: the limit where a request has none.
    params.n_predict = 200
    params.n_ctx = 65536
    params.n_parallel = 2
    params.use_jinja = True
    params.warmup = False
    params.cpuparams.n_threads = 1  # more threads wait for each other in a loop, which a busy machine makes slow
    if len(sys.argv) > 2:
        params.chat_template = Path(sys.argv[2]).read_text(encoding="utf-8")
    server = xllamacpp.Server(params)
    sys.stdout.write(f"llama.cpp is listening on {server.listening_address}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()

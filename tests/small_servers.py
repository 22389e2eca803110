"""HTTP servers on this machine."""

import contextlib
import http.server
import threading


@contextlib.contextmanager
def served(get, handler=http.server.BaseHTTPRequestHandler):
    """Answer requests by `get(handler)`, which logs nothing; yield the address."""
    methods = {"do_GET": get, "log_message": lambda *arguments: None}
    quiet = type("Quiet", (handler,), methods)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()

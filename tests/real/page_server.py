"""Serves a page to one browser, and prints what the page says of itself.

Usage: python3 -I page_server.py PAGE    Prints its port, and what was sent to /done.

The page asks for /late, which is answered when it has said that it is done: until then it counts as being loaded, and a
browser that takes its picture waits.
"""
import http.server
import sys
import threading

done = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/":
            with open(sys.argv[1], "rb") as page:
                self.answer(200, page.read(), "text/html")
            return
        if self.path == "/late":
            done.wait(60)
        self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(body.decode(), flush=True)
        self.answer(204)
        done.set()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

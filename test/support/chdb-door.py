"""ClickHouse's engine (PyPI chdb) behind as much of its HTTP interface as the ledger uses. Prints its port."""
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

database = session.Session(sys.argv[1])


class Door(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        if self.headers.get("x-clickhouse-key") != "s3cret":
            return self.answer(403, "Code: 516. Authentication failed: key %s" % self.headers.get("x-clickhouse-key"))
        try:
            self.answer(200, str(database.query(query + ("\n" + body if body else ""), "TabSeparated")))
        except Exception as error:
            self.answer(500, str(error))

    def answer(self, status, text):
        content = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Door)
print(server.server_port, flush=True)
server.serve_forever()

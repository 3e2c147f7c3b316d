"""Downloads from a server that truncates, stalls, redirects and lies."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from depthjax.weights.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = {"timeout": 0.2, "wait": 0.01}


class Server(ThreadingHTTPServer):
    """Answers each request with the next behaviour of its script (the last one again and again).

    `sent` counts the bytes of bodies, `starts` where each request began.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.sent, self.starts = ["whole"], 0, []
        self.closing = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/model.safetensors"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        script = server.script
        kind, _, count = (script.pop(0) if len(script) > 1 else script[0]).partition(" ")
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", count)
            self.end_headers()
            return
        if kind == "status":
            self.send_error(int(count))
            return
        content = b"?" * len(CONTENT) if kind == "wrong" else CONTENT
        asked = self.headers.get("Range", "bytes=0-")
        start = 0 if kind == "norange" else int(asked.removeprefix("bytes=").rstrip("-"))
        server.starts.append(start)
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if kind != "nolength":
            self.send_header("Content-Length", str(len(content) - start))
        if start:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.end_headers()
        body = content[start : start + int(count)] if count else content[start:]
        server.sent += len(body)  # before the client can know that it has them
        self.wfile.write(body)
        self.wfile.flush()
        if kind == "stall":
            server.closing.wait(5)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "model.safetensors"


def files(target):
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("kind", ["whole", "nolength"])
def test_the_file_arrives_once(server, target, kind):
    server.script = [kind]
    assert download(server.url, SHA256, target, **QUICK) == target
    assert target.read_bytes() == CONTENT and files(target) == [target.name]
    download(server.url, SHA256, target, **QUICK)
    assert server.sent == len(CONTENT)  # the second call sent nothing


@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_an_interrupted_download_goes_on_where_it_stopped(server, target, kind):
    server.script = [f"{kind} 100000", f"{kind} 50000", "whole"]
    seen = []
    download(server.url, SHA256, target, on_progress=lambda *at: seen.append(at), **QUICK)
    assert target.read_bytes() == CONTENT
    assert server.starts == [0, 100_000, 150_000]
    assert server.sent == len(CONTENT)  # every byte was sent once
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen)


def test_the_next_call_goes_on_too(server, target):
    server.script = ["cut 100000", "status 503"]
    with pytest.raises(ValueError, match=r"503.*100000 bytes are kept") as error:
        download(server.url, SHA256, target, tries=2, **QUICK)
    assert "\n" not in str(error.value)
    assert not target.exists()
    server.script = ["whole"]
    download(server.url, SHA256, target, **QUICK)
    assert target.read_bytes() == CONTENT and server.sent == len(CONTENT)


def test_a_server_that_stalls_for_ever_is_given_up(server, target):
    server.script = ["stall 0"]
    with pytest.raises(ValueError, match=r"nothing came for 0\.2 seconds"):
        download(server.url, SHA256, target, tries=2, **QUICK)
    assert not target.exists()


def test_a_server_that_knows_no_ranges_starts_over(server, target):
    server.script = ["cut 100000", "norange"]
    download(server.url, SHA256, target, **QUICK)
    assert target.read_bytes() == CONTENT and files(target) == [target.name]


def test_redirections_are_followed_with_their_range(server, target):
    server.script = [f"redirect {server.url}", "cut 100000", f"redirect {server.url}", "whole"]
    download(server.url, SHA256, target, **QUICK)
    assert target.read_bytes() == CONTENT and server.starts == [0, 100_000]


def test_redirections_in_a_circle_end(server, target):
    server.script = [f"redirect {server.url}"]
    with pytest.raises(ValueError, match="302") as error:
        download(server.url, SHA256, target, **QUICK)
    assert "\n" not in str(error.value)


def test_wrong_bytes_are_never_kept(server, target):
    server.script = ["wrong"]
    with pytest.raises(ValueError, match=f"not {SHA256}"):
        download(server.url, SHA256, target, **QUICK)
    assert files(target) == []


def test_what_began_wrong_is_downloaded_afresh(server, target):
    """Half a file of another version, then the right one: only a whole file convicts."""
    server.script = ["wrong 100000", "whole"]
    download(server.url, SHA256, target, **QUICK)
    assert target.read_bytes() == CONTENT
    assert server.starts == [0, 100_000, 0]


def test_a_part_that_is_complete_is_only_renamed(server, target):
    target.parent.mkdir()
    target.with_name(f".{target.name}.part").write_bytes(CONTENT)
    download(server.url, SHA256, target, **QUICK)
    assert target.read_bytes() == CONTENT and server.sent == 0


def test_a_damaged_copy_is_replaced(server, target):
    target.parent.mkdir()
    target.write_bytes(CONTENT[:-1])
    download(server.url, SHA256, target, **QUICK)
    assert target.read_bytes() == CONTENT


def test_a_missing_page_is_no_reason_to_try_again(server, target):
    server.script = ["status 404", "whole"]
    with pytest.raises(ValueError, match="404"):
        download(server.url, SHA256, target, **QUICK)
    assert not target.exists() and server.sent == 0


def test_without_a_connection(target):
    with pytest.raises(ValueError, match="cannot download") as error:
        download("http://127.0.0.1:1/a.safetensors", SHA256, target, tries=2, **QUICK)
    assert "\n" not in str(error.value) and not target.exists()


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match="cannot write"):
        download(server.url, SHA256, tmp_path / "file" / "a.safetensors", **QUICK)

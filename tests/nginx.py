"""A real nginx on the loopback that serves the site of our example, without its certificate."""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SITE = Path(__file__).parents[1] / "config/examples/nginx-site.conf"
PATIENCE = 20.0

_MAIN = """
daemon off;
pid {root}/pid;
worker_processes 1;
{user}
error_log {root}/error.log info;
events {{}}
http {{
    access_log {root}/access.log;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {root}/site.conf;
}}
"""


def there_is_an_nginx() -> bool:
    """Say whether there is an nginx."""
    return _program() is not None


def _program() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@asynccontextmanager
async def nginx(root: Path, port: int, upstream: str) -> AsyncIterator[None]:
    """An nginx at *port* in front of *upstream*; its logs, and what a site of it would log as well, are in *root*."""
    _write(root, port, upstream)
    process = await asyncio.create_subprocess_exec(
        *(str(_program()), "-p", str(root), "-c", "nginx.conf", "-e", str(root / "start.log")),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port, process)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _write(root: Path, port: int, upstream: str) -> None:
    root.mkdir()
    (root / "site.conf").write_text(_site(root, port, upstream))
    (root / "nginx.conf").write_text(_MAIN.format(root=root, user="user root;" if os.geteuid() == 0 else ""))


def _site(root: Path, port: int, upstream: str) -> str:
    """Return our example at *port* without TLS, its logs in *root*. What is replaced must stand there."""
    text = SITE.read_text()
    for pattern, by in (
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        (r" *listen \[::\]:443 ssl;\n", ""),
        (r" *ssl_certificate\w* .*\n", ""),
        (r"/var/log/nginx", str(root)),
        (r"http://127\.0\.0\.1:8080", upstream),
    ):
        text, found = re.subn(pattern, by, text)
        assert found, f"{pattern} is not in {SITE}"
    return text


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, "nginx has ended"
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)

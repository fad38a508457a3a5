"""`python -m sandbox`: serve the vendors' APIs until stopped."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from sandbox.app import Settings, create_app
from sandbox.connections import Connections
from sandbox.tls import self_signed


class _Server(uvicorn.Server):
    """A server that leaves signals to `_serve`, which stops all of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay, 40 ms an answer, only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        typer.echo(f"Port {port} cannot be used ({problem.strerror}); choose another.", err=True)
        raise typer.Exit(1) from problem
    return listener


def _keep_others_off(data: Path) -> None:
    """Lock a folder until the process ends: two sandboxes in one would undo each other's work."""
    data.mkdir(parents=True, exist_ok=True)
    lock = os.open(data / "sandbox.lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        typer.echo(f"Another sandbox is using {data}; stop it, or name another --data.", err=True)
        raise typer.Exit(1) from problem


async def _serve(servers: list[tuple[_Server, socket.socket]], ready: str) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    running = [asyncio.create_task(server.serve([listener])) for server, listener in servers]
    while not all(server.started for server, _ in servers):
        await asyncio.sleep(0.01)
    typer.echo(ready)
    await asyncio.gather(*running)


def main(  # noqa: PLR0917 (typer reads the parameters as options)
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 picks a free one.")] = 8900,
    data: Annotated[Path, typer.Option(help="Folder of the databases; kept.")] = Path(
        ".bothways/sandbox"
    ),
    people: Annotated[int, typer.Option(min=0, help="Population of a new folder.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Which population.")] = 1,
    tls_port: Annotated[
        int | None, typer.Option(help="Serve TLS too, on this port; 0 picks a free one.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM; default: one for localhost.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM; belongs to --cert.")] = None,
) -> None:
    """Emulate the vendors' APIs over HTTP; prints one line when ready."""
    if (cert is None) != (key is None):
        typer.echo("--cert and --key belong together; give both or neither.", err=True)
        raise typer.Exit(2)
    connections = Connections()
    plain = _listen(host, port)
    secure = _listen(host, tls_port) if tls_port is not None else None
    _keep_others_off(data)
    app = create_app(Settings(data, people, seed), connections)
    # What is loaded by now stays, and the collector would go over it in the middle of answers.
    gc.collect()
    gc.freeze()
    common: dict[str, Any] = {
        "http": connections.protocol(),
        "log_level": "warning",
        "date_header": False,
        "timeout_graceful_shutdown": 2,
    }
    servers = [(_Server(uvicorn.Config(app, **common)), plain)]
    ready = f"Sandbox ready at http://{host}:{plain.getsockname()[1]}"
    if secure is not None:
        certificate, private = (cert, key) if cert and key else self_signed(data)
        config = uvicorn.Config(app, **common, ssl_certfile=certificate, ssl_keyfile=private)
        servers.append((_Server(config), secure))
        ready += f" and https://{host}:{secure.getsockname()[1]}"
    asyncio.run(_serve(servers, ready))


def run() -> None:
    """Read the command line: `bothways-sandbox` and `python -m sandbox`."""
    typer.run(main)


if __name__ == "__main__":
    run()

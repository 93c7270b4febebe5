"""What the command says when it cannot serve; what it does when it can is in tests/serving/process."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.cli.verb import Run


def test_a_port_that_is_taken_and_keys_that_are_none_are_told_without_a_trace(rankdistill: Run, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, told in (
            (["--port", port], "another program listens there"),
            (["--port", 0, "--api-key-file", tmp_path / "keys"], "an API key in"),
            (["--port", 0, "--index", tmp_path / "nothing"], "no such folder"),
            (["--port", 0, "--fusion", "mean"], "a method of fusion"),
        ):
            status, said = rankdistill("serve", tmp_path, *words)
            assert status == 1, said
            assert told in said
            assert "remedy:" in said
            assert "Traceback" not in said

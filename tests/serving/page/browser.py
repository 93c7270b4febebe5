"""Headless Chromium, driven over a pipe by its DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The browser, where there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One tab.

    Args:
        to: where commands are written.
        back: where answers and events come from.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._number, self._held = to, back, 0, b""
        self.events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.size(1280, 900)

    def call(self, method: str, **parameters: Any) -> Any:
        """A command to the tab, and what it gives."""
        return self._call(method, parameters, self._session)

    def open(self, url: str) -> None:
        """Go to `url`."""
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(json.dumps(found["exceptionDetails"])[:500])
        return found["result"].get("value")

    def told(self, id: str, name: str = "textContent") -> Any:
        """A property of the element with that id."""
        return self.run(f"document.getElementById({json.dumps(id)}).{name}")

    def each(self, selector: str, value: str) -> list[Any]:
        """An expression for `one`, each element that is selected."""
        found: list[Any] = self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => {value})")
        return found

    def fill(self, id: str, value: str) -> None:
        """Put a value into a field."""
        self.run(f"document.getElementById({json.dumps(id)}).value = {json.dumps(value)}")

    def submit(self) -> None:
        """Send the form of the search."""
        self.run("document.getElementById('search-form').requestSubmit()")

    def until(self, condition: str, seconds: float = 10) -> Any:
        """The first true value of an expression, asked at each frame of the page; None where it stays false."""
        return self.run(
            f"""new Promise((done) => {{
              const end = performance.now() + {seconds * 1000};
              const look = () => {{
                let found = null;
                try {{ found = {condition}; }} catch {{ }}
                if (found || performance.now() > end) done(found || null); else setTimeout(look, 10);
              }};
              look();
            }})"""
        )

    def press(self, key: str, code: int, shift: bool = False) -> None:
        """A key, as the keyboard gives it."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=8 if shift else 0,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def type(self, text: str) -> None:
        """A text into what has the focus."""
        self.call("Input.insertText", text=text)

    def dark(self, on: bool) -> None:
        """The colours that the user's system asks for."""
        value = "dark" if on else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def size(self, width: int, height: int) -> None:
        """How much is seen, in pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        """What is seen, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """What the browser logged: errors of scripts, what its policy refused, what did not load."""
        self.run("0")
        entries = [one["params"]["entry"] for one in self.events if one["method"] == "Log.entryAdded"]
        thrown = [one["params"] for one in self.events if one["method"] == "Runtime.exceptionThrown"]
        return [f"{entry['text']} {entry.get('url', '')}" for entry in entries] + [json.dumps(one) for one in thrown]

    def _call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> Any:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        written = json.dumps(command | ({"sessionId": session} if session else {})).encode() + b"\0"
        os.write(self._to, written)
        while (found := self._next()).get("id") != self._number:
            self.events.append(found)
        if "error" in found:
            raise AssertionError(f"{method}: {found['error']}")
        return found["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            read = os.read(self._back, 1 << 16)
            if not read:
                raise AssertionError("the browser ended")
            self._held += read
        message, _, self._held = self._held.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own that contacts nothing but what it is told to open."""
    into, to = os.pipe()
    back, out = os.pipe()
    reads, writes = (fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (into, out))  # out of the way of 3 and 4
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-extensions",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
    ]
    start = f"import os, sys; os.dup2({reads}, 3); os.dup2({writes}, 4); os.execvp(sys.argv[1], sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", start, program, *options],
        pass_fds=(reads, writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        for one in (into, out, reads, writes):
            os.close(one)
        try:
            yield Browser(to, back)
        finally:
            process.kill()
            os.close(to)
            os.close(back)

"""A headless Chromium, spoken to by its debugging protocol on the loopback interface."""

import asyncio
import base64
import shutil
import subprocess
from pathlib import Path

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
_QUIET = ("--disable-background-networking", "--disable-extensions", "--disable-component-update", "--disable-sync")


class Page:
    """What a page did while it was open: messages of the console, and addresses that it asked for."""

    def __init__(self, socket):
        self._socket, self._sent, self.messages, self.requests = socket, 0, [], []

    async def call(self, method, **params):
        """Send a command; keep what the browser reports until its answer comes."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        while (got := await self._socket.receive_json(timeout=120)).get("id") != self._sent:
            self._keep(got)
        return got["result"]

    async def until(self, event):
        while (got := await self._socket.receive_json(timeout=120)).get("method") != event:
            self._keep(got)

    def _keep(self, got):
        match got.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(got["params"]["request"]["url"])
            case "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.messages.append(got["params"])

    async def value(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def show(self, width, scheme, media="screen"):
        """Show the page on a screen of so many pixels, light or dark, or as it is printed."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def shows(self, *texts, seconds=60):
        """Wait until some texts can be read on the page."""
        for _ in range(seconds * 4):
            read = await self.value("document.body.innerText")
            if all(text in read for text in texts):
                return
            await asyncio.sleep(0.25)
        raise AssertionError(f"the page shows not all of {texts}: {read}")

    async def picture(self, path):
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


async def _opened(profile, url, look):
    port_file = profile / "DevToolsActivePort"
    for _ in range(1200):
        if port_file.is_file() and "\n" in port_file.read_text():
            break
        await asyncio.sleep(0.05)
    port = port_file.read_text().split()[0]
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            address = next(each["webSocketDebuggerUrl"] for each in await answer.json() if each["type"] == "page")
        async with session.ws_connect(address, max_msg_size=0) as socket:
            page = Page(socket)
            for domain in ("Network", "Log", "Runtime", "Page"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=url)
            await page.until("Page.loadEventFired")
            return await look(page)


def visit(profile, file, look):
    """Open a file or an address, and return what an async function of its `Page` returns; the browser is gone then."""
    command = [CHROMIUM, *_FLAGS, *_QUIET, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    url = file if "://" in str(file) else Path(file).resolve().as_uri()
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return asyncio.run(_opened(profile, url, look))
    finally:
        browser.terminate()
        browser.wait(timeout=60)

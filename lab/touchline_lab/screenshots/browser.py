"""The pages in a real browser, at the sizes that operators have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from touchline_lab.screenshots.loaded_system import Pages

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
"""Names of the browser's command; the first that is installed is taken."""
FLAGS: Final = ("--no-sandbox", "--disable-dev-shm-usage")
"""A container has no user namespace for the sandbox and little shared memory; the pages are ours."""
DESKTOP: Final = 1440
"""Width of the window in pixels."""
PHONE: Final = 390
"""Width of a telephone's window in pixels."""
HEIGHT: Final = 1000
"""Height of the windows in pixels."""
LOAD_MS: Final = 20_000
"""Milliseconds within which a page shows what is waited for."""


@dataclass(frozen=True, slots=True)
class View:
    """One picture.

    Attributes:
        file: Its name.
        path: The page, after the address of its server.
        shows: What is waited for, as a CSS selector.
        width: Width of the window in pixels.
        scheme: What the browser prefers.
        scripts: Whether the page may run any.
    """

    file: str
    path: str
    shows: str
    width: int = DESKTOP
    scheme: Literal["light", "dark"] = "light"
    scripts: bool = True


FLOWER: Final = (
    View("flower-tasks.png", "/tasks", "table tbody tr:nth-child(10) td:nth-child(3)"),
    View("flower-workers.png", "/", "table tbody tr:nth-child(2) td:nth-child(2)"),
)
STATUS: Final = (
    View("status-light.png", "/", "table .bar", scripts=False),
    View("status-dark.png", "/", "table .bar", scheme="dark", scripts=False),
    View("status-phone.png", "/", "table .bar", width=PHONE, scripts=False),
)


def browser_command() -> str | None:
    """The installed browser; None without one."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def take_pictures(pages: Pages, folder: Path) -> list[str]:
    """Look at every page and keep a picture of it.

    Args:
        pages: Where they are.
        folder: Gets the pictures.

    Returns:
        What does not fit into its window or is cut off, in words.
    """
    task = View("flower-task.png", f"/task/{pages.answered[-1]}", "text=inference")
    problems = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_command(), args=FLAGS)
        try:
            for view in (*FLOWER, task):
                problems += _take(browser, pages.flower, view, folder)
            for view in STATUS:
                problems += _take(browser, pages.status, view, folder)
        finally:
            browser.close()
    return problems


def _take(browser: Browser, server: str, view: View, folder: Path) -> list[str]:
    page = browser.new_page(
        viewport={"width": view.width, "height": HEIGHT},
        color_scheme=view.scheme,
        java_script_enabled=view.scripts,
    )
    try:
        page.goto(server + view.path, timeout=LOAD_MS)
        page.wait_for_selector(view.shows, timeout=LOAD_MS, state="attached")
        page.screenshot(path=folder / view.file)
        return [f"{view.file}: {problem}" for problem in _problems(page, view)]
    finally:
        page.close()


def _problems(page: Page, view: View) -> list[str]:
    """What is wider than the window, or shown with dots at its end."""
    found = []
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > view.width:
        found.append(f"the page is {width} pixels wide in a window of {view.width}")
    box = page.locator(view.shows).first.bounding_box()
    if box is None or box["x"] + box["width"] > view.width:
        found.append(f"{view.shows} is outside the window of {view.width} pixels")
    cut = page.evaluate(
        "[...document.querySelectorAll('td')].filter(cell => cell.scrollWidth > cell.clientWidth + 1"
        " && getComputedStyle(cell).textOverflow === 'ellipsis').map(cell => cell.textContent.trim())"
    )
    return found + [f"cut off: {text[:60]}" for text in cut]

"""Writes the pictures of docs/gallery.md and of the tutorials: sections of reports of finished runs, as Chromium draws
them. The last two runs are those of docs/tutorials/alignment-dials.md and fronts.md; without them their pictures stay.

python tests/support/report_pictures.py QUICKSTART_RUN FRONT_RUN [DIALS_RUN TUTORIAL_FRONT_RUN]
"""

import base64
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]  # tests/support has a tokenizers.py

from PIL import Image  # noqa: E402

from support.browser import Browser, Page, browsing, wait_until  # noqa: E402

FOLDER = ROOT / "docs" / "pictures"
WIDTH = 820  # pixels of the page
LARGEST = 150_000  # bytes of a picture
BEGIN = "Math.round([...document.querySelectorAll('h1,h2')].find(h => {test}).getBoundingClientRect().top + scrollY)"


@dataclass(frozen=True)
class Picture:
    """Sections of a report. begin, end: the first words of the headings; begin "" is the first heading."""

    name: str
    begin: str
    end: str


QUICKSTART = (
    Picture("report-baselines", "", "Largest coefficient"),
    Picture("report-coefficients", "Largest coefficient", "How to load"),
    Picture("report-path", "The best search score rose", "Generalisation gap"),
)
FRONT = (Picture("report-front", "", "The front: all members"),)
DIALS = (Picture("tutorial-dials", "9 members", "The front: all members"),)
TUTORIAL_FRONT = (Picture("tutorial-front", "11 members", "The front: all members"),)


def draw(browser: Browser, run: Path, pictures: tuple[Picture, ...]) -> None:
    """Write the pictures of a run's report."""
    page = browser.open((run / "report.html").absolute().as_uri())
    browser.call(
        "Emulation.setDeviceMetricsOverride", page.session, width=WIDTH, height=900, deviceScaleFactor=1, mobile=False
    )
    wait_until(lambda: page.evaluate("document.readyState == 'complete' && document.querySelector('h1') !== null"))
    for picture in pictures:
        top, bottom = _top(page, picture.begin), _top(page, picture.end)
        area = {"x": 0, "y": max(top - 12, 0), "width": WIDTH, "height": bottom - top - 4, "scale": 1}
        shot = browser.call("Page.captureScreenshot", page.session, format="png", captureBeyondViewport=True, clip=area)
        content = smaller(base64.b64decode(shot["data"]))
        assert len(content) <= LARGEST, f"{picture.name}: {len(content)} bytes"
        (FOLDER / f"{picture.name}.png").write_bytes(content)


def smaller(png: bytes) -> bytes:
    """The picture with 64 colours, which lines and text do not show."""
    found = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(found, "PNG", optimize=True)
    return found.getvalue()


def _top(page: Page, heading: str) -> int:
    """Where the heading that begins with these words lies on the page, in pixels."""
    return int(page.evaluate(BEGIN.format(test=f"h.textContent.trim().startsWith({heading!r})")))


if __name__ == "__main__":
    runs = [Path(word) for word in sys.argv[1:]]
    with TemporaryDirectory() as profile, browsing(Path(profile)) as browser:
        for run, pictures in zip(runs, (QUICKSTART, FRONT, DIALS, TUTORIAL_FRONT), strict=False):
            draw(browser, run, pictures)

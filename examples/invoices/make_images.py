"""Draws the invoices that ``data/invoices/manifest.jsonl`` describes: ``python make_images.py``.

Every vendor, number and price is made up.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFilter

from vlmbench_plugin.scenes.fonts import FontName, load_font

SEED = 7
HERE = Path(__file__).parent / "data" / "invoices"
ENGLISH = ("Invoice", "Invoice no.", "Date", "Due", "Description", "Qty", "Price", "Amount",
           "VAT", "Total")  # fmt: skip
GERMAN = ("Rechnung", "Rechnungsnr.", "Datum", "Fällig am", "Beschreibung", "Menge", "Preis",
          "Betrag", "MwSt.", "Gesamtbetrag")  # fmt: skip
FRENCH = ("Facture", "N° de facture", "Date", "Échéance", "Désignation", "Qté", "Prix unit.",
          "Montant", "TVA", "Total à payer")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Look:
    """How an invoice is set, and what is printed on it that its label does not hold.

    ``marks`` stand between thousands and before the decimals, ``digits`` is how many decimals its
    currency has, ``tax`` is in percent. The font "sans" has ASCII alone.
    """

    address: str
    size: tuple[int, int] = (620, 580)
    plain: FontName = "serif"
    heading: FontName = "sans_bold"
    ink: str = "#1c1c20"
    paper: str = "#ffffff"
    accent: str = "#1d4f7a"
    header: Literal["left", "band", "centre", "boxed"] = "left"
    table: Literal["rules", "grid", "zebra", "receipt"] = "rules"
    words: Sequence[str] = ENGLISH
    money: str = "${}"
    marks: tuple[str, str] = (",", ".")
    digits: int = 2
    tax: int = 0
    dates: str = "%Y-%m-%d"
    finish: Literal["clean", "photo", "scan"] = "clean"


LOOKS: Mapping[str, Look] = {
    "1-stationers.png": Look(
        address="12 Fern Lane, Leeds", money="£{}", dates="%d %B %Y", tax=20
    ),
    "2-bakery.png": Look(
        address="Marktplatz 3, 94032 Passau", heading="serif", accent="#7a2e12", header="centre",
        words=GERMAN, money="{} €", marks=(".", ","), dates="%d.%m.%Y", paper="#fdf8ee", tax=7,
    ),
    "3-roasters.png": Look(
        address="88 Dock St, Portland", size=(400, 560), plain="mono", heading="mono",
        header="centre", table="receipt", dates="%m/%d/%Y", accent="#000000",
    ),
    "4-print.png": Look(
        address="2-14 Kanda, Tokyo", size=(760, 480), plain="sans", header="band",
        accent="#14213d", table="zebra", money="¥{}", digits=0,
    ),
    "5-studio.jpg": Look(
        address="7 rue des Forges, Dijon", size=(620, 700), heading="serif_italic", words=FRENCH,
        money="{} €", marks=("\u00a0", ","), dates="%d/%m/%Y", finish="photo", tax=20,
    ),
    "6-plumbing.png": Look(
        address="410 Elm Ave, Dayton", size=(640, 460), plain="sans", header="boxed",
        table="grid", dates="%b %d, %Y", finish="scan",
    ),
    "7-sports.png": Look(
        address="Seestrasse 41, 8800 Thalwil", size=(820, 480), words=GERMAN, money="CHF {}",
        marks=("'", "."), dates="%d.%m.%Y", table="grid", accent="#a3171f",
    ),
    "8-cloud.png": Look(
        address="billing@vertex-cloud.example", size=(700, 480), plain="mono", ink="#e6e9ef",
        paper="#161b22", accent="#6cb6ff", table="zebra", money="${} USD",
    ),
}  # fmt: skip
TEXT = 15
LINE = 26


class Sheet:
    """A page that is being set, from top to bottom."""

    def __init__(self, truth: Mapping[str, Any], look: Look) -> None:
        self.truth, self.look = truth, look
        self.image = Image.new("RGB", self.look.size, self.look.paper)
        self.pen = ImageDraw.Draw(self.image)
        self.margin = self.look.size[0] // 14
        self.right = self.look.size[0] - self.margin
        self.y = self.margin

    def write(
        self, x: float, text: str, anchor: str = "ls", *, scale: float = 1, **how: Any
    ) -> None:
        """Writes one line of text; ``bold`` and ``fill`` say how."""
        font = self.look.heading if how.get("bold") else self.look.plain
        self.pen.text(
            (x, self.y),
            text,
            fill=how.get("fill", self.look.ink),
            font=load_font(font, round(TEXT * scale)),
            anchor=anchor,
        )

    def down(self, lines: float = 1) -> None:
        """Goes on below."""
        self.y += round(lines * LINE)

    def money(self, value: Decimal, *, bare: bool = False) -> str:
        """Returns an amount as this invoice prints it."""
        digits = max(self.look.digits, -int(value.as_tuple().exponent))
        thousands, point = self.look.marks
        swap: Mapping[str, str] = {",": thousands, ".": point}
        text = "".join(swap.get(char, char) for char in f"{value:,.{digits}f}")
        return text if bare else self.look.money.format(text)

    def amount(self, item: Mapping[str, Any]) -> Decimal:
        """Returns the price of all units of an item, in whole coins."""
        coin = Decimal(1).scaleb(-self.look.digits)
        return (exact(item["quantity"]) * exact(item["price"])).quantize(coin, ROUND_HALF_UP)

    def header(self) -> None:
        """Sets the vendor, the number and the dates."""
        truth, look, words = self.truth, self.look, self.look.words
        middle = self.look.size[0] / 2
        fill = look.accent
        if look.header == "band":
            self.pen.rectangle([0, 0, look.size[0], self.margin + 4 * TEXT], fill=fill)
            fill = look.paper
        x, anchor = (middle, "ms") if look.header == "centre" else (self.margin, "ls")
        self.down(0.8)
        self.write(x, truth["vendor"], anchor, scale=1.7, bold=True, fill=fill)
        self.down()
        self.write(x, look.address, anchor, scale=0.9, fill=fill)
        self.down(2.4)
        facts = [(words[1], truth["number"])]
        for name, key in ((words[2], "date"), (words[3], "due")):
            if key in truth:
                facts.append((name, date.fromisoformat(truth[key]).strftime(look.dates)))
        if look.header == "boxed":
            self.boxes([("Bill to", "R. Castillo"), *facts])
        else:
            self.write(self.margin, words[0].upper(), bold=True, scale=1.2)
            for name, value in facts:
                self.down()
                self.write(self.margin, f"{name}: {value}")
            self.down(1.8)

    def boxes(self, facts: list[tuple[str, str]]) -> None:
        """Sets facts as a form does, each in a box of its own."""
        width, top = (self.right - self.margin) / len(facts), self.y
        for at, (name, value) in enumerate(facts):
            x, self.y = self.margin + at * width, top
            self.pen.rectangle([x, top - 20, x + width, top + 34], outline=self.look.ink)
            self.write(x + 6, name, scale=0.75)
            self.down(0.9)
            self.write(x + 6, value)
        self.down(2.6)

    def lines(self) -> None:
        """Sets the items."""
        rows = [
            (
                item["description"],
                str(item["quantity"]),
                self.money(exact(item["price"]), bare=True),
                self.money(self.amount(item), bare=True),
            )
            for item in self.truth["items"]
        ]
        if self.look.table == "receipt":
            for name, count, price, amount in rows:
                self.write(self.margin, name)
                self.down(0.8)
                self.write(self.margin, f"  {count} x {price}")
                self.write(self.right, amount, "rs")
                self.down()
            return
        for at, row in enumerate((self.look.words[4:8], *rows)):
            self.row(row, at)

    def row(self, cells: Sequence[str], at: int) -> None:
        """Sets one row of the table; row 0 is its head."""
        look = self.look
        span = self.right - self.margin
        ends = [self.margin + round(share * span) for share in (0.54, 0.66, 0.82, 1)]
        top, bottom = self.y - 19, self.y + 7
        if look.table == "zebra" and at % 2:
            shade = Image.new("RGB", (span, LINE), look.accent)
            under = self.image.crop((self.margin, top, self.right, top + LINE))
            self.image.paste(Image.blend(under, shade, 0.12), (self.margin, top))
        if look.table == "grid":
            for left, end in zip([self.margin, *ends], ends, strict=False):
                self.pen.rectangle([left, top, end, bottom], outline=look.ink)
        self.write(self.margin + 5, cells[0], bold=at == 0)
        for end, cell in zip(ends[1:], cells[1:], strict=True):
            self.write(end - 5, cell, "rs", bold=at == 0, scale=0.9 if at == 0 else 1)
        self.y += LINE
        if look.table == "rules":
            width = 2 if at == 0 else 1
            self.pen.line([(self.margin, bottom), (self.right, bottom)], look.accent, width)
            self.y += 6

    def totals(self) -> None:
        """Sets the tax and what is to be paid."""
        words, total = self.look.words, exact(self.truth["total"])
        self.down(0.6)
        if self.look.tax:
            tax = total - sum(map(self.amount, self.truth["items"]))
            self.write(self.right - 5, self.money(tax), "rs")
            self.write(self.right - 160, f"{words[8]} {self.look.tax} %", "rs")
            self.down()
        self.write(self.right - 5, self.money(total), "rs", bold=True, scale=1.2)
        self.write(self.right - 160, words[9], "rs", bold=True, scale=1.2)


def exact(number: float) -> Decimal:
    """Returns a number of the label as it is written there."""
    return Decimal(str(number)).normalize()


def finished(image: Image.Image, look: Look, rng: random.Random) -> Image.Image:
    """Returns the page as it was photographed or scanned."""
    if look.finish == "clean":
        return image
    tilt = rng.uniform(1.5, 3)
    if look.finish == "scan":
        page = image.convert("L").rotate(tilt / 2, Image.Resampling.BICUBIC, fillcolor=235)
        page = page.point(lambda grey: 70 + grey * 0.66)
        pen = ImageDraw.Draw(page)
        for _ in range(90):
            x, y = rng.uniform(0, page.width), rng.uniform(0, page.height)
            pen.ellipse([x, y, x + rng.uniform(0.3, 1), y + 0.8], fill=rng.choice((90, 250)))
        return page.filter(ImageFilter.GaussianBlur(0.5))
    table = Image.new("RGB", (image.width + 120, image.height + 100), "#7d5a3c")
    pen = ImageDraw.Draw(table)
    for y in range(0, table.height, 5):
        pen.line([(0, y), (table.width, y + rng.randint(-9, 9))], f"#{rng.randint(100, 130):x}5036")
    mask = Image.new("L", image.size, 255).rotate(tilt, Image.Resampling.BICUBIC, expand=True)
    page = image.rotate(tilt, Image.Resampling.BICUBIC, expand=True)
    table.paste(page, (40, 22), mask)
    shadow = Image.linear_gradient("L").resize(table.size).point(lambda grey: 40 * grey // 255)
    return Image.composite(Image.new("RGB", table.size, "#101010"), table, shadow)


def save(image: Image.Image, path: Path) -> None:
    """Writes a drawing as PNG of few colours, a photograph as a camera does that was held upright.

    Its pixels lie sideways, and the EXIF tag tells to turn them.
    """
    if path.suffix == ".png":
        colours = image if image.mode == "L" else image.quantize(48, dither=Image.Dither.NONE)
        colours.save(path, optimize=True)
        return
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, quality=72, exif=exif)


def main(folder: Path) -> None:
    """Draws the image of every line of the folder's ``manifest.jsonl``."""
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        look = LOOKS[label["image"]]
        sheet = Sheet(label["truth"], look)
        sheet.header()
        sheet.lines()
        sheet.totals()
        image = finished(sheet.image, look, random.Random(f"{SEED} {label['image']}"))
        save(image, folder / label["image"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

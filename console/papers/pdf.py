"""A page as PDF on A4: text that can be searched and copied, in a font that has every glyph (Noto Sans CJK).

The font comes with a wheel; only the glyphs that are used are embedded, some kilobytes. Figures are strong by a
shade behind their row, for the wheel has one weight.
"""

from datetime import datetime
from functools import lru_cache

import noto_cjk_sans_otc
from fontTools.ttLib import TTCollection
from fpdf import FPDF
from fpdf.enums import Align, TableBordersLayout
from fpdf.fonts import FontFace

from console.errors import ConsoleError
from console.papers.paper import Paper, Table

_FONT = "noto"
_COLLECTION_NUMBER = 2  # Noto Sans CJK SC
_INK, _FAINT, _SHADE, _RULE = (28, 36, 48), (90, 102, 117), (238, 242, 246), (200, 208, 216)
_LANGUAGES = {"en": "en", "zh": "zh-Hans"}


class GlyphMissing(ConsoleError):
    """The font lacks a character."""


class _Page(FPDF):
    """A4 with a number on every page."""

    page_words = ""

    def footer(self) -> None:
        """Write the page's number."""
        self.set_y(-14)
        self.set_font(_FONT, size=8)
        self.set_text_color(*_FAINT)
        self.cell(w=0, align=Align.R, text=self.page_words.format(page=self.page_no(), pages="{nb}"))


def pdf_of(paper: Paper, *, made_at: datetime) -> bytes:
    """Return a page as PDF; raises GlyphMissing, naming the characters, where the font cannot write it."""
    lacking = sorted({letter for text in paper.texts for letter in text if ord(letter) not in _letters()})
    if lacking:
        raise GlyphMissing(f"no glyph for {' '.join(f'U+{ord(one):04X}' for one in lacking)}; rename what has them")
    page = _Page(format="A4")
    page.page_words = paper.page_words
    page.set_margins(16, 16)
    page.set_auto_page_break(auto=True, margin=20)
    page.set_title(paper.title)
    page.set_lang(_LANGUAGES[paper.language])
    page.set_creator("Wattledger")
    page.set_creation_date(made_at)
    page.add_font(_FONT, fname=str(noto_cjk_sans_otc.FONT_PATH), collection_font_number=_COLLECTION_NUMBER)
    page.add_page()
    page.set_draw_color(*_RULE)
    _head(page, paper)
    for table in paper.tables:
        _table(page, table)
    _notes(page, paper)
    return bytes(page.output())


def _head(page: FPDF, paper: Paper) -> None:
    page.set_text_color(*_INK)
    page.set_font(_FONT, size=20)
    page.cell(w=0, h=12, text=paper.title, new_x="LMARGIN", new_y="NEXT")
    page.ln(1)
    page.set_font(_FONT, size=9)
    with page.table(borders_layout="NONE", first_row_as_headings=False, col_widths=(26, 74), line_height=5.2) as rows:
        for name, value in paper.facts:
            row = rows.row()
            row.cell(name, style=FontFace(color=_FAINT))
            row.cell(value)


def _table(page: FPDF, table: Table) -> None:
    if page.will_page_break(26):
        page.add_page()
    page.ln(4)
    page.set_font(_FONT, size=11)
    page.set_text_color(*_INK)
    page.cell(w=0, h=7, text=table.heading, new_x="LMARGIN", new_y="NEXT")
    page.set_font(_FONT, size=8.5)
    with page.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=[column.width for column in table.columns],
        text_align=[column.align.upper() for column in table.columns],
        headings_style=FontFace(color=_FAINT, emphasis=""),
        line_height=5.2,
        padding=(0.6, 1),
    ) as rows:
        rows.row([column.heading for column in table.columns])
        for row in table.rows:
            rows.row(list(row.cells), style=FontFace(fill_color=_SHADE) if row.is_strong else None)


def _notes(page: FPDF, paper: Paper) -> None:
    page.ln(5)
    page.set_font(_FONT, size=8)
    page.set_text_color(*_FAINT)
    for note in paper.notes:
        page.multi_cell(w=0, h=4.6, text=note, new_x="LMARGIN", new_y="NEXT")


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    with TTCollection(str(noto_cjk_sans_otc.FONT_PATH), lazy=True) as fonts:
        return frozenset(fonts.fonts[_COLLECTION_NUMBER].getBestCmap())

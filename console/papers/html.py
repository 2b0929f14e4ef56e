"""A page as one HTML file, with nothing to fetch: it can be mailed, kept and printed."""

from html import escape

from console.papers.paper import Paper, Table

_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
_STYLE = """
body{font:15px/1.5 "Noto Sans CJK SC","Noto Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif;
color:#1c2430;max-width:56rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:1.8rem 0 .4rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1.2rem;margin:0}dt{color:#5a6675}dd{margin:0}
div{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .5rem;border-bottom:1px solid #dde3ea;text-align:left;vertical-align:top}
th{color:#5a6675;font-weight:600}td.right,th.right{text-align:right;white-space:nowrap}
tr.strong td{font-weight:700;border-bottom-color:#8a97a6}footer{margin-top:2rem;color:#5a6675;font-size:.9rem}
footer p{margin:.2rem 0;overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none}}
"""


def html_of(paper: Paper) -> str:
    """Return a page as HTML."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in paper.facts)
    tables = "".join(_table(table) for table in paper.tables)
    notes = "".join(f"<p>{escape(note)}</p>" for note in paper.notes)
    return (
        f'<!doctype html>\n<html lang="{_LANGUAGES[paper.language]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(paper.title)}</title><style>{_STYLE}</style></head><body><h1>{escape(paper.title)}</h1>"
        f"<dl>{facts}</dl>{tables}<footer>{notes}</footer></body></html>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th class="{column.align}">{escape(column.heading)}</th>' for column in table.columns)
    body = ""
    for row in table.rows:
        cells = "".join(
            f'<td class="{column.align}">{escape(cell)}</td>'
            for column, cell in zip(table.columns, row.cells, strict=True)
        )
        body += f'<tr class="strong">{cells}</tr>' if row.is_strong else f"<tr>{cells}</tr>"
    return f"<h2>{escape(table.heading)}</h2><div><table><tr>{head}</tr>{body}</table></div>"

"""What the demo leaves on disk: a receipt for everything that was paid in during the story, and one statement."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg import Connection

from console.demo.till import Till

_TOP_UPS = """
SELECT notification_id FROM ledger.events WHERE topic = 'account.credited/1' AND notification_id > %s
ORDER BY notification_id
"""
# A PDF to print in each language, and a page to look at.
_FORMS = (("pdf", "en"), ("pdf", "zh"), ("html", "en"))


def leave_papers(till: Till, finance: Connection[Any], directory: Path, *, after: int, account: str) -> int:
    """Write the receipts of the top-ups after a position, and an account's statement; return how many top-ups."""
    directory.mkdir()
    top_ups = finance.execute(_TOP_UPS, (after,)).fetchall()
    month = f"{datetime.now(UTC):%Y-%m}"
    papers = {f"receipt-{position}": f"/v1/top-ups/{position}/receipt" for (position,) in top_ups}
    papers[f"statement-{account}-{month}"] = f"/v1/accounts/{account}/statements/{month}"
    for name, path in papers.items():
        for form, language in _FORMS:
            paper = till.paper(f"{path}?form={form}&language={language}")
            (directory / f"{name}.{language}.{form}").write_bytes(paper)
    return len(top_ups)

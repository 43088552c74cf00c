"""A task of one's own: read an invoice into the JSON that a Pydantic model describes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from vlmbench_plugin.core import VisionTask
from vlmbench_plugin.fields import text
from vlmbench_plugin.from_model import fields_from_model
from vlmbench_plugin.generic import field_score

PROMPT = """Read the invoice and answer with one JSON object alone. Dates are YYYY-MM-DD, due only
where a due date is printed; a price is that of one unit; total is what is to be paid.
{schema}"""


class Item(BaseModel):
    description: Annotated[str, text(60, unicode=True)]
    quantity: int = Field(ge=1, le=9999)
    price: float = Field(ge=0, le=999_999)


class Invoice(BaseModel):
    vendor: Annotated[str, text(60, unicode=True)]
    number: str = Field(max_length=30)
    date: str = Field(max_length=10)
    due: str = Field(default="", max_length=10)  # a default: the key may be absent
    currency: Literal["CHF", "EUR", "GBP", "JPY", "USD"]
    items: list[Item] = Field(max_length=10)
    total: float = Field(ge=0, le=999_999)


FIELDS = fields_from_model(Invoice)
SCORE = field_score(FIELDS, tolerance=0)  # cents count


def pytest_vlmbench_tasks() -> list[VisionTask]:
    return [VisionTask(category="invoices", title="read an invoice", fields=FIELDS, prompt=PROMPT,
                       score=SCORE, answer_tokens=500, right_at=0.9)]  # fmt: skip

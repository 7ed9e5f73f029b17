"""How lists are cut into pages."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class Pages(PageNumberPagination):
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
    page_query_description = "Number of the page, from 1."
    page_size_query_description = "Rows of a page, 1 to 1000."
    invalid_page_message = "There is no page {page_number}. `count` and `page_size` say how many pages there are."

    def get_page_size(self, request: Request) -> int:
        """The size that was asked for. Raises ValidationError where it is none, instead of guessing."""
        text = request.query_params.get("page_size", "") or str(self.page_size)
        size = int(text) if text.isdecimal() and len(text) <= 4 else 0
        if not 1 <= size <= self.max_page_size:
            raise ValidationError({"page_size": [f"{text!r} is not a whole number from 1 to {self.max_page_size}."]})
        return size

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The parameters with their bounds, for the OpenAPI schema."""
        page, size = super().get_schema_operation_parameters(view)
        page["schema"] |= {"minimum": 1}
        size["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [page, size]

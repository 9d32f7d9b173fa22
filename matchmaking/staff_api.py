"""REST for staff, below ``/internal``: every tenant's pools and tickets."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from matchmaking import selectors, statistics
from matchmaking.services import explain
from realtime.authentication import caller_of
from realtime.protocol.errors import Forbidden
from realtime.transport.database import database_now

STAFF_ROLE = "staff"


class StaffView(APIView):
    """A view that needs the role ``staff``."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse everybody else before anything is read."""
        super().initial(request, *args, **kwargs)
        if STAFF_ROLE not in caller_of(request).roles:
            raise Forbidden


class SummaryView(StaffView):
    """All pools."""

    def get(self, request: Request) -> Response:
        """Return how each pool does, and how it did in the last hour."""
        return Response({"pools": statistics.pool_summaries(now=database_now())})


class TicketExplainView(StaffView):
    """Why any ticket is not matched yet."""

    def get(self, request: Request, ticket_id: str) -> Response:
        """Return the explanation, candidate by candidate."""
        ticket = selectors.any_ticket(ticket_id)
        return Response(explain.explain_in_full(ticket, now=database_now()))

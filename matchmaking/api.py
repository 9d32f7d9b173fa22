"""REST: the queue, pools and matches."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from matchmaking import selectors, statistics
from matchmaking.services import acceptance, backfills, explain, leaving, preferences, queueing, results
from realtime.authentication import caller_of
from realtime.identifiers import parse_id
from realtime.problems import body_of
from realtime.protocol.errors import Forbidden, InvalidRequest
from realtime.protocol.messages import JoinQueueData
from realtime.protocol.parts import Backfill, Preferences, Result
from realtime.transport.database import database_now, one_look
from realtime.transport.events import NO_ORIGIN

PAGE_SIZE = 50
GAME_SERVER_ROLE = "game_server"


class QueueView(APIView):
    """The queue."""

    def post(self, request: Request) -> Response:
        """Join a pool."""
        wanted = body_of(request, JoinQueueData)
        ticket = queueing.join(caller_of(request), wanted, origin=NO_ORIGIN, now=database_now())
        return Response(ticket, status=201)


class QueueEntryView(APIView):
    """One ticket of the caller."""

    def get(self, request: Request, queue_entry_id: str) -> Response:
        """Return the ticket."""
        ticket = selectors.own_ticket(caller_of(request), queue_entry_id)
        return Response(selectors.ticket_message(ticket, now=database_now()))

    def delete(self, request: Request, queue_entry_id: str) -> Response:
        """Leave the queue."""
        caller = caller_of(request)
        return Response(leaving.leave(caller, queue_entry_id, origin=NO_ORIGIN, now=database_now()))


class ExplainView(APIView):
    """Why a ticket of the caller is not matched yet."""

    def get(self, request: Request, queue_entry_id: str) -> Response:
        """Return how many each rule turns away, and the nearest."""
        ticket = selectors.own_ticket(caller_of(request), queue_entry_id)
        return Response(explain.explain(ticket, now=database_now()))


class PreferencesView(APIView):
    """What the caller wants wherever it queues."""

    def get(self, request: Request) -> Response:
        """Return the preferences."""
        return Response(preferences.read(caller_of(request)))

    def put(self, request: Request) -> Response:
        """Replace the preferences; what is left out is left open."""
        return Response(preferences.put(caller_of(request), body_of(request, Preferences)))

    def post(self, request: Request) -> Response:
        """Do the same."""
        return self.put(request)


class StatisticsView(APIView):
    """How the tenant's pools do."""

    def get(self, request: Request) -> Response:
        """Return each pool's waits and matches of the last hour."""
        tenant_id = caller_of(request).tenant_id
        return Response({"pools": statistics.pool_statistics(tenant_id, now=database_now())})


class ActiveView(APIView):
    """All that the caller is in."""

    def get(self, request: Request) -> Response:
        """Return the fields of the socket's ``state_restored``."""
        caller = caller_of(request)
        with one_look():
            state = selectors.active_state(caller, selectors.live_seat(caller), now=database_now())
        return Response(state)


class PoolsView(APIView):
    """The tenant's pools."""

    def get(self, request: Request) -> Response:
        """Return the active pools with their rules."""
        return Response({"results": selectors.pool_messages(caller_of(request).tenant_id), "next": None})


class MatchesView(APIView):
    """The caller's matches."""

    def get(self, request: Request) -> Response:
        """Return a page, newest first; ``next`` is the URL of the following one, or null."""
        cursor = request.query_params.get("cursor")
        before = parse_id(cursor) if cursor is not None else None
        if cursor is not None and before is None:
            raise InvalidRequest("This cursor is not one of ours", field="cursor")
        found = selectors.own_matches(caller_of(request), before=before, limit=PAGE_SIZE + 1)
        page = found[:PAGE_SIZE]
        more = f"{settings.PUBLIC_URL}{request.path}?cursor={page[-1].id}" if found[PAGE_SIZE:] else None
        return Response({"results": [selectors.match_message(match) for match in page], "next": more})


class MatchView(APIView):
    """One match of the caller."""

    def get(self, request: Request, match_id: str) -> Response:
        """Return the match."""
        return Response(selectors.match_message(selectors.own_match(caller_of(request), match_id)))


class BackfillView(APIView):
    """Somebody in the place of a player who is gone, as a match's game server asks."""

    def post(self, request: Request, match_id: str) -> Response:
        """Ask for it; asked again while it is open, it is the same request."""
        caller = caller_of(request)
        if GAME_SERVER_ROLE not in caller.roles:
            raise Forbidden("This needs the role game_server")
        wanted = body_of(request, Backfill)
        opened = backfills.request(caller.tenant_id, parse_id(match_id), wanted.user_id, now=database_now())
        answer = {"backfill_id": str(opened.id), "match_id": str(opened.match_id)}
        return Response({**answer, "user_id": opened.user_id, "status": opened.status}, status=202)


class AcceptView(APIView):
    """The ready check of a match: yes."""

    def post(self, request: Request, match_id: str) -> Response:
        """Accept the match."""
        match = acceptance.accept(caller_of(request), match_id, now=database_now())
        return Response(selectors.match_message(match))


class DeclineView(APIView):
    """The ready check of a match: no."""

    def post(self, request: Request, match_id: str) -> Response:
        """Decline the match."""
        match = acceptance.decline(caller_of(request), match_id, now=database_now())
        return Response(selectors.match_message(match))


class RatingsView(APIView):
    """The caller's ratings."""

    def get(self, request: Request) -> Response:
        """Return one for each active pool of the tenant."""
        return Response({"results": selectors.own_ratings(caller_of(request)), "next": None})


class RatingHistoryView(APIView):
    """How the caller's rating in a pool came about."""

    def get(self, request: Request, pool_key: str) -> Response:
        """Return a page of matches, newest first."""
        cursor = request.query_params.get("cursor")
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
            raise InvalidRequest("This cursor is not one of ours", field="cursor")
        before = None if cursor is None else int(cursor)
        found = selectors.rating_history(caller_of(request), pool_key, before=before, limit=PAGE_SIZE + 1)
        page = found[:PAGE_SIZE]
        more = f"{settings.PUBLIC_URL}{request.path}?cursor={page[-1].id}" if found[PAGE_SIZE:] else None
        return Response({"results": [selectors.rating_point(change) for change in page], "next": more})


class ResultView(APIView):
    """How a match ended, as its game server says."""

    def post(self, request: Request, match_id: str) -> Response:
        """Take the result in, once, and return the match."""
        caller = caller_of(request)
        if GAME_SERVER_ROLE not in caller.roles:
            raise Forbidden("This needs the role game_server")
        result = body_of(request, Result)
        match = results.report(caller.tenant_id, parse_id(match_id), result, now=database_now())
        return Response(selectors.match_message(match))

"""REST: challenges and rematches."""

from typing import ClassVar

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from challenges import selectors
from challenges.services import accepting, creating, ending, rematches
from realtime.authentication import caller_of
from realtime.identifiers import parse_id
from realtime.problems import body_of
from realtime.protocol.errors import InvalidRequest
from realtime.protocol.parts import NewChallenge
from realtime.transport.database import database_now

PAGE_SIZE = 50


class ChallengesView(APIView):
    """Challenges."""

    def post(self, request: Request) -> Response:
        """Challenge somebody, or whoever opens the link."""
        wanted = body_of(request, NewChallenge)
        return Response(creating.create(caller_of(request), wanted, now=database_now()), status=201)


class ChallengeView(APIView):
    """One challenge."""

    def get(self, request: Request, challenge_id: str) -> Response:
        """Return the challenge, to its two players; an open one to everybody of the tenant."""
        found = selectors.challenge_for(caller_of(request), challenge_id)
        return Response(selectors.challenge_message(found))


class AnswerView(APIView):
    """An answer to a challenge: which one is what the route says."""

    answers: ClassVar = {"accept": accepting.accept, "decline": ending.decline, "cancel": ending.cancel}
    answer = ""

    def post(self, request: Request, challenge_id: str) -> Response:
        """Accept, which is answered when the game is on, decline, or take one's own back."""
        answer = self.answers[self.answer]
        return Response(answer(caller_of(request), challenge_id, now=database_now()))


class RematchView(APIView):
    """The same game again."""

    def post(self, request: Request, match_id: str) -> Response:
        """Ask for a rematch, or accept the other player's."""
        return Response(rematches.rematch(caller_of(request), match_id, now=database_now()), status=201)


class ListView(APIView):
    """The caller's challenges, incoming or outgoing: which ones is what the route says."""

    lists: ClassVar = {"incoming": selectors.incoming, "outgoing": selectors.outgoing}
    which = ""

    def get(self, request: Request) -> Response:
        """Return a page, newest first; ``next`` is the URL of the following one, or null."""
        cursor = request.query_params.get("cursor")
        before = parse_id(cursor) if cursor is not None else None
        if cursor is not None and before is None:
            raise InvalidRequest("This cursor is not one of ours", field="cursor")
        found = selectors.page(self.lists[self.which](caller_of(request)), before=before, limit=PAGE_SIZE + 1)
        page = found[:PAGE_SIZE]
        more = f"{settings.PUBLIC_URL}{request.path}?cursor={page[-1].id}" if found[PAGE_SIZE:] else None
        return Response({"results": [selectors.challenge_message(each) for each in page], "next": more})

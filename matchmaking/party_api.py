"""REST: parties."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from matchmaking import party_selectors
from matchmaking.services import parties
from realtime.authentication import caller_of
from realtime.problems import body_of
from realtime.protocol.parts import Part, PartyUser
from realtime.transport.database import database_now


class PartiesView(APIView):
    """Parties."""

    def post(self, request: Request) -> Response:
        """Make one, with the caller as its leader."""
        body_of(request, Part)
        return Response(parties.create(caller_of(request), now=database_now()), status=201)


class PartyView(APIView):
    """One party."""

    def get(self, request: Request, party_id: str) -> Response:
        """Return the party, to its members and to who is invited."""
        party = party_selectors.party_for(caller_of(request), party_id)
        return Response(party_selectors.party_part(party.id))


class MembershipView(APIView):
    """The caller comes or goes: which one is what the route says."""

    changes: ClassVar = {"join": parties.join, "leave": parties.leave}
    change = ""

    def post(self, request: Request, party_id: str) -> Response:
        """Join the party, or leave it."""
        change = self.changes[self.change]
        return Response(change(caller_of(request), party_id, now=database_now()))


class OthersView(APIView):
    """Somebody else is asked in or sent away: which one is what the route says."""

    changes: ClassVar = {"invite": parties.invite, "kick": parties.kick}
    change = ""

    def post(self, request: Request, party_id: str) -> Response:
        """Invite a player, or send one away."""
        user_id = body_of(request, PartyUser).user_id
        change = self.changes[self.change]
        return Response(change(caller_of(request), party_id, user_id, now=database_now()))

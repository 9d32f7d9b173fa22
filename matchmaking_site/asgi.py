"""HTTP and sockets: what is connected to what."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "matchmaking_site.settings")
_http = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from matchmaking import commands as matchmaking
from realtime import commands as sessions
from realtime.transport.bodies import BodyLimit, InTurn
from realtime.transport.consumers import Connection, NoSuchSocket

application = ProtocolTypeRouter(
    {
        "http": InTurn(BodyLimit(_http), at_once=settings.DATABASE_POOL_SIZE // 2),
        "websocket": URLRouter(
            [
                path("ws/matchmaking/", Connection.as_asgi(wiring=matchmaking.WIRING)),
                path("ws/sessions/<str:session_id>/", Connection.as_asgi(wiring=sessions.WIRING)),
                re_path(r"", NoSuchSocket.as_asgi()),
            ]
        ),
    }
)

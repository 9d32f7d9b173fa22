"""Every route."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from django.views.generic import TemplateView

from matchmaking_site import health

_v1 = [
    path("", include("realtime.urls")),
    path("matchmaking/", include("matchmaking.urls")),
    path("matchmaking/", include("challenges.urls")),
]

# A picture fetched with a token, such as the QR code of an event, is shown as a blob.
_CONTENT = "; ".join(
    (
        "default-src 'self'",
        "connect-src 'self' ws: wss:",
        "img-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


class Page(TemplateView):
    """A page of the browser; nothing on it comes from elsewhere."""

    camera = "()"
    """Who may use the camera, as ``Permissions-Policy`` writes it: nobody."""

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponse:
        """Add the policies that say so."""
        context["grace_seconds"] = settings.GRACE_SECONDS
        response = super().render_to_response(context, **response_kwargs)
        response["Content-Security-Policy"] = _CONTENT
        response["Permissions-Policy"] = f"camera={self.camera}, microphone=(), geolocation=()"
        return response


_play = Page.as_view(template_name="play.html")
_host = Page.as_view(template_name="host.html")
_join = Page.as_view(template_name="join.html", camera="(self)")

urlpatterns = [
    path("", _play),
    path("challenges/<str:challenge_id>", _play),
    path("host", _host),
    path("host/<str:session_id>", _host),
    path("join", _join),
    path("join/<str:code>", _join),
    path("admin/", admin.site.urls),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("internal/", include("matchmaking.staff_urls")),
    path("v1/", include(_v1)),
    path("api/v1/", include(_v1)),
]

handler400 = "realtime.problems.bad_request"
handler404 = "realtime.problems.page_not_found"
handler500 = "realtime.problems.server_error"

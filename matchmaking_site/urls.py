"""Every route."""

from typing import Any

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from django.views.generic import TemplateView

from matchmaking_site import health

_v1 = [
    path("", include("realtime.urls")),
    path("matchmaking/", include("matchmaking.urls")),
]

_POLICY = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'"


class PlayPage(TemplateView):
    """The page to play; nothing on it comes from elsewhere."""

    template_name = "play.html"

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponse:
        """Add the policy that says so."""
        response = super().render_to_response(context, **response_kwargs)
        response["Content-Security-Policy"] = _POLICY
        return response


urlpatterns = [
    path("", PlayPage.as_view()),
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

"""Every route."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from matchmaking_site import health

_v1 = [
    path("", include("realtime.urls")),
    path("matchmaking/", include("matchmaking.urls")),
]

urlpatterns = [
    path("", TemplateView.as_view(template_name="play.html")),
    path("admin/", admin.site.urls),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("v1/", include(_v1)),
    path("api/v1/", include(_v1)),
]

handler400 = "realtime.problems.bad_request"
handler404 = "realtime.problems.page_not_found"
handler500 = "realtime.problems.server_error"

"""A model as a page: static files with which a browser hears, answers, checks and times itself."""

from serval.web.server import SiteServer
from serval.web.site import Site, WebOptions, write_site

__all__ = ["Site", "SiteServer", "WebOptions", "write_site"]

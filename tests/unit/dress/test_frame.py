import html
import re

from serval.dress import STYLE, source_hash, static_page


def test_a_page_without_scripts_wears_the_common_style_and_allows_nothing_else():
    page = static_page("a < b {{body}}", "<p>{{policy}}</p>")
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    assert f"<style>{STYLE}</style>" in page
    assert policy.startswith(f"default-src 'none'; style-src '{source_hash(STYLE)}'; ")
    assert "<title>a &lt; b {{body}}</title>" in page
    assert "<p>{{policy}}</p>" in page
    assert "width=device-width" in page
    assert "<script" not in page


def test_a_hash_is_sha256_in_base64():
    assert source_hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

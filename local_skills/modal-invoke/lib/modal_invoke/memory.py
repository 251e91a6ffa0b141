"""`modal-invoke memory`: finds what skills have learned, and teaches them."""

from __future__ import annotations

from argparse import Namespace

from modal_invoke.given import given
from modal_invoke.output import Screen, put, put_json, put_table
from modal_invoke.server import Server
from modal_invoke.stop import Exit


def search(server: Server, args: Namespace, screen: Screen) -> Exit:
    found = server.search_memory(args.query, args.skill, args.limit)
    if args.json:
        put_json(found)
    elif found:
        put_table((entry["skill"], entry["id"], entry["text"]) for entry in found)
    else:
        screen.note("Nothing fits.")
    return Exit.DONE


def add(server: Server, args: Namespace, screen: Screen) -> Exit:
    text = given(args.text)
    entry, new = server.add_memory(args.skill, text, args.section)
    if args.json:
        put_json(entry)
        return Exit.DONE
    put(entry["id"])
    screen.note(f"{args.skill} {'knows it now' if new else 'knew it already'}.")
    return Exit.DONE
